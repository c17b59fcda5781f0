"""The secret half of write keys is hidden; `tests/server/test_secret_halves.py` has each place and each route."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eventscache.ingest.json import scan
from eventscache.ingest.secret_half import secret_half, without_halves, without_halves_in_text
from tests.support import corpus
from tests.support.corpus import Case, each
from tests.support.fuzz import fuzz
from tests.support.json_fuzz import ODD

PIECES = [
    b'"writeKey":"',
    b'"api_key"',
    b"[",
    b"]",
    b"{",
    b"}",
    b",",
    b":",
    b"\\",
    b'"',
    b"x",
    b"***",
    rb"\u003a",
    b" ",
]
LEVELS = 100


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('{"a":{"writeKey" : "id:se\\"cret:more","b":"x:y"}}', '{"a":{"writeKey" : "id:***","b":"x:y"}}'),
        ('{"writeKey":":secret"}', '{"writeKey":":***"}'),
        ('{"writeKey":"id:***more"}', '{"writeKey":"id:***"}'),
        ('{"writeKey":"a\\\\u003ab"}', '{"writeKey":"a\\\\u003ab"}'),
        ('{"writeKey":"id:secr', '{"writeKey":"id:***'),
        ('{"writeKey":"id:secret","batch":[{', '{"writeKey":"id:***","batch":[{'),
        ('{"writeKey":["id:secret"', '{"writeKey":["id:***"'),
        ('"writeKey"', '"writeKey"'),
        ('{"\\"writeKey":"a:b"}', '{"\\"writeKey":"a:b"}'),
    ],
)
def test_the_half_is_hidden_by_the_name_of_its_text(text: str, kept: str) -> None:
    assert without_halves(text.encode()).decode() == kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (b"writeKey=id:secret&api_key=id%3asecret", b"writeKey=id:***&api_key=id%3a***"),
        (b"{writeKey: 'id:secret', a: 'b:c'}", b"{writeKey: 'id:***', a: 'b:c'}"),
        (rb'x "{\"api_key\":\"id:secret\",\"a\":\"b:c\"}"', rb'x "{\"api_key\":\"id:***\",\"a\":\"b:c\"}"'),
        (b"api_key: plain, then: more", b"api_key: plain, then: more"),
        (b"api_key: id: more", b"api_key: id: more"),
    ],
)
def test_it_is_hidden_in_texts_too(text: bytes, kept: bytes) -> None:
    assert without_halves_in_text(text) == kept


@each(corpus.NO_SECRET_HALVES)
def test_what_has_no_half_is_the_same_object(case: Case) -> None:
    assert without_halves(case.sent) is case.sent
    half = secret_half("kid:s3cr3tsecret")
    assert half
    assert half.hidden(case.sent) is case.sent
    assert "s3cr3t" not in repr(half)


@pytest.mark.skipif(not scan.COMPILED, reason="the module in C was not built")
@each(corpus.NO_SECRET_HALVES)
def test_the_fast_scan_takes_what_has_no_half(case: Case) -> None:
    has_array = b'"apiKey":[' in case.sent or b'"api_key":[' in case.sent
    assert (scan.object_end(case.sent, LEVELS) == len(case.sent)) is not (has_array or b"u0061" in case.sent)


@pytest.mark.skipif(not scan.COMPILED, reason="the module in C was not built")
@each(corpus.WRITE_KEY_NAMES)
def test_the_fast_scan_leaves_a_half_to_others(case: Case) -> None:
    assert scan.object_end(case.sent, LEVELS) == -1
    assert scan.object_spans(b"[%b]" % case.sent, LEVELS) is None
    assert scan.object_members(b'[{"o":%b}]' % case.sent, LEVELS, 1000, (b"o",), ()) is None


def test_a_key_without_a_half_has_none_to_find() -> None:
    for key in ("", "plain", "id:"):
        assert secret_half(key) is None


@fuzz
@given(st.lists(st.sampled_from([*ODD, *PIECES]), max_size=20))
@example([b'{"writeKey":"', b"\\", b'"', b':x"}'])
@example([b'{"api_key":["a:b"', b",", b'{"api_key":"c:d"}]}'])
def test_hiding_keeps_json_valid_is_stable_and_finds_what_the_fast_scan_leaves(pieces: list[bytes]) -> None:
    text = b"".join(pieces)
    hidden = without_halves(text)
    assert without_halves(hidden) is hidden
    without_halves_in_text(text)
    if scan.object_end(text, LEVELS) >= 0:
        assert hidden is text
    try:
        value = json.loads(text)
    except ValueError:
        return
    assert type(json.loads(hidden)) is type(value)


TEXTS = st.text('aU0\\"u:*\u00e9', min_size=1, max_size=12)


@fuzz
@given(TEXTS, TEXTS, st.lists(TEXTS), st.booleans())
def test_hiding_a_key_keeps_json_valid(key_id: str, secret: str, texts: list[str], ascii_only: bool) -> None:
    half = secret_half(f"{key_id}:{secret}")
    assert half
    values = [*texts, f"{texts}{secret}{texts}", f"{key_id}:{secret}"]
    text = json.dumps({"n": 0, "v": values}, ensure_ascii=ascii_only).encode()
    hidden = json.loads(half.hidden(text))
    assert hidden["n"] == 0
    assert len(hidden["v"]) == len(values)
    assert half.hidden_in_text(half.hidden_in_text(text)) is not None
