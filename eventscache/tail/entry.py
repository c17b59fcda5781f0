"""An entry of the cache, as it is shown to people: from the JSON that the server sends."""

from typing import Final, NamedTuple

import msgspec

from eventscache.event import Event
from eventscache.query.event_id import event_id
from eventscache.query.event_type import TypeOf
from eventscache.query.members import decoded
from eventscache.stream import Namespace
from eventscache.tail.summary import summary

_NOTHING: Final = msgspec.Raw()


class _Response(msgspec.Struct):
    status: int | None = None


class _Wire(msgspec.Struct):
    malformed: str = ""
    original: msgspec.Raw = _NOTHING
    success: msgspec.Raw = _NOTHING
    error: str = ""
    skip: str = ""
    timestamp: str = ""
    uid: str = ""
    destination_id: str = ""
    token_id: str = ""
    attempt: int | None = None
    response: _Response | None = None
    seq: int = 0


_wire: Final = msgspec.json.Decoder(_Wire).decode


class Entry(NamedTuple):
    """Texts as they were sent, with whatever characters; a text is empty where there is none.

    `status` is the page's: an event that was only received, or is not delivered yet, is no success.
    """

    timestamp: str
    status: str
    namespace: str
    stream: str
    event_type: str
    event_id: str
    summary: str
    error: str
    skip: str
    malformed: str
    uid: str
    seq: int
    attempt: int | None
    response_status: int | None

    @property
    def words(self) -> str:
        """The most telling of its texts."""
        return self.error or self.skip or self.summary or self.malformed


def read_entry(data: bytes, type_of: TypeOf) -> Entry | None:
    """Return the entry of a line of JSON; None if it is none."""
    wire = decoded(_wire, data)
    if wire is None:
        return None
    original = bytes(wire.original)
    event = Event(malformed=wire.malformed, original=original)
    return Entry(
        wire.timestamp,
        _status(wire),
        Namespace.DESTINATION if wire.destination_id else Namespace.TOKEN,
        wire.destination_id or wire.token_id,
        type_of(original),
        event_id(event),
        summary(original),
        wire.error,
        wire.skip,
        wire.malformed,
        wire.uid,
        wire.seq,
        wire.attempt,
        wire.response.status if wire.response else None,
    )


def _status(wire: _Wire) -> str:
    if wire.malformed:
        return "malformed"
    if wire.error:
        return "error"
    if wire.skip:
        return "skip"
    if bytes(wire.success):
        return "success"
    return "pending" if wire.destination_id else "received"
