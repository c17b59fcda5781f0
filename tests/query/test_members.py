import json

import hypothesis
import pytest
from hypothesis import strategies as st

from eventscache.query.members import has_value, parse_path, sure_bytes

ORIGINAL = (
    b'{"user":{"email":"a\\u00e9@b.c","tags":["x",{"n":1.10}]},"a.b":{"c":"dotted"},"a":{"b.c":"other"},'
    b'"big":12345678901234567890,"yes":true,"none":null,"half":"\\ud800!","empty":"","twice":1,"twice":2}'
)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("user.email", "aé@b.c"),
        ("user.tags.0", "x"),
        ("user.tags.1.n", "1.10"),
        ("a.b.c", "dotted"),
        ("a.b.c", "other"),
        ("big", "12345678901234567890"),
        ("yes", "true"),
        ("none", "null"),
        ("half", "\ufffd!"),
        ("empty", ""),
        ("twice", "2"),
    ],
)
def test_a_field_has_the_text_that_its_value_means_or_is_written_with(path: str, text: str) -> None:
    assert has_value(ORIGINAL, parse_path(path), text)
    assert not has_value(ORIGINAL, parse_path(path), text + "x")


@pytest.mark.parametrize("path", ["user", "user.tags", "user.tags.2", "user.tags.x", "user.email.x", "absent", "big.x"])
def test_what_has_members_or_is_not_there_has_no_text(path: str) -> None:
    assert not has_value(ORIGINAL, parse_path(path), "")
    assert not has_value(ORIGINAL, parse_path(path), "{}")


@pytest.mark.parametrize("data", [b"", b"{", b'{"a"', b'{"a":"b"', b"[" * 5000, b'{"a":' * 5000, b'{"a":"\xff"}', b"5"])
def test_broken_json_has_no_fields(data: bytes) -> None:
    assert not has_value(data, ("a",), "b")


@pytest.mark.parametrize("text", ["", ".".join("abcdefghijklmnopq")])
def test_a_path_has_a_bounded_number_of_parts(text: str) -> None:
    with pytest.raises(ValueError, match="a path has 1 to 16 names"):
        parse_path(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00000000-0000-4000-8000-000000000001", b"00000000-0000-4000-8000-000000000001"),
        ("a/long<part>é", b"long"),
        ("user+tag@shop.example", b"tag@shop.example"),
        ('"\\é', b""),
        ("", b""),
    ],
)
def test_the_sure_bytes_of_a_text_are_those_that_json_holds_however_it_is_escaped(text: str, expected: bytes) -> None:
    assert sure_bytes(text) == expected
    escaped = json.dumps(text).replace("/", "\\/").replace("<", "\\u003c").replace("+", "\\u002B")
    assert sure_bytes(text) in escaped.encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@hypothesis.given(value=JSON, path=st.lists(st.text(min_size=1), min_size=1, max_size=3), cut=st.integers(0, 50))
def test_any_json_can_be_asked_for_a_field(value: object, path: list[str], cut: int) -> None:
    data = json.dumps(value).encode()
    assert has_value(data, tuple(path), "x") in {True, False}
    assert has_value(data[:cut], tuple(path), "x") in {True, False}


@hypothesis.given(name=st.text(min_size=1), text=st.text())
def test_a_text_is_found_however_it_is_escaped(name: str, text: str) -> None:
    for ascii_only in (True, False):
        data = json.dumps({name: text}, ensure_ascii=ascii_only).encode()
        assert has_value(data, tuple(name.split(".")), text)
        assert sure_bytes(text) in data
