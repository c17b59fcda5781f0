"""The scan in C validates only what the strict parser accepts, and all common JSON."""

import json
import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.events import page_views
from eventscache.errors import InvalidEvent
from eventscache.ingest import jitsu, native
from eventscache.ingest.json import scan, strict
from eventscache.ingest.limits import Limits
from eventscache.stream import Namespace, Stream
from tests.support.fuzz import fuzz
from tests.support.json_fuzz import ODD, VALUES
from tests.support.missing import missing

LEVELS = 6
LIMITS = Limits(max_event_bytes=100_000, max_depth=LEVELS)
STREAM = Stream(Namespace.DESTINATION, "d")
COMMON = [
    b"{}",
    b'{"a":1}',
    b' \t\r\n{"a":1}'.lstrip(),
    b'{ "a" : [ ] , "b" : { } }\r\n',
    b'{"a":[1,-2,0,-0,1.5,0.25,1e5,1E+5,2.5e-10,12345678901234567890]}',
    b'{"a":[true,false,null,"",[],{},[[]],{"b":[]}]}',
    '{"ключ":"значение","é":"日本語 😀"}'.encode(),
    rb'{"a":"\" \\ \/ \b \f \n \r \t \u0041 \ud83d\ude00"}',
    b'{"a":1,"a":2}',
    b'{"a":[1e400,-1e999,1E+99999999999999999999,1e-400]}',
    b'{"a":%b,"b":0.%b}' % (b"1" * 4301, b"9" * 400),
    rb'{"a":"\ud83d","b":"\uDE00","c":"\ud83d\u0041","d":"\udc00\ud800","\ud800":1}',
    b'{"a":{"b":{"c":{"d":{"e":1}}}}}',
]
NEVER = [
    *(b'{"a":%b}' % value for value in (b"NaN", b"-Infinity", b"Infinity", b"01", b"-01", b"//", b"1.", b".5", b"-")),
    *(b'{"a":%b}' % value for value in (b"+1", b"1e", b"1e+", b"00", b"0x1", b"1.e5", b"1e5.0", b"1e400x")),
    *(b'{"a":"%b"}' % text for text in (b"\\", b"\\x41", b"\\u12", b"\\u12g4", b"\\ud83", b"\\ud83d\\u", b"\\ud83d\\")),
    *(b'{"a":"%b"}' % text for text in (b"\\u 123", b"\\u+123", b"\\ud83d\\udez0", b"\\U0041", b"\\'", b"\\\0")),
    *(b'{"a":"%b"}' % bytes(text) for text in ([0], [0x1F], [0x80], [0xC0, 0xAF], [0xC1, 0x80], [0xC3], [0xE0, 0x80])),
    *(b'{"a":"%b"}' % bytes(text) for text in ([0xED, 0xA0, 0x80], [0xE2, 0x82], [0xF0, 0x80, 0x80, 0x80])),
    *(b'{"a":"%b"}' % bytes(text) for text in ([0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xF0, 0x9F, 0x98])),
    *(b"", b" ", b"{", b'{"', b'{"a', b'{"a"', b'{"a":', b'{"a":1', b'{"a":1,', b'{"a":1,}', b"{,}"),
    *(b'{"a" 1}', b"{1:2}"),
    *(b'{"a":[1,]}', b'{"a":[,1]}', b'{"a":[1 2]}', b'{"a":[1}', b'{"a":tru}', b'{"a":nul', b'{"a":True}', b'{"a":1]'),
    *(b"[]", b"1", b'"a"', b"null", b"{}{}", b"{} x", b'{"a":1}\0', b"\xef\xbb\xbf{}"),
    b'{"a":{"b":{"c":{"d":{"e":{"f":{}}}}}}}',
]  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def compiled() -> None:
    if not scan.COMPILED:
        missing("the module in C was not built: a compiler and Python's headers are needed")


def is_strict(data: bytes, levels: int = LEVELS) -> bool:
    """Whether the strict parser accepts it as an object that is not too deep."""
    try:
        value = strict.decode(data)
        strict.check_depth(data, levels)
    except InvalidEvent:
        return False
    return isinstance(value, dict)


@pytest.mark.parametrize("data", COMMON)
def test_common_json_is_validated(data: bytes) -> None:
    assert is_strict(data)
    assert data[: scan.object_end(data, LEVELS)] == data.rstrip()
    elements = scan.validated_elements(b" [ %b , %b ] " % (data, data), LEVELS)
    assert elements is not None
    assert [*elements] == [data.rstrip()] * 2


def test_events_of_the_benchmark_are_validated() -> None:
    events = page_views(50, 1000)
    assert {scan.object_end(event, LEVELS) for event in events} == {1000}
    elements = scan.validated_elements(b"[" + b",".join(events) + b"]", LEVELS)
    assert elements is not None
    assert len(elements) == 50
    assert [*elements] == events


