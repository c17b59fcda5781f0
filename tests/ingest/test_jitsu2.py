"""Jitsu 2's bodies: events byte for byte but for the secret of a write key, and what Jitsu 2 refuses."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eventscache.errors import InvalidEvent
from eventscache.ingest.jitsu2 import fault_of, message_id_of, parse_batch, parse_event
from eventscache.ingest.jitsu2_pixel import pixel_event
from eventscache.ingest.limits import Limits
from tests.support.fuzz import fuzz
from tests.support.json_fuzz import NAMES, VALUES

LIMITS = Limits(max_event_bytes=500, max_batch=8, max_depth=6, max_body_bytes=2000)
HALF = b"\\ud83d"


def test_the_events_of_a_batch_are_its_own_bytes() -> None:
    body = b' {"sentAt":"x", "batch": [ {"n": 1.10},\n{"n":2 , "n":3}] ,"writeKey":"k"} what follows'
    parsed = parse_batch(body, None, LIMITS)
    assert [*parsed.originals] == [b'{"n": 1.10}', b'{"n":2 , "n":3}']
    assert parsed.write_key == "k"
    assert parse_batch(b'{"batch":null}', None, LIMITS).originals == ()
    assert "k" not in repr(parsed)


def test_the_last_of_repeated_members_counts_whatever_else_is_odd() -> None:
    for odd in (b"1", b'"%b"' % HALF, b"1e400"):
        body = b'{"batch":[{"a":1}],"x":%b,"batch":[{"a":%b}],"writeKey":"a","writeKey":"b"}' % (odd, odd)
        parsed = parse_batch(body, None, LIMITS)
        assert ([*parsed.originals], parsed.write_key) == ([b'{"a":%b}' % odd], "b")


@pytest.mark.parametrize(
    ("kind", "event", "fault"),
    [
        ("page", {}, ""),
        ("p", {}, ""),
        ("event", {"type": "screen"}, ""),
        ("e", {"type": "a"}, "Unknown event type: a"),
        ("event", {}, "type property of event is required"),
        ("event", {"type": 5}, "type property of event is required"),
        ("pages", {"type": "page"}, "Unknown event type: pages"),
        ("x" * 500, {}, "Unknown event type: " + "x" * 128),
        ("track", {"event": "x"}, ""),
        ("t", {"event": "x" * 128}, ""),
        ("track", {"type": "page"}, "'event' property is required for 'track' event"),
        ("track", {"event": ""}, "'event' property is required for 'track' event"),
        (
            "track",
            {"event": "\u00e9" * 65},
            f"Invalid track event name '{chr(233) * 65}'. Max length is 128 characters.",
        ),
    ],
)
def test_an_event_is_refused_in_jitsus_words(kind: str, event: dict[str, Any], fault: str) -> None:
    assert fault_of(json.dumps(event).encode(), kind) == fault


def test_a_batch_may_name_all_its_events() -> None:
    body = b'{"batch":[{},{"type":"zz"},{"event":"y"}],"eventsName":"x"}'
    assert parse_batch(body, None, LIMITS).faults == []
    unnamed = parse_batch(body.replace(b"eventsName", b"eventName"), None, LIMITS).faults
    assert [index for index, _ in unnamed] == [0, 1, 2]


def test_the_message_id_is_cut() -> None:
    assert message_id_of(b'{"messageId":"%b"}' % (b"x" * 100)) == "x" * 64
    assert message_id_of(b'{"messageId":5}') == ""


def test_the_secret_is_hidden_in_events_and_found_as_the_key() -> None:
    event = b'{"type":"page","writeKey":"id:secret","n": 1.10}'
    kept = b'{"type":"page","writeKey":"id:***","n": 1.10}'
    one = parse_event(event, None, LIMITS)
    assert ([*one.originals], one.write_key) == ([kept], "id:secret")
    batch = parse_batch(b'{"batch":[%b,{"a":1}],"writeKey":"id:secret"}' % event, None, LIMITS)
    assert ([*batch.originals], batch.write_key) == ([kept, b'{"a":1}'], "id:secret")


def check_reason(fault: InvalidEvent) -> None:
    """The reason of a rejection can be encoded."""
    assert str(fault).encode()


EVENTS = st.dictionaries(NAMES | st.sampled_from(["type", "event", "messageId", "writeKey"]), VALUES, max_size=4)


@fuzz
@given(st.lists(EVENTS | VALUES, max_size=9), VALUES, VALUES, st.booleans())
@example([{"type": "page"}, {}], None, None, True)
def test_a_batch_is_rejected_or_each_event_is_known(batch: list[Any], name: Any, key: Any, ascii_only: bool) -> None:
    body = json.dumps({"batch": batch, "eventsName": name, "writeKey": key}, ensure_ascii=ascii_only)
    try:
        parsed = parse_batch(body.encode(errors="surrogatepass"), None, LIMITS)
    except InvalidEvent as rejection:
        check_reason(rejection)
        return
    assert len(parsed.originals) == len(batch)
    for index, fault in parsed.faults:
        assert fault.encode()
        assert 0 <= index < len(batch)
    parsed.write_key.encode()


PATHS = st.lists(st.sampled_from(["a", "b", "", "user", "data", "writekey", "\udcff"]), min_size=1, max_size=8)


@fuzz
@given(st.lists(st.tuples(PATHS.map(".".join), st.text(max_size=3) | st.sampled_from(["eyJhIjp7ImIiOjF9fQ=="]))))
@example([("data", "eyJhIjp7ImIiOjF9fQ=="), ("a.b.c", "x"), ("a", "y"), ("a.d", "z")])
def test_a_pixel_is_rejected_or_an_event(pairs: list[tuple[str, str]]) -> None:
    try:
        event = pixel_event(pairs, LIMITS)
    except InvalidEvent as rejection:
        check_reason(rejection)
    else:
        assert isinstance(json.loads(event), dict)


def test_the_parameters_of_a_pixel_are_put_into_its_data() -> None:
    data = ("data", "eyJuIjoxLjEwLCAidXNlciI6eyJpZCI6MSwieCI6Mn19")  # {"n":1.10, "user":{"id":1,"x":2}}
    assert pixel_event([data, ("writekey", "id:secret")], LIMITS) == b'{"n":1.10, "user":{"id":1,"x":2}}'
    pairs = [data, ("user.id", "7"), ("tags", "a"), ("tags", "b"), ("n.m", "\u00e9"), ("destination_url", "x")]
    expected = b'{"n":{"m":"\xc3\xa9"},"user":{"id":"7","x":2},"tags":["a", "b"]}'
    assert pixel_event(pairs, LIMITS) == expected
    assert pixel_event([("writeKey", "id:secret")], LIMITS) == b'{"writeKey":"id:***"}'
    assert pixel_event([], LIMITS) == b"{}"


@pytest.mark.parametrize(
    ("pairs", "fault"),
    [
        ([("data", "x")], "not base64"),
        ([("data", "e30")], "not base64"),
        ([("data", "W10=")], "not a JSON object"),
        ([("a." * 10, "x")], "nested deeper"),
        ([("a", "x" * 600)], "exceeds limit"),
    ],
)
def test_a_pixel_without_an_event_is_told_why(pairs: list[tuple[str, str]], fault: str) -> None:
    with pytest.raises(InvalidEvent, match=fault):
        pixel_event(pairs, LIMITS)
