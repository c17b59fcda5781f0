"""Any bytes are rejected with a reason, or accepted as valid JSON that comes back byte for byte."""

import json
from collections.abc import Sequence
from typing import Any, NoReturn

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eventscache.errors import InvalidEvent
from eventscache.event import Event
from eventscache.ingest import formats, malformed
from eventscache.ingest.jitsu import parse_events
from eventscache.ingest.json import go, strict
from eventscache.ingest.limits import Limits
from eventscache.ingest.native import parse_json, parse_msgpack, parse_ndjson
from eventscache.ingest.parsed import Parsed, Parser
from eventscache.stream import Namespace, Stream
from tests.support.fuzz import fuzz
from tests.support.go_json import GoFault, go_end, go_text
from tests.support.json_fuzz import NAMES, ODD, VALUES

LIMITS = Limits(max_event_bytes=500, max_malformed_bytes=50, max_batch=8, max_depth=6, max_body_bytes=2000)
STREAM = Stream(Namespace.DESTINATION, "d")
OBJECTS = st.dictionaries(NAMES | st.text(max_size=3), VALUES, max_size=4)
GOOD_RECORDS = st.fixed_dictionaries(
    {"original": OBJECTS},
    optional={
        "success": OBJECTS,
        "malformed": st.text(),
        "error": st.text(),
        "token_id": st.sampled_from(["", "a", "é"]),
    },
)
RECORDS = GOOD_RECORDS | st.fixed_dictionaries(
    {},
    optional={
        "original": OBJECTS | VALUES,
        "success": OBJECTS,
        "malformed": st.text() | VALUES,
        "error": st.text(),
        "skip": st.text(),
        "timestamp": st.sampled_from(["2020-11-30T21:48:12Z", "0001-01-01T00:00:00+23:59", "9", "x"]) | st.text(),
        "uid": st.text(),
        "destination_id": st.text(max_size=4),
        "token_id": st.text(max_size=4),
    },
)
TEMPLATES = st.fixed_dictionaries({"template": OBJECTS, "events": st.lists(OBJECTS, max_size=4)})


@st.composite
def texts(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> bytes:
    """JSON, valid or damaged."""
    indent = draw(st.sampled_from([None, 1]))
    body = bytearray(json.dumps(draw(values), ensure_ascii=draw(st.booleans()), indent=indent).encode())
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2, 3]))):
        place = draw(st.integers(0, len(body)))
        body[place : place + draw(st.integers(0, 2))] = draw(st.sampled_from(ODD) | st.binary(max_size=3))
    return bytes(body)


BODIES = texts(OBJECTS | TEMPLATES | st.lists(OBJECTS, max_size=9) | VALUES) | st.binary()
RECORD_BODIES = texts(RECORDS | st.lists(RECORDS, max_size=9) | VALUES) | st.binary()


def reject(name: str) -> NoReturn:
    raise ValueError(name)


def strictly(data: bytes) -> Any:
    """Return the value of JSON as the standard library reads it, without its extensions and its bound of digits."""
    return json.loads(data.decode(), parse_constant=reject, parse_int=number)


def number(text: str) -> int | float:
    return int(text) if len(text) < 4000 else float(text)


def check_reason(fault: InvalidEvent) -> None:
    """The reason of a rejection can be encoded."""
    assert str(fault).encode()


def check_object(data: bytes) -> None:
    value = strictly(data)
    assert isinstance(value, dict)
    assert depth(value) <= LIMITS.max_depth


def depth(value: Any) -> int:
    inner: Sequence[Any] = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max(map(depth, inner), default=0) + isinstance(value, dict | list)


@fuzz
@given(BODIES)
@example(b"[]")
@example(b'{"template":{"a":1},"events":[{"a":2}]} what follows')
@example(b'[{"a":"[[[[[[[[[["}]')
def test_events_are_rejected_or_as_go_reads_them_and_else_byte_for_byte(body: bytes) -> None:
    try:
        events = list(map(bytes, parse_events(body, LIMITS)))
    except InvalidEvent as fault:
        check_reason(fault)
        return
    for event in events:
        check_object(event)
    whole = go_text(body[: go_end(body)]).encode()
    if not (body.startswith(b"{") and "template" in strictly(whole)):
        place = 0
        for event in events:
            place = whole.index(event, place) + len(event)
        assert json.loads(whole) in ([*map(json.loads, events)], *map(json.loads, events))


@fuzz
@given(BODIES)
@example(b'{"a":[1,2.5e,3]}')
@example(b'{"a":"\\ud83d","b":1e400} \xff')
@example(b'["\xe2\x82",{"\xc0":tru}]')
def test_go_and_we_read_the_same_and_say_the_same(body: bytes) -> None:
    body = (b"[" if len(body) % 2 else b"{") + body.lstrip(b"[{")
    try:
        expected = go_text(body[: go_end(body)]).encode()
    except GoFault as fault:
        expected = str(fault).encode()
    try:
        found = go.read(body).data
    except InvalidEvent as fault:
        found = str(fault).encode()
    assert found == expected


