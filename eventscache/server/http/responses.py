"""Answers: JSON always, and every error in Jitsu's shape."""

from collections.abc import AsyncIterator, Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec
import structlog
from aiohttp import HttpVersion11, web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE

from eventscache.errors import StorageError

_log = structlog.get_logger()
_encode = msgspec.json.encode

COMMON_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
_OK = b'{"status":"ok"}'
_READY_ANSWERS = 1024  # one for each origin, say
_MOST_UNREAD_BYTES = 65_536
_JSON_HEADERS = {**COMMON_HEADERS, "Content-Type": "application/json; charset=utf-8"}
_READY_HEADERS = tuple(_JSON_HEADERS.items())


class HttpError(Exception):
    """The request is answered with this status and message, and nothing else happens.

    `closes` tells that nothing more can be understood on its connection.
    """

    def __init__(
        self,
        status: int,
        message: str,
        headers: Mapping[str, str] | None = None,
        fields: Mapping[str, Any] | None = None,
        *,
        closes: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers
        self.fields = fields
        self.closes = closes

    def answer(self) -> web.Response:
        """Return the answer."""
        answer = error_response(self.status, self.message, self.headers, self.fields)
        if self.closes:
            answer.force_close()
        return answer


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return `value` as a JSON answer."""
    return web.Response(body=_encode(value), status=status, headers={**_JSON_HEADERS, **(headers or {})})


def error_response(
    status: int, message: str, headers: Mapping[str, str] | None = None, fields: Mapping[str, Any] | None = None
) -> web.Response:
    """Return an error in Jitsu's shape; its `error` is deprecated there, and always empty."""
    return json_response({"message": message, "error": "", **(fields or {})}, status, headers)


class PrebuiltResponse(web.StreamResponse):
    """A short answer whose bytes are ready; one object answers many requests.

    What aiohttp spends on making and writing a `Response` is a third of what it spends on a request.
    """

    def __init__(self, status: int, body: bytes, headers: Iterable[tuple[str, str]]) -> None:
        super().__init__(status=status)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        lines += f"Content-Length: {len(body)}\r\nServer: {SERVER_SOFTWARE}\r\n"
        self._head = f"HTTP/1.1 {status} {self.reason}\r\n{lines}Date: "
        self._content = body
        self._date = ""
        self._bytes = b""

    @property
    def keep_alive(self) -> bool:
        """True: it answers only those who keep the connection."""
        return True

    @property
    def body_length(self) -> int:
        """The bytes that are written, for the access log."""
        return len(self._bytes)

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write all there is."""
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError
        if (date := rfc822_formatted_time()) != self._date:
            self._date = date
            self._bytes = f"{self._head}{date}\r\n\r\n".encode() + self._content
        transport.write(self._bytes)
        if transport.get_write_buffer_size() > _MOST_UNREAD_BYTES:
            await request.writer.drain()  # a client that pipelines, and does not read

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to be written."""


_remembered = lru_cache(_READY_ANSWERS)(PrebuiltResponse)


def prebuilt_response(
    request: web.BaseRequest, body: bytes, headers: tuple[tuple[str, str], ...] = _READY_HEADERS, status: int = 200
) -> web.StreamResponse:
    """Return an answer that is likely to be given again, in the same bytes."""
    if request.version == HttpVersion11 and request.keep_alive:
        return _remembered(status, body, headers)
    return web.Response(status=status, body=body, headers=dict(headers))


def ok_response(request: web.BaseRequest, headers: tuple[tuple[str, str], ...] = ()) -> web.StreamResponse:
    """Return Jitsu's word that all is well, with more headers."""
    return prebuilt_response(request, _OK, (*_READY_HEADERS, *headers) if headers else _READY_HEADERS)


async def streamed_response(
    request: web.BaseRequest, content_type: str, pieces: AsyncIterator[bytes]
) -> web.StreamResponse:
    """Answer 200 with pieces, written as they come; a single one is a plain answer.

    What fails before the second piece is answered as an error; after it, the connection is cut, so that nobody takes
    the part for the whole.
    """
    first = await anext(pieces, b"")
    second = await anext(pieces, None)
    headers = {**COMMON_HEADERS, "Content-Type": content_type}
    if second is None:
        return web.Response(body=first, headers=headers)
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    await response.write(first)
    await response.write(second)
    try:
        async for piece in pieces:
            await response.write(piece)
    except StorageError as fault:
        _log.warning("answer cut short", path=request.path, reason=str(fault))
        if request.transport:
            request.transport.abort()
    else:
        await response.write_eof()
    return response
