"""Cursors: how far somebody has read in many streams, in one short text."""

import base64
import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Self

from eventscache.stream import Stream

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PART = r"[A-Za-z0-9_-]{8}\.[0-9a-z]{1,11}"
_CURSOR = re.compile(rf"{_PART}(?:-{_PART})*")
_PARTS = re.compile(r"(.{8})\.([0-9a-z]+)(?:-|$)")
_NO_STREAM = "0"
_MOST_NAMES = 4096


class Cursor:
    """The last sequence number read of each stream; one that is not named is new since."""

    def __init__(self, numbers: dict[str, int] | None = None) -> None:
        self._numbers = numbers or {}

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the cursor that `written` made; raise `ValueError` if the text is none."""
        if text == _NO_STREAM:
            return cls()
        if not _CURSOR.fullmatch(text):
            raise ValueError("not a cursor")
        return cls({name: int(number, 36) for name, number in _PARTS.findall(text)})

    def position(self, stream: Stream) -> int:
        """Return the last number that was read of a stream, 0 if none was."""
        return self._numbers.get(_name(stream), 0)


def part(stream: Stream, position: int) -> str:
    """Return what a cursor says of one stream."""
    digits = ""
    while position:
        position, digit = divmod(position, 36)
        digits = _DIGITS[digit] + digits
    return f"{_name(stream)}.{digits or '0'}"


def written(parts: Iterable[str]) -> str:
    """Return the text of a cursor, of letters, digits and `_ - .` only."""
    return "-".join(parts) or _NO_STREAM


@lru_cache(_MOST_NAMES)
def _name(stream: Stream) -> str:
    """Return eight characters for a stream: enough that nobody makes another stream of the same name."""
    digest = hashlib.sha256(f"{stream.namespace}:{stream.id}".encode()).digest()
    return base64.urlsafe_b64encode(digest[:6]).decode()
