"""Batches of Segment and Jitsu 2: the fast scan finds what the slower readers find, whatever a body is."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks.events import page_views
from eventscache.errors import InvalidEvent
from eventscache.ingest import formats, jitsu2
from eventscache.ingest.json import scan
from eventscache.ingest.json.scan import validated_batch
from eventscache.ingest.limits import Limits
from eventscache.ingest.parsed import Parser
from tests.support.fuzz import fuzz
from tests.support.json_fuzz import NAMES, ODD, VALUES
from tests.support.missing import missing

LIMITS = Limits(max_event_bytes=500, max_batch=6, max_depth=4, max_body_bytes=2000)
LONG = "x" * 128
TYPES = ("page", "identify", "track", "group", "alias", "screen", "", "p", "event", "e", "Track", "tracks", 5, None)
EVENT_NAMES: tuple[Any, ...] = (
    "x",
    LONG,
    LONG + "x",
    "é" * 64,
    "é" * 65,
    "\ud83d" * 21,
    "\n" * 64,
    "",
    '"',
    5,
    None,
    {},
    ["x"],
)


@pytest.fixture(autouse=True, scope="module")
def compiled() -> None:
    if not scan.COMPILED:
        missing("the module in C was not built: a compiler and Python's headers are needed")


def outcome(parser: Parser, body: bytes) -> Any:
    """Return all that a parser says of a body."""
    try:
        parsed = parser(body, None, LIMITS)
    except InvalidEvent as fault:
        return type(fault), str(fault)
    return [*map(bytes, parsed.originals)], [*parsed.faults], parsed.write_key


def check_same(body: bytes) -> None:
    """Check that both parsers say of a body what they say without the fast scan of batches, and without any."""

    def nothing(*_: object) -> None:
        return None

    for parser in (formats.SEGMENT, formats.JITSU2_BATCH):
        fast = outcome(parser, body)
        with patch.object(scan, "object_batch", nothing):
            assert outcome(parser, body) == fast
            with patch.multiple(scan, object_end=lambda *_: -1, object_spans=nothing):
                assert outcome(parser, body) == fast


EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(TYPES) | VALUES,
        "event": st.sampled_from(EVENT_NAMES) | VALUES,
        "messageId": st.just("m"),
        "writeKey": st.sampled_from(["k", "k:secrethalf", "k:***", 5, ["k:secrethalf"]]),
        "url": st.just("?k:secrethalf"),
    },
)
BATCHES = st.fixed_dictionaries(
    {"batch": st.lists(EVENTS, max_size=7) | st.lists(EVENTS | VALUES, max_size=3) | VALUES},
    optional={
        "eventsName": st.sampled_from([*EVENT_NAMES]),
        "writeKey": st.sampled_from(["k", "k:secrethalf", "", 5, None, "\ud83d"]),
        "context": st.dictionaries(NAMES, VALUES, max_size=2) | EVENTS,
        "sentAt": VALUES,
    },
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A batch, whose members are in any order, or damaged or repeated."""
    members = [*draw(BATCHES).items()]
    if draw(st.booleans()):
        members += draw(st.lists(st.sampled_from(members), max_size=2))
    members = draw(st.permutations(members))
    ascii_only = draw(st.booleans())
    pieces = (f"{json.dumps(name)}:{json.dumps(value, ensure_ascii=ascii_only)}" for name, value in members)
    body = bytearray(("{" + ",".join(pieces) + "}").encode(errors="surrogatepass"))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        place = draw(st.integers(0, len(body)))
        body[place : place + draw(st.integers(0, 2))] = draw(st.sampled_from([*ODD, b" ", b"\\u0074"]))
    return bytes(body)


