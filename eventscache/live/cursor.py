"""Cursors: how far somebody has read in many streams, in one short text."""

import base64
import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple, Self

from eventscache.event import Event
from eventscache.stream import Stream

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PART = r"[A-Za-z0-9_-]{8}\.[0-9a-z]{1,11}(?:\.[A-Za-z0-9_-]{4})?"
_CURSOR = re.compile(rf"{_PART}(?:-{_PART})*")
_PARTS = re.compile(r"(.{8})\.([0-9a-z]+)(?:\.(.{4}))?(?:-|$)")
_NO_STREAM = "0"
_MOST_NAMES = 4096
_GONE = "gone"


class Position(NamedTuple):
    """How far a stream was read: the number of the last event, and a mark by which to know that event again.

    Numbers alone do not do: those of a storage that was lost begin anew, and soon pass the old ones. Without a mark
    nothing is known of the event.
    """

    number: int
    mark: str = ""

    @property
    def empty(self) -> bool:
        """Whether the stream was found empty after that event: it is gone, and so are all before it."""
        return self.mark == _GONE

    def emptied(self) -> "Position":
        """Return the same place in a stream that holds nothing any more."""
        return Position(self.number, _GONE if self.number else "")

    def holds(self, event: Event) -> bool:
        """Tell whether the event of that number can be the one that was read."""
        return self.mark in ("", mark(event))


START = Position(0)


class Cursor:
    """The place in each stream; one that is not named is new since."""

    def __init__(self, places: dict[str, Position] | None = None) -> None:
        self._places = places or {}

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the cursor that `written` made; raise `ValueError` if the text is none."""
        if text == _NO_STREAM:
            return cls()
        if not _CURSOR.fullmatch(text):
            raise ValueError("not a cursor")
        return cls({name: Position(int(number, 36), mark) for name, number, mark in _PARTS.findall(text)})

    def place(self, stream: Stream) -> Position:
        """Return how far a stream was read, its start if it was not."""
        return self._places.get(_name(stream), START)


def mark(event: Event) -> str:
    """Return four characters that another event of the same number hardly has: its id and its time make them."""
    told = f"{event.uid}\0{event.timestamp}".encode(errors="surrogatepass")
    return base64.urlsafe_b64encode(hashlib.blake2b(told, digest_size=3).digest()).decode()


def part(stream: Stream, place: Position) -> str:
    """Return what a cursor says of one stream."""
    digits = ""
    number = place.number
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return f"{_name(stream)}.{digits or '0'}{place.mark and '.'}{place.mark}"


def written(parts: Iterable[str]) -> str:
    """Return the text of a cursor, of letters, digits and `_ - .` only."""
    return "-".join(parts) or _NO_STREAM


@lru_cache(_MOST_NAMES)
def _name(stream: Stream) -> str:
    """Return eight characters for a stream: enough that nobody makes another stream of the same name."""
    digest = hashlib.sha256(f"{stream.namespace}:{stream.id}".encode()).digest()
    return base64.urlsafe_b64encode(digest[:6]).decode()
