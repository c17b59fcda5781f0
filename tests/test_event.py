"""The packed form of an event, over versions, and its JSON form."""

import json

import msgspec
import pytest

from eventscache.errors import InvalidEvent
from eventscache.event import Event, Response
from eventscache.stream import Namespace, Stream


class OlderEvent(msgspec.Struct, array_like=True):
    """An event of the version before `attempt` and `response`, which reads arrays of ten fields only."""

    malformed: str = ""
    original: bytes = b""
    success: bytes = b""
    error: str = ""
    skip: str = ""
    timestamp: str = ""
    uid: str = ""
    destination_id: str = ""
    token_id: str = ""
    masked: bool = False


PLAIN = ("{", b'{"a":1}', b'{"b":2}', "error", "skip", "2026-01-01T00:00:00Z", "uid", "d", "t", True)


def test_events_of_the_older_version_are_read() -> None:
    packed = msgspec.msgpack.encode(OlderEvent(*PLAIN))
    assert packed[0] == 0x9A
    assert Event.unpack(packed) == Event(*PLAIN)


def test_the_older_version_reads_events_without_the_newer_fields() -> None:
    token = Stream(Namespace.TOKEN, "t")
    for packed in (Event(*PLAIN).pack(), *Event.pack_originals(token, [(1, b"{}")], iter(["u"]))):
        assert packed[0] == 0x9A
        assert msgspec.msgpack.decode(packed, type=OlderEvent) is not None
    assert msgspec.msgpack.decode(Event(*PLAIN).pack(), type=OlderEvent) == OlderEvent(*PLAIN)


@pytest.mark.parametrize("attempt", [None, 0, 7])
@pytest.mark.parametrize("response", [None, Response(503), Response(body="é"), Response(200, "ok")])
def test_the_newer_fields_travel_at_the_end(attempt: int | None, response: Response | None) -> None:
    event = Event(*PLAIN, attempt=attempt, response=response)
    packed = event.pack()
    assert Event.unpack(packed) == event
    # The older version counts such an entry as unreadable, and goes on with the next one.
    assert (packed[0] == 0x9A) == (attempt is None and response is None)
    shown = json.loads(event.to_json(5))
    assert shown.get("attempt") == attempt
    wanted = None if response is None else {"status": response.status, "body": response.body or None}
    assert shown.get("response") == (wanted and {name: value for name, value in wanted.items() if value is not None})


def test_fields_that_a_newer_version_adds_are_ignored() -> None:
    packed = b"\x9e" + Event(*PLAIN, attempt=1).pack()[1:] + b"\x01\xa1x"
    assert Event.unpack(packed) == Event(*PLAIN, attempt=1)


@pytest.mark.parametrize("packed", [b"", b"\x99" + b"\xa0" * 9, b"\x9a", b"\x9c" + b"\xc0" * 12, b"\x80"])
def test_other_bytes_are_no_event(packed: bytes) -> None:
    with pytest.raises(InvalidEvent):
        Event.unpack(packed)