@pytest.mark.parametrize("parse", formats.PARSERS)
@fuzz
@given(body=BODIES)
def test_every_format_rejects_a_body_or_returns_valid_objects(parse: Parser, body: bytes) -> None:
    try:
        parsed = parse(body, STREAM, LIMITS)
    except InvalidEvent as fault:
        check_reason(fault)
        return
    for original in [*parsed.originals, *(event.original for _, event in parsed.records if event.original)]:
        check_object(bytes(original))


@fuzz
@given(OBJECTS, st.lists(OBJECTS, max_size=4))
def test_a_templates_fields_win(template: dict[str, Any], originals: list[dict[str, Any]]) -> None:
    body = json.dumps({"template": template, "events": originals}).encode()
    try:
        events = parse_events(body, LIMITS)
    except InvalidEvent:
        return
    assert list(map(json.loads, events)) == [{**original, **template} for original in originals]


def check_records(parsed: Parsed, body: bytes = b"") -> None:
    for index, reason in parsed.errors:
        assert index >= 0
        assert reason
        reason.encode()
    for stream, event in parsed.records:
        for original in (event.original, event.success):
            if original:
                check_object(original)
                assert original in body or not body
        assert len(event.malformed.encode()) <= LIMITS.max_malformed_bytes
        assert stream == STREAM or stream.id in {event.destination_id, event.token_id}
        assert Event.unpack(event.pack()) == event
        strictly(event.to_json(1))


@fuzz
@given(RECORD_BODIES, st.sampled_from([None, STREAM]))
@pytest.mark.parametrize("parse", [parse_json, parse_ndjson])
def test_records_are_rejected_or_valid_and_byte_for_byte(parse: Parser, body: bytes, stream: Stream | None) -> None:
    try:
        parsed = parse(body, stream, LIMITS)
    except InvalidEvent as fault:
        check_reason(fault)
        return
    check_records(parsed, body)


PACKED = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=9)
    | st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=9))
    | st.just(msgpack.Timestamp(1, 2)),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.integers() | st.binary(max_size=2), inner, max_size=3)
    ),
    max_leaves=12,
)
JSON_INSIDE = st.fixed_dictionaries({"original": texts(OBJECTS) | PACKED})
PACKED_RECORDS = RECORDS | JSON_INSIDE | st.dictionaries(NAMES, PACKED | texts(OBJECTS), max_size=4)


def try_pack(value: Any) -> bytes:
    try:
        return bytes(msgpack.packb(value))
    except (OverflowError, ValueError):
        return b"\x80"


@fuzz
@given(
    (PACKED | PACKED_RECORDS | st.lists(PACKED_RECORDS, max_size=9)).map(try_pack) | st.binary(),
    st.binary(max_size=2),
    st.integers(0),
)
def test_packed_records_are_rejected_or_valid(body: bytes, noise: bytes, place: int) -> None:
    place %= len(body) + 1
    for packed in (body, body[:place] + noise + body[place + len(noise) :]):
        try:
            parsed = parse_msgpack(packed, STREAM, LIMITS)
        except InvalidEvent as fault:
            check_reason(fault)
        else:
            check_records(parsed)


@fuzz
@given(st.binary() | st.text().map(str.encode), st.integers(0, 20))
def test_malformed_input_is_cut_to_a_valid_prefix(data: bytes, most: int) -> None:
    text = malformed.cut(data, most)
    whole = data.decode(errors="backslashreplace")
    assert len(text.encode()) <= most
    assert whole.startswith(text)
    left = whole[len(text) :]
    assert not left or len(text.encode()) + len(left[0].encode()) > most


def naive_depth(data: bytes) -> int:
    """Count brackets byte by byte, without those in strings."""
    deepest = now = 0
    in_string = escaped = False
    for byte in data.decode():
        if in_string:
            in_string, escaped = escaped or byte != '"', byte == "\\" and not escaped
        elif byte == '"':
            in_string = True
        else:
            now += (byte in "[{") - (byte in "]}")
            deepest = max(deepest, now)
    return deepest


@fuzz
@given(VALUES | st.text().map(lambda text: {text: [text + '\\"[{']}), st.integers(0, 8), st.booleans())
@example("[" * 9, 1, False)  # no brackets but in a text
def test_the_depth_is_what_a_scanner_counts(value: Any, most: int, ascii_only: bool) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert naive_depth(data) == depth(value)
    try:
        strict.check_depth(data, most)
    except InvalidEvent:
        assert depth(value) > most
    else:
        assert depth(value) <= most


@fuzz
@given(BODIES)
def test_strict_json_is_what_the_standard_library_reads(data: bytes) -> None:
    try:
        value = strict.decode(data)
    except InvalidEvent:
        assert not readable(data)
    else:
        assert readable(data)
        assert isinstance(value, dict) is isinstance(strictly(data), dict)


def readable(data: bytes) -> bool:
    """Whether the standard library reads it."""
    try:
        strictly(data)
    except (ValueError, RecursionError):
        return False
    return True
