"""Cursors: how far a subscriber has read many streams, in one short text."""

import base64
import hashlib
import re
from collections.abc import Container, Iterable
from functools import lru_cache
from typing import NamedTuple, Self

from eventscache.event import Event
from eventscache.stream import Stream

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PART = r"[A-Za-z0-9_-]{8}\.[0-9a-z]{1,11}(?:\.[A-Za-z0-9_-]{4})?"
_CURSOR = re.compile(rf"{_PART}(?:-{_PART})*")
_PARTS = re.compile(r"(.{8})\.([0-9a-z]+)(?:\.(.{4}))?(?:-|$)")
_NO_STREAM = "0"
_MAX_CACHED_NAMES = 4096
_MAX_POSITIONS = 200  # of streams that are followed, or were: a cursor travels in a header
_GONE = "gone"


class Position(NamedTuple):
    """How far a stream was read: the number of the last event, and the fingerprint that identifies that event.

    The number alone does not identify it: a storage that lost its data numbers from 1 again and soon passes the old
    numbers. Without a fingerprint, nothing is known of the event.
    """

    number: int
    fingerprint: str = ""

    @property
    def empty(self) -> bool:
        """Whether the stream was found empty after that event: it is gone, and so are all before it."""
        return self.fingerprint == _GONE

    def emptied(self) -> "Position":
        """Return the same position in a stream that holds no events any more."""
        return Position(self.number, _GONE if self.number else "")

    def matches(self, event: Event) -> bool:
        """Tell whether the event of that number can be the one that was read."""
        return self.fingerprint in ("", fingerprint(event))


START = Position(0)


class Cursor:
    """The position in each stream. A stream that it does not name has not been read: all its events are new."""

    def __init__(self, positions: dict[str, Position] | None = None) -> None:
        self._positions = positions or {}

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the cursor that `encode` made; raise `ValueError` if the text is none."""
        if text == _NO_STREAM:
            return cls()
        if not _CURSOR.fullmatch(text):
            raise ValueError("not a cursor")
        return cls({name: Position(int(number, 36), digest) for name, number, digest in _PARTS.findall(text)})

    def position(self, stream: Stream) -> Position:
        """Return how far a stream was read, or its start."""
        return self._positions.get(_name(stream), START)


class SentPositions:
    """The positions up to which one subscriber was sent its streams, and the cursor for them."""

    def __init__(self) -> None:
        self._positions: dict[Stream, Position] = {}
        self._parts: dict[Stream, str] = {}  # of the cursor

    @property
    def cursor(self) -> str:
        """The cursor by which a subscriber can resume here."""
        return encode(self._parts.values())

    def get(self, stream: Stream) -> Position | None:
        """Return the position in a stream, or None if none is known."""
        return self._positions.get(stream)

    def move(self, stream: Stream, position: Position) -> None:
        """Set the position in a stream."""
        self._positions[stream] = position
        self._parts[stream] = encode_part(stream, position)

    def prune(self, keep: Container[Stream]) -> None:
        """Forget the oldest positions above 200, but none of the streams in `keep`."""
        others = [stream for stream in self._positions if stream not in keep]
        for stream in others[: max(0, len(self._positions) - _MAX_POSITIONS)]:
            del self._positions[stream], self._parts[stream]


def fingerprint(event: Event) -> str:
    """Return four characters made of the event's id and time: another event of the same number hardly has them."""
    identity = f"{event.uid}\0{event.timestamp}".encode(errors="surrogatepass")
    return base64.urlsafe_b64encode(hashlib.blake2b(identity, digest_size=3).digest()).decode()


def encode_part(stream: Stream, position: Position) -> str:
    """Return the part of a cursor for one stream."""
    digits = ""
    number = position.number
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return f"{_name(stream)}.{digits or '0'}{position.fingerprint and '.'}{position.fingerprint}"


def encode(parts: Iterable[str]) -> str:
    """Return the text of a cursor, of letters, digits and `_ - .` only."""
    return "-".join(parts) or _NO_STREAM


@lru_cache(_MAX_CACHED_NAMES)
def _name(stream: Stream) -> str:
    """Return eight characters that name a stream: long enough that no other stream has the same."""
    digest = hashlib.sha256(f"{stream.namespace}:{stream.id}".encode()).digest()
    return base64.urlsafe_b64encode(digest[:6]).decode()