@pytest.mark.parametrize("data", NEVER)
def test_invalid_json_is_left_to_the_slower_readers(data: bytes) -> None:
    assert scan.object_end(data, LEVELS) == -1
    assert scan.object_spans(b"[%b]" % data, LEVELS) is None or not data.strip()
    assert scan.object_spans(b"[{},%b]" % data, LEVELS) is None


@pytest.mark.parametrize(
    "data", [b"[", b"[{}", b"[{},", b"[{},]", b"[,{}]", b"[{}]]", b"[{}] x", b"[{} {}]", b"", b"{}"]
)
def test_an_invalid_array_is_not_validated(data: bytes) -> None:
    assert scan.object_spans(data, LEVELS) is None


def test_an_empty_array_has_no_elements() -> None:
    elements = scan.validated_elements(b" [ ] ", LEVELS)
    assert elements is not None
    assert len(elements) == 0
    assert [*elements] == []


def test_levels_are_counted_exactly() -> None:
    for levels in range(5):
        nested = b'{"a":' * levels + b"1" + b"}" * levels
        for allowed in range(7):
            assert (scan.object_end(nested, allowed) >= 0) is (0 < levels <= allowed)
    deepest = b'{"a":' * 1024 + b"1" + b"}" * 1024
    assert scan.object_end(deepest, 10**6) == len(deepest)
    assert scan.object_end(b'{"a":' + deepest + b"}", 10**6) == -1
    assert scan.object_end(b"{}", -1) == -1


def test_an_unwanted_name_is_found_only_at_the_top_level_also_with_escapes() -> None:
    for data in (b'{"template":1}', b'{"a":1,"template":1}', rb'{"\u0074emplate":1}', rb'{"a\n":1}'):
        assert scan.object_end(data, LEVELS, b"template") == -1
        assert scan.object_end(data, LEVELS) == len(data)
    for data in (b'{"a":{"template":1}}', b'{"templates":1}', b'{"templat":"template"}', rb'{"a":{"b\n":1}}'):
        assert scan.object_end(data, LEVELS, b"template") == len(data)


def members(data: bytes, levels: int = LEVELS, largest: int = 1000) -> list[Any] | None:
    return scan.object_members(data, levels, largest, (b"o", b"p"), (b"t", b"u"))


def test_members_are_given_by_name_and_type() -> None:
    data = b' [ {"o":{"a":[1]},"t":"","u":"%b"} , {} , { "p" : { } , "o" : null , "t" : null } ] '
    assert members(data % "é😀".encode()) == [
        (b'{"a":[1]}', None, "", "é😀"),
        (None, None, None, None),
        (None, b"{ }", None, None),
    ]
    assert members(b"[]") == []
    assert members(b'[{"t":"a","t":"b"}]') == [(None, None, "b", None)]
    assert members(b'[{"o":{},"o":null}]') == [(None, None, None, None)]


@pytest.mark.parametrize(
    "element",
    [
        *(b'{"o":1}', b'{"o":"a"}', b'{"o":[]}', b'{"o":true}', b'{"t":1}', b'{"t":{}}', b'{"t":[1]}', b'{"t":false}'),
        *(rb'{"t":"\n"}', rb'{"\u006f":{}}', rb'{"a\"b":1}', rb'{"\"":1,"o":{}}', b'{"t":1,"t":"a"}'),
        *(b'{"x":1}', b'{"o":{},"x":{"o":1},"t":"a"}', b'{"o":{},"":null}', b'{"t":"%b"}' % (b"x" * 1000)),
    ],
)
def test_an_unusual_element_is_returned_whole(element: bytes) -> None:
    assert members(b"[%b]" % element) == [element]
    assert members(b'[{"t":"a"} , %b, {}]' % element) == [(None, None, "a", None), element, (None,) * 4]


@pytest.mark.parametrize("data", NEVER)
def test_members_of_invalid_json_are_left_to_the_strict_parser(data: bytes) -> None:
    assert members(b"[{},%b]" % data) is None
    assert members(b'[{"o":%b}]' % data) is None or data.strip() in {b"[]", b"1", b'"a"', b"null"}


def test_levels_of_members_are_those_of_elements() -> None:
    for data in COMMON:
        for levels in range(7):
            array = b"[%b]" % data
            assert (members(array, levels) is None) is (scan.object_spans(array, levels) is None)


def test_members_have_at_most_sixteen_names() -> None:
    names = tuple(b"%d" % number for number in range(17))
    assert scan.object_members(b'[{"15":"a"}]', 1, 99, names[:8], names[8:16]) == [(None,) * 15 + ("a",)]
    with pytest.raises(TypeError):
        scan.object_members(b"[]", 1, 9, names, ())
    with pytest.raises(TypeError):
        scan.object_members(b"[]", 1, 9, ("a",), ())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        scan.object_members(b"[]", 1, 9, ())  # type: ignore[call-arg]


