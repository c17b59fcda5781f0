"""Forms whose lines end without a carriage return: Go reads them, and Jitsu's own load test sends one."""

import enum
from typing import Final

from eventscache.errors import InvalidEvent

_MAX_LINE_BYTES: Final = 16_384  # of a part's head
_AFTER_BOUNDARY: Final = b"\n\r \t-"


class _Place(enum.Enum):
    START = enum.auto()
    BOUNDARY = enum.auto()  # after one, on its line
    HEAD = enum.auto()
    CONTENT = enum.auto()
    ELSEWHERE = enum.auto()  # in a form that is as it should be, or after the last boundary


class LineEnds:
    """Gives the lines of a form that are no content their carriage returns, if the first one has none, as in Go.

    What is content stays byte for byte, and so does a form whose first line has a carriage return. A form may arrive in
    pieces of any size; at most a line is held back.
    """

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\n--" + boundary
        self._place = _Place.START
        self._data = b""
        self._at = 0  # how far the data was read

    def feed(self, data: bytes) -> bytes:
        """Take the next piece of the form, and return what can be read now. Raises `InvalidEvent` for a long line."""
        if self._place is _Place.ELSEWHERE:
            return data
        self._data, self._at = self._data[self._at :] + data, 0
        pieces = []
        while (piece := self._next()) is not None:
            pieces.append(piece)
        return b"".join(pieces)

    def _next(self) -> bytes | None:
        """Return what the next step reads; None if that needs more of the form."""
        if self._place is _Place.START:
            return self._first_line()
        if self._place is _Place.CONTENT:
            return self._content()
        if self._place is _Place.BOUNDARY:
            return self._end_of_boundary()
        return self._line_of_head() if self._place is _Place.HEAD else None

    def _first_line(self) -> bytes | None:
        line = self._delimiter[1:] + b"\n"
        if len(self._data) < len(line) and line.startswith(self._data):
            return None
        if not self._data.startswith(line):
            return self._leave(b"")
        self._at = len(line)
        self._place = _Place.HEAD
        return line[:-1] + b"\r\n"

    def _end_of_boundary(self) -> bytes | None:
        if self._data.startswith(b"--", self._at):
            self._at += 2
            return self._leave(b"--\r\n")
        line = self._line()
        if line is not None:
            self._place = _Place.HEAD
            line = line.strip() + b"\r\n"
        return line

    def _line_of_head(self) -> bytes | None:
        line = self._line()
        if line is None:
            return None
        if not line:
            self._place = _Place.CONTENT
        return line + b"\r\n"

    def _line(self) -> bytes | None:
        end = self._data.find(b"\n", self._at)
        if (end if end >= 0 else len(self._data)) - self._at > _MAX_LINE_BYTES:
            raise InvalidEvent("multipart: NextPart: message too large")
        if end < 0:
            return None
        line, self._at = self._data[self._at : end].removesuffix(b"\r"), end + 1
        return line

    def _content(self) -> bytes | None:
        found = self._at
        while (found := self._data.find(self._delimiter, found)) >= 0:
            end = found + len(self._delimiter)
            if end == len(self._data):
                break
            if self._data[end] in _AFTER_BOUNDARY:
                content, self._at = self._data[self._at : found], end
                self._place = _Place.BOUNDARY
                return content + b"\r" + self._delimiter
            found += 1
        # The last bytes may be the beginning of a boundary.
        until = found if found >= 0 else len(self._data) - len(self._delimiter)
        if until <= self._at:
            return None
        content, self._at = self._data[self._at : until], until
        return content

    def _leave(self, last: bytes) -> bytes:
        """Return what comes before the rest, and the rest, which stays as it is."""
        rest, self._data = self._data[self._at :], b""
        self._at = 0
        self._place = _Place.ELSEWHERE
        return last + rest
