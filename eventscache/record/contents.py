"""What an entry holds, in any of the forms in which events come: they are read when somebody asks."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from eventscache.errors import InvalidEvent
from eventscache.event import Event

_pack_many = msgspec.msgpack.Encoder().encode
_unpack_many = msgspec.msgpack.Decoder(list[Event]).decode


class PackedEvents(msgspec.Struct, frozen=True, gc=False):
    """Events with all their fields, packed together."""

    data: bytes


class RejectedRecords(msgspec.Struct, frozen=True, gc=False):
    """Bytes that were to be records and are none."""

    records: Sequence[bytes]


def pack_events(events: Sequence[Event]) -> PackedEvents | None:
    """Return events packed; None if a text in them is not valid Unicode: no storage would take such an event."""
    try:
        return PackedEvents(_pack_many(events))
    except UnicodeEncodeError:
        return None


def events_in(held: Any, needle: bytes) -> Iterator[tuple[int, Event | None]]:
    """Yield each of the events that are held: its size in bytes, and the event, or None if it has no `needle` in it.

    A rejected record is an event that is malformed.
    """
    if isinstance(held, bytes):
        yield len(held), Event(original=held) if needle in held else None
    elif isinstance(held, PackedEvents):
        yield from _packed(held.data, needle)
    elif isinstance(held, RejectedRecords):
        for record in held.records:
            yield len(record), Event(malformed=record.decode(errors="replace")) if needle in record else None
    else:
        yield from _many(held, needle)


def _packed(data: bytes, needle: bytes) -> Iterator[tuple[int, Event | None]]:
    if needle not in data:
        yield len(data), None
        return
    for event in _unpack_many(data):
        yield event.size_bytes, event


def _many(held: Iterable[Any], needle: bytes) -> Iterator[tuple[int, Event | None]]:
    """Yield originals, originals with the times of their arrival, or what offers hold."""
    for one in held:
        if isinstance(one, bytes):
            yield len(one), Event(original=one) if needle in one else None
        elif isinstance(one, tuple):
            yield len(one[1]), Event(original=one[1]) if needle in one[1] else None
        else:
            yield len(one.event), _unpacked(one.event) if needle in one.event else None


def _unpacked(packed: bytes) -> Event | None:
    try:
        return Event.unpack(packed)
    except InvalidEvent:
        return None