@fuzz
@given(bodies())
@example(b'{"batch":[{"type":"page","type":"x"},{"type":"x","type":"page"},{"event":"x","type":"track","event":""}]}')
@example(rb'{"batch":[{"type":"page","\u0074ype":"x"},{"\u0074ype":"page"},{"type":"p\u0061ge"}]}')
@example(b'{"batch":[{"type":"page"}],"batch":[{"type":"x"}]}')
@example(rb'{"batch":[{"type":"page"}],"b\u0061tch":[{"type":"x"}]}')
@example(b'{"batch":[{"a":[[[1]]]},{"a":[[[[1]]]]}]}')
@example(b'{"batch":[],"a":[[[[1]]]]}')
@example(b'{"batch":[],"a":[[[[[1]]]]]}')
@example(b'{"batch":[{"a":1},]}')
@example(b'{"batch":[{"type":"page"}],}')
@example(b'{"batch":[{"type":"page"}]} what follows')
@example(b'{"writeKey":"k:secrethalf","a":{"api_key":"a:b"},"batch":[{"type":"page","writeKey":"k:secrethalf"}]}')
@example(b'{"batch":[{}],"eventsName":"x","eventsName":5}')
def test_what_the_fast_scan_finds_is_what_the_slower_readers_find(body: bytes) -> None:
    check_same(body)


def events_of_tables() -> Iterator[bytes]:
    """Yield objects whose type and name are all pairs of the tables, in both orders."""
    for kind in TYPES:
        for name in EVENT_NAMES:
            event = {"type": kind, "event": name}
            for one in (event, dict(reversed(event.items()))):
                yield from (
                    json.dumps(one, ensure_ascii=ascii_only).encode(errors="replace") for ascii_only in (True, False)
                )


def test_each_type_and_name_is_refused_as_the_slower_reader_refuses_it() -> None:
    for event in events_of_tables():
        batch = validated_batch(b'{"batch":[{"type":"page"},%b]}' % event, 4, b"batch", checked=True)
        assert batch
        assert [*batch.unclear] in ([], [1])
        if not batch.unclear:
            assert jitsu2.fault_of(event, jitsu2.ANY_TYPE) == ""
        elif not jitsu2.fault_of(event, jitsu2.ANY_TYPE):
            assert b"\\" in event  # as written it is longer than as it is meant


def test_usual_events_need_no_closer_look() -> None:
    events = [b'{"type":"track","event":"Order",' + event[1:] for event in page_views(50, 1000)]
    body = b'{"sentAt":"x", "batch" : [%b] ,"writeKey":"k:secret","eventsName":null}\n' % b" , ".join(events)
    batch = validated_batch(body, 10, b"batch", (b"writeKey", b"eventsName"), checked=True)
    assert batch
    assert batch.events is not None
    assert [*batch.events] == events
    assert batch.events.text == b" , ".join(events)
    assert (batch.texts, [*batch.unclear], batch.size_bytes) == (("k:secret", None), [], len(batch.events.text) + 2)


def test_an_object_without_a_batch_has_no_events() -> None:
    assert validated_batch(b"{}", 1, b"batch") == (None, -1, (), ())
    empty = validated_batch(b'{"batch":[ ]}', 1, b"batch")
    assert empty
    assert empty.events is not None
    assert ([*empty.events], empty.events.text) == ([], b"")


@pytest.mark.parametrize(
    "call",
    [
        lambda: scan.object_batch(b"{}", 3, b"batch", ()),  # type: ignore[call-arg]
        lambda: scan.object_batch(b"{}", 3, "batch", (), True),  # type: ignore[arg-type]
        lambda: scan.object_batch(b"{}", 3, b"batch", ("a",), True),  # type: ignore[arg-type]
        lambda: scan.object_batch(b"{}", 3, b"batch", (), 1),  # type: ignore[arg-type]
        lambda: scan.object_batch("{}", 3, b"batch", (), True),  # type: ignore[arg-type]
    ],
)
def test_arguments_of_another_type_raise_type_errors(call: Callable[[], object]) -> None:
    with pytest.raises(TypeError):
        call()


def test_levels_are_those_of_each_event() -> None:
    for levels in range(4):
        for depth in range(1, 6):
            body = b'{"batch":[%b]}' % (b'{"a":' * depth + b"1" + b"}" * depth)
            assert (validated_batch(body, levels, b"batch") is not None) is (depth <= levels)
            assert (validated_batch(body, levels, b"batch", checked=True) is not None) is (depth <= levels)
    assert validated_batch(b'{"a":' * 1100 + b"1" + b"}" * 1100, 10**6, b"batch") is None
    assert validated_batch(b'{"batch":[{}]}', -5, b"batch") is None
