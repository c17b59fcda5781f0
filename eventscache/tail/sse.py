"""Server-sent events, parsed from the pieces in which they arrive."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")  # a carriage return at the end may be half of an end
_LONGEST_BYTES: Final = 256 * 1024 * 1024  # of a message: a server that sends more is none of ours


class Message(NamedTuple):
    """A message: the bytes of its data as they were sent. `id` is None if it has none."""

    event: str
    data: bytes
    id: str | None


class SseParser:
    """Parses one connection. Comments and fields that it does not know are left out, as the standard says."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._searched = 0  # how many bytes of the rest hold no end of a line
        self._begin()

    def _begin(self) -> None:
        self._event = "message"
        self._id: str | None = None
        self._data: list[bytes] = []
        self._size_bytes = 0

    def feed(self, piece: bytes) -> list[Message]:
        """Return the messages that a piece completes. Raises `ValueError` for a message of more than 256 MiB."""
        self._rest += piece
        messages = [message for line in self._lines() if (message := self._take(line))]
        if len(self._rest) + self._size_bytes > _LONGEST_BYTES:
            raise ValueError("a message is too long")
        return messages

    def _lines(self) -> Iterator[bytes]:
        start, rest = 0, bytes(self._rest) if self._has_end() else b""
        for end in _LINE_END.finditer(rest, self._searched):
            yield rest[start : end.start()]
            start = end.end()
        del self._rest[:start]
        self._searched = max(0, len(self._rest) - 1)

    def _has_end(self) -> bool:
        return _LINE_END.search(self._rest, self._searched) is not None

    def _take(self, line: bytes) -> Message | None:
        """Take a line, and return the message that it ends."""
        if not line:
            message = Message(self._event, b"\n".join(self._data), self._id) if self._data else None
            self._begin()
            return message
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._size_bytes += len(value)
        elif name == b"event":
            self._event = value.decode(errors="replace")
        elif name == b"id" and _may_be_sent_back(value):
            self._id = value.decode()
        return None


def _may_be_sent_back(value: bytes) -> bool:
    """Tell whether an id can be the value of a header."""
    return value.isascii() and value.decode().isprintable()