def test_arguments_of_another_type_raise_type_errors() -> None:
    with pytest.raises(TypeError):
        scan.object_end("{}", 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        scan.object_end(b"{}", "1")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        scan.object_end(b"{}", 1, "a")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        scan.object_spans(bytearray(b"[]"), 1)  # type: ignore[arg-type]
    with pytest.raises(OverflowError):
        scan.object_spans(b"[]", 10**30)


def test_every_character_of_one_to_three_bytes_is_validated_as_by_python() -> None:
    def texts() -> Iterator[bytes]:
        for first in range(256):
            yield bytes([first])
            for second in range(256):
                yield bytes([first, second])
        for first in range(0xE0, 0xF5):
            for second in range(0x70, 0xD0):
                for third in (0x00, 0x7F, 0x80, 0xBF, 0xC0):
                    yield bytes([first, second, third])
                    yield bytes([first, second, third, 0x80])
                    yield bytes([first, second, third, 0xC0])

    for text in texts():
        data = b'{"a":"%b"}' % text
        assert (scan.object_end(data, LEVELS) >= 0) is is_strict(data), text


def test_a_text_may_end_at_any_place_of_a_word() -> None:
    for length in range(40):
        for last in (b"", b"\\n", "é".encode(), b"\xff", b"\x01", b"\x7f"):
            data = b'{"a":"%b%b","b":2}' % (b"x" * length, last)
            assert (scan.object_end(data, LEVELS) >= 0) is is_strict(data), data


def test_a_truncated_value_is_never_validated() -> None:
    for whole in COMMON:
        array = b"[%b,%b]" % (whole, whole)
        for length in range(len(whole.rstrip())):
            assert scan.object_end(whole[:length], LEVELS) == -1
        for length in range(len(array)):
            assert scan.object_spans(array[:length], LEVELS) is None


PIECES = st.sampled_from(
    [*ODD, b"{", b'"a":1', b'"template":{}', b"{}", b"[", b'"', b'"\\u0041"', b"1.5e3", b"null", b"\xc3"]
)
WHOLE = st.builds(
    lambda value, compact, plain: json.dumps(
        value, ensure_ascii=plain, separators=(",", ":") if compact else None
    ).encode(errors="surrogatepass"),
    VALUES,
    st.booleans(),
    st.booleans(),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """JSON with something inserted or removed."""
    data = draw(WHOLE)
    for _ in range(draw(st.integers(0, 3))):
        place, length = draw(st.integers(0, len(data))), draw(st.integers(0, 3))
        data = data[:place] + draw(PIECES | st.binary(max_size=3)) + data[place + length :]
    return data


@fuzz
@given(damaged())
def test_fuzz_validated_json_is_strict(data: bytes) -> None:
    end = scan.object_end(data, LEVELS)
    if end >= 0:
        assert is_strict(data)
        assert data[:end] == data.rstrip(b" \t\r\n")
    elements = scan.validated_elements(data, LEVELS)
    rows = members(data, largest=10**6)
    assert (rows is None) is (elements is None)
    if elements is not None and rows is not None:
        for element, row in zip(elements, rows, strict=True):
            value = json.loads(element)
            objects = [json.loads(part) if part else None for part in row[:2]] if row != element else []
            assert row == element or [*objects, *row[2:]] == [value.get(name) for name in "optu"]
        assert [*elements] == [*strict.split_array(data)[1]]
        assert all(is_strict(element) for element in elements)


@fuzz
@given(st.integers(0, 2**32))
def test_fuzz_mutated_events_that_are_validated_are_strict(seed: int) -> None:
    chance = random.Random(seed)
    event = bytearray(page_views(1, 800, seed)[0])
    for _ in range(chance.randrange(4)):
        event[chance.randrange(len(event))] = chance.choice(b'"\\{}[]:,0eE.-+ \xc3\xa9\xff\x00u1')
    data = bytes(event)
    if scan.object_end(data, LEVELS) >= 0:
        assert is_strict(data)


@fuzz
@given(damaged())
def test_fuzz_parsers_return_the_same_without_the_module_in_c(data: bytes) -> None:
    def outcomes() -> list[object]:
        results: list[object] = []
        for parse in (
            lambda: [*jitsu.parse_events(data, LIMITS)],
            lambda: msgspec.structs.replace(native.parse_json(data, STREAM, LIMITS), invalid=()),
            lambda: msgspec.structs.replace(native.parse_ndjson(data, STREAM, LIMITS), invalid=()),
        ):
            try:
                results.append(parse())
            except InvalidEvent as fault:
                results.append((type(fault), str(fault)))
        return results

    with_c = outcomes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "object_end", lambda *_: -1)
        patch.setattr(scan, "object_spans", lambda *_: None)
        patch.setattr(scan, "object_members", lambda *_: None)
        assert outcomes() == with_c
