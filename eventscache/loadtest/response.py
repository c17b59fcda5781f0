"""HTTP/1.1 responses, parsed from the pieces in which they arrive."""

from typing import NamedTuple

_MAX_HEAD_BYTES = 65_536
_NO_BODY = {204, 304}
_TOO_MANY_FAILED_LOGINS = b'"code":"too_many_failed_logins"'


class Response(NamedTuple):
    """A complete response; `keeps_alive` is true if its connection takes another request."""

    status: int
    body: bytes
    keeps_alive: bool

    @property
    def too_many_failures(self) -> bool:
        """Whether it is the 429 of a client with too many failed logins, and not that of a full queue."""
        return self.status == 429 and _TOO_MANY_FAILED_LOGINS in self.body  # noqa: PLR2004


class ResponseReader:
    """Parses one response after the other."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._status = 0  # of the response whose head has been read
        self._keeps_alive = True
        self._length: int | None = None
        self._chunked = False

    def feed(self, data: bytes) -> Response | None:
        """Take bytes, and return the response that they complete. Raises `ValueError` if they are not HTTP/1.1."""
        self._received += data
        while not self._status:
            if not self._read_head():
                return None
        body = self._read_chunks() if self._chunked else self._read_plain()
        return None if body is None else self._complete(body)

    def end(self) -> Response | None:
        """Take the end of the connection, and return the response that it completes."""
        if self._status and self._length is None and not self._chunked:
            return self._complete(bytes(self._received))
        return None

    def _complete(self, body: bytes) -> Response:
        # A server that sends more than the response does not speak HTTP as it must: the connection is not used again.
        response = Response(self._status, body, self._keeps_alive and not self._received)
        self._status = 0
        return response

    def _read_head(self) -> bool:
        received = self._received
        end = received.find(b"\r\n\r\n")
        if end > _MAX_HEAD_BYTES or (end < 0 and len(received) > _MAX_HEAD_BYTES):
            raise ValueError("the head of the response does not end")
        if end < 0:
            if not b"HTTP/1.".startswith(bytes(received[:7])):
                raise ValueError("not HTTP/1.1")
            return False
        head = bytes(received[: end + 2]).lower()
        del received[: end + 4]
        if not head.startswith((b"http/1.1 ", b"http/1.0 ")) or not head[9:12].isdigit():
            raise ValueError("not HTTP/1.1")
        status = int(head[9:12])
        if status >= 200:  # a 1xx is followed by the response  # noqa: PLR2004
            self._status = status
            self._chunked = b"chunked" in _header(head, b"transfer-encoding")
            length = _header(head, b"content-length")
            self._length = 0 if status in _NO_BODY else int(length) if length and not self._chunked else None
            connection = _header(head, b"connection")
            self._keeps_alive = b"close" not in connection if head[7:8] == b"1" else b"keep-alive" in connection
        return True

    def _read_plain(self) -> bytes | None:
        received, length = self._received, self._length
        if length is None:
            self._keeps_alive = False
            return None
        if len(received) < length:
            return None
        body = bytes(received[:length])
        del received[:length]
        return body

    def _read_chunks(self) -> bytes | None:
        received, pieces, start = self._received, [], 0
        while True:
            line_end = received.find(b"\r\n", start)
            if line_end < 0:
                return None
            size = int(bytes(received[start:line_end]).partition(b";")[0], 16)
            start = line_end + 2
            if size == 0:
                break
            if len(received) < start + size + 2:
                return None
            pieces.append(bytes(received[start : start + size]))
            start += size + 2
        # Trailers end with an empty line, as a head does.
        end = start if received.startswith(b"\r\n", start) else received.find(b"\r\n\r\n", start) + 2
        if end < start or len(received) < end + 2:
            return None
        del received[: end + 2]
        return b"".join(pieces)


def _header(head: bytes, name: bytes) -> bytes:
    """Return the value of a header in a lower-case head; empty if there is none."""
    start = head.find(b"\r\n" + name + b":")
    if start < 0:
        return b""
    start += len(name) + 3
    return head[start : head.find(b"\r\n", start)].strip()
