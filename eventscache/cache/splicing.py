"""The entries of a page as JSON, in pieces: in C, stored events are written without becoming objects.

Where the module in C was not built (`COMPILED` is False) each becomes one, which takes several times as long.
"""

from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from eventscache.errors import InvalidEvent
from eventscache.event import Event
from eventscache.query.turns import EVENT_BYTES, PIECE_BYTES, Turns
from eventscache.storage.messages import Entry

__all__ = ["COMPILED", "Piece", "splice", "splice_objects", "spliced"]


class Piece(NamedTuple):
    """Some events as JSON, with commas or line breaks between them; how many; and how many entries were no events."""

    text: bytes
    events: int
    unreadable: int


def splice_objects(  # noqa: PLR0917 - as in C
    entries: list[Entry],
    start: int,
    most_bytes: int,
    each_bytes: int,
    one_line: bool,
    other: Callable[[Entry], bytes | None],
    /,
) -> tuple[bytes, int, int]:
    """Write entries from `start` on, until they have so many bytes; each counts some bytes besides its own.

    Return the text, the index of the next entry, and how many were written: `other` writes an event, and returns None
    if it is none. In C only unusual ones are left to it.
    """
    written: list[bytes] = []
    spent, place = 0, start
    while place < len(entries) and spent < most_bytes:
        entry = entries[place]
        if text := other(entry):
            written.append(text)
        spent += each_bytes + len(entry.event)
        place += 1
    return (b"\n" if one_line else b",").join(written), place, len(written)


try:
    from eventscache.cache._splice import splice

    COMPILED = True
    _PIECE_BYTES = 4 * PIECE_BYTES  # takes no longer, even if all are unusual
except ImportError:
    splice = splice_objects
    COMPILED = False
    _PIECE_BYTES = PIECE_BYTES


async def spliced(turns: Turns, entries: list[Entry], *, as_lines: bool) -> AsyncIterator[Piece]:
    """Yield the entries in their order; others have their turns between two pieces."""
    other = _to_line if as_lines else _to_object
    place = 0
    while place < len(entries):
        if place:
            await turns.next()
        text, end, count = splice(entries, place, _PIECE_BYTES, EVENT_BYTES, as_lines, other)
        yield Piece(text, count, end - place - count)
        place = end


def _to_object(entry: Entry) -> bytes | None:
    event = _event(entry)
    return event.to_json(entry.sequence) if event else None


def _to_line(entry: Entry) -> bytes | None:
    event = _event(entry)
    return event.to_json_line(entry.sequence) if event else None


def _event(entry: Entry) -> Event | None:
    try:
        return Event.unpack(entry.event)
    except InvalidEvent:
        return None
