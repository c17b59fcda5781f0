"""The secret half of write keys is hidden; `tests/server/test_secret_halves.py` has each place and each route."""

import json
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eventscache.errors import InvalidEvent
from eventscache.ingest import formats
from eventscache.ingest.json import scan
from eventscache.ingest.limits import Limits
from eventscache.ingest.parsed import Parser
from eventscache.ingest.secret_half import keys_named_in, secret_half, without_halves, without_halves_in_text
from tests.support import corpus
from tests.support.corpus import MEGABYTE, Case, each
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
@example([b'{"api_key":[{"api_key":5,"a":"c:d"},"e:f"]}'])
@example([b'{"api_key":[{"api_key":{"a":["c:d"]}},"e:f"]}'])
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


ENDS = st.text('"\\u0045ab{}[],:%/&<\u00e9\n', max_size=6)
KEY_PARTS = st.builds("{}{}{}".format, ENDS, st.sampled_from(["", "12345678", "true", "0041", "secretsecret"]), ENDS)


def nests(texts: st.SearchStrategy[str]) -> st.SearchStrategy[object]:
    """Generate JSON values of such texts, and of what looks like them outside of strings."""
    others = st.sampled_from([12345678, 12345678e8, True, None])
    return st.recursive(
        texts | others, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=3)
    )


def texts_of(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        value = [*value.values()]
    if isinstance(value, list):
        for inner in value:
            yield from texts_of(inner)
    elif isinstance(value, str):
        yield value


@fuzz
@given(st.data(), KEY_PARTS, KEY_PARTS.filter(bool), st.booleans(), st.booleans())
def test_what_is_valid_stays_valid_without_the_key(
    data: st.DataObject, key_id: str, secret: str, ascii_only: bool, slashes: bool
) -> None:
    key = f"{key_id}:{secret}"
    half = secret_half(key)
    assert half
    parts = st.lists(st.sampled_from([key, secret, key[:-1], secret[1:], "\\", '"', "u", "\n", "a", "0"]), max_size=6)
    value = data.draw(nests(parts.map("".join)))
    text = json.dumps(value, ensure_ascii=ascii_only)
    if slashes:
        text = text.replace("/", "\\/")
    hidden = half.hidden(text.encode())
    assert [text for text in texts_of(json.loads(hidden)) if key in text] == []
    parts_of_key = key, key.partition(":")[2], key.split(":")[1]
    if not any(part and part in text for text in texts_of(value) for part in parts_of_key):
        assert hidden == text.encode()


@pytest.mark.parametrize(
    ("key", "text", "kept"),
    [
        ('p1:abcdefg"', r'{"token":"p1:abcdefg\"","a":"abcdefg"}', '{"token":"p1:***","a":"abcdefg"}'),
        ('k:"abcdefg', r'{"b":"abcdefg","a":"\"abcdefg"}', '{"b":"abcdefg","a":"***"}'),
        ("k:abcdefg\\", r'{"a":"abcdefg\\","b":"abcdefg\""}', r'{"a":"***","b":"abcdefg\""}'),
        ("k:\\bcdefgh", r'{"a":"\\bcdefgh \\\bcdefgh"}', r'{"a":"*** \\\bcdefgh"}'),
        ("k:u0041bcd", r'{"a":"\u0041bcd u0041bcd"}', r'{"a":"\u0041bcd ***"}'),
        ("k:12345678", r'{"a":"\u12345678 12345678","n":12345678}', r'{"a":"\u12345678 ***","n":12345678}'),
        ("k:///////é", r'{"a":"\/\/\/\/\/\/\/\u00e9"}', '{"a":"***"}'),
        ('i"d:x', r'{"a":"i\"d:x"}', r'{"a":"i\"d:***"}'),
    ],
)
def test_a_key_with_signs_of_json_is_found_as_json_spells_it(key: str, text: str, kept: str) -> None:
    half = secret_half(key)
    assert half
    assert half.hidden(text.encode()).decode() == kept


@pytest.mark.parametrize(
    ("keys", "text", "kept"),
    [
        (("k:abcdefgh", "k:abcdefghij"), "k:abcdefghij k:abcdefgh abcdefghij abcdefgh", "k:*** k:*** *** ***"),
        (("k:secretone", "plain", "l:secrettwo"), "plain secretone l%3Asecrettwo", "plain *** l%3A***"),
        (("k:1", "l:abcdefgh"), "k:1 1 l%3aabcdefgh abcdefgh", "k:*** 1 l%3a*** ***"),
    ],
)
def test_several_keys_are_found_together(keys: tuple[str, ...], text: str, kept: str) -> None:
    for order in (keys, keys[::-1]):
        half = secret_half(*order)
        assert half
        assert half.hidden(b'["%b"]' % text.encode()) == b'["%b"]' % kept.encode()
        assert half.hidden_in_words(text) == kept
        assert half.hidden(untouched := b'["abcdefg secre k:2"]') is untouched


def test_the_keys_that_a_body_names_are_found() -> None:
    body = rb'{"writeKey":"a:b","x":[{"api_key":["c\u003ad","plain","e%3Af","a:b"]}],"api_key":"k:***"} "apiKey":"g:h'
    assert keys_named_in(body) == ("a:b", "c:d", "e%3Af")
    assert keys_named_in(body[20:]) == ("c:d", "e%3Af", "a:b")
    assert keys_named_in(body[-13:]) == ("g:h",)
    assert len(keys_named_in(b'{"api_key":["%b"]}' % b'","'.join(b"k:%d" % n for n in range(100)))) == 3


@pytest.mark.parametrize(
    ("key", "body", "parser"),
    [
        ("k:secretsecret", b'["secretsecret%b"]' % (b"\\\\" * MEGABYTE), formats.JITSU),
        ("k:secretsecret", b'["secretsecret"%b]' % (b',""' * MEGABYTE), formats.JITSU),
        ("k:secretsecret", b'{"a":"secretsecret%b"}' % (b"\\\\" * MEGABYTE), formats.JITSU),
        ("k:12345678", b'{"batch":[{"a":"%b"}]}' % (b"12345678" * (MEGABYTE // 4)), formats.JITSU2_BATCH),
        ("k:" + "\\" * 8, b'{"batch":[{"a":"%b"}]}' % (b"\\\\" * MEGABYTE), formats.JITSU2_BATCH),
        ("k:12345678", b"[%b]" % b",".join([b'{"a":"12345678\\n","n":12345678}'] * 9000), formats.JITSU),
    ],
)
def test_to_hide_it_takes_little_memory(key: str, body: bytes, parser: Parser) -> None:
    half = secret_half(key)
    assert half
    tracemalloc.start()
    with suppress(InvalidEvent):
        half.parser(parser)(body, None, Limits())
    with suppress(InvalidEvent):
        half.hidden(body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * len(body) + MEGABYTE


def test_keys_in_arrays_in_one_another_are_found_in_one_go() -> None:
    levels = 20_000
    text = b'{"api_key":["a:b",' * levels + b"0" + b"]}" * levels
    start = time.perf_counter()
    assert without_halves(text) == text.replace(b"a:b", b"a:***")
    assert time.perf_counter() - start < 5
