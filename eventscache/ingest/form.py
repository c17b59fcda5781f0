"""Forms of `multipart/form-data` that arrive in pieces: the content of one file in them."""

import logging
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from eventscache.errors import InvalidEvent

MAX_PARTS: Final = 1_000
"""How many parts a form may have: as in Go."""

# It logs each fault of each client; what is wrong is in the answer.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


class FormFile:
    """Finds the first file of a name in a form. Raises `InvalidEvent` with Go's words for what is wrong."""

    def __init__(self, content_type: str, name: str) -> None:
        kind, options = parse_options_header(content_type.encode(errors="surrogateescape"))
        if kind != b"multipart/form-data":
            raise InvalidEvent("request Content-Type isn't multipart/form-data")
        boundary = options.get(b"boundary")
        if not boundary:
            raise InvalidEvent("no multipart boundary param in Content-Type")
        self._name = name.encode()
        self._parts = 0
        self._headers: dict[bytes, bytes] = {}
        self._header, self._value = b"", b""
        self._found = self._inside = self._in_content = self._ended = False
        self._pieces: list[bytes] = []
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_part_end": self._end_part,
                    "on_part_data": self._take_content,
                    "on_header_begin": self._begin_header,
                    "on_header_field": self._take_header,
                    "on_header_value": self._take_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._begin_content,
                    "on_end": self._end,
                },
            )
        except FormParserError:
            raise InvalidEvent("multipart: the boundary is too long") from None

    def feed(self, data: bytes) -> bytes:
        """Take the next piece of the form, and return what it has of the file."""
        try:
            self._parser.write(data)
        except FormParserError:
            what = "the form is not valid" if self._parts else "EOF"
            raise InvalidEvent(f"multipart: NextPart: {what}") from None
        content, self._pieces = b"".join(self._pieces), []
        return content

    def end(self) -> None:
        """Raise `InvalidEvent` if the form has not ended, or there is no such file."""
        if not self._ended:
            raise InvalidEvent("unexpected EOF" if self._in_content else "multipart: NextPart: EOF")
        if not self._found:
            raise InvalidEvent("http: no such file")

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise InvalidEvent("multipart: message too large")
        self._headers.clear()

    def _begin_header(self) -> None:
        self._header = self._value = b""

    def _take_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _take_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._header.lower()] = self._value

    def _begin_content(self) -> None:
        self._in_content = True
        kind, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        is_file = kind == b"form-data" and options.get(b"name") == self._name and bool(options.get(b"filename"))
        self._inside = is_file and not self._found
        self._found = self._found or is_file

    def _take_content(self, data: bytes, start: int, end: int) -> None:
        if self._inside:
            self._pieces.append(data[start:end])

    def _end_part(self) -> None:
        self._inside = self._in_content = False

    def _end(self) -> None:
        self._ended = True
