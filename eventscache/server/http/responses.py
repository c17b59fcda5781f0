"""Responses: JSON, whose errors all have Jitsu's shape; and two kinds that are written without a copy."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import structlog
from aiohttp import HttpVersion11, web
from aiohttp.http import SERVER_SOFTWARE

from eventscache.errors import StorageError
from eventscache.server.http.aiohttp_internals import rfc822_formatted_time
from eventscache.server.http.direct_response import DirectResponse, WholeResponse
from eventscache.server.http.error_codes import ErrorCode
from eventscache.server.http.shown_path import shown_path

_log = structlog.get_logger()
_encode = msgspec.json.encode

COMMON_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}
FOR_OTHER_SITES = {"Cross-Origin-Resource-Policy": "cross-origin"}
FOR_ALL_PAGES = {**COMMON_HEADERS, **FOR_OTHER_SITES}
"""Of the routes to which pages of other sites send: with another policy a browser tells them that sending failed."""
_OK = b'{"status":"ok"}'
_PREBUILT_RESPONSES = 1024  # at most; there is one for each origin
_JSON_HEADERS = {**COMMON_HEADERS, "Content-Type": "application/json; charset=utf-8"}
_PREBUILT_HEADERS = tuple(_JSON_HEADERS.items())
_OK_HEADERS = tuple({**_JSON_HEADERS, **FOR_ALL_PAGES}.items())
_NO_CONTENT = 204
_NO_CONTENT_HEADERS = tuple(COMMON_HEADERS.items())


class HttpError(Exception):
    """Ends the handling of a request with an error response.

    `fields` are added to its body. `closes` closes the connection afterwards: what follows on it cannot be parsed.
    """

    def __init__(
        self,
        status: int,
        code: ErrorCode,
        message: str,
        headers: Mapping[str, str] | None = None,
        fields: Mapping[str, Any] | None = None,
        *,
        closes: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers
        self.fields = fields
        self.closes = closes

    def response(self) -> web.Response:
        """Return the error response."""
        response = error_response(self.status, self.code, self.message, self.headers, self.fields)
        if self.closes:
            response.force_close()
        return response


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return `value` as a JSON response."""
    return web.Response(body=_encode(value), status=status, headers={**_JSON_HEADERS, **(headers or {})})


def error_response(
    status: int,
    code: ErrorCode,
    message: str,
    headers: Mapping[str, str] | None = None,
    fields: Mapping[str, Any] | None = None,
) -> web.Response:
    """Return an error in Jitsu's shape, with a code added; Jitsu's `error` is deprecated there, and always empty."""
    return json_response({"message": message, "error": "", "code": code, **(fields or {})}, status, headers)


class PrebuiltResponse(DirectResponse):
    """A short response whose bytes are built once; one object answers many requests."""

    def __init__(self, status: int, body: bytes, headers: Iterable[tuple[str, str]]) -> None:
        super().__init__(status=status)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        if status != _NO_CONTENT:  # which has no body, and may not tell its length
            lines += f"Content-Length: {len(body)}\r\n"
        lines += f"Server: {SERVER_SOFTWARE}\r\n"
        self._head = f"HTTP/1.1 {status} {self.reason}\r\n{lines}Date: "
        self._content = body
        self._date = ""
        self._bytes = b""

    @property
    def body_length(self) -> int:
        """How many bytes are written, for the access log."""
        return len(self._bytes)

    def bytes_now(self) -> bytes:
        """Return head and body, with the date of now."""
        if (date := rfc822_formatted_time()) != self._date:
            self._date = date
            self._bytes = f"{self._head}{date}\r\n\r\n".encode() + self._content
        return self._bytes

    def buffers(self) -> tuple[bytes]:
        """Return `bytes_now`."""
        return (self.bytes_now(),)


@lru_cache(_PREBUILT_RESPONSES)
def prebuilt(
    body: bytes, headers: tuple[tuple[str, str], ...] = _PREBUILT_HEADERS, status: int = 200
) -> PrebuiltResponse:
    """Return a response to a request in HTTP/1.1 after which the connection is kept."""
    return PrebuiltResponse(status, body, headers)


def prebuilt_ok(headers: tuple[tuple[str, str], ...] = ()) -> PrebuiltResponse:
    """Return Jitsu's `{"status":"ok"}` as `prebuilt` does, with more headers."""
    return prebuilt(_OK, (*_OK_HEADERS, *headers) if headers else _OK_HEADERS)


def prebuilt_no_content() -> PrebuiltResponse:
    """Return a 204 as `prebuilt` does."""
    return prebuilt(b"", _NO_CONTENT_HEADERS, _NO_CONTENT)


def prebuilt_response(
    request: web.BaseRequest,
    body: bytes,
    headers: tuple[tuple[str, str], ...] = _PREBUILT_HEADERS,
    status: int = 200,
    *,
    closes: bool = False,
) -> web.StreamResponse:
    """Return a response that is likely to be sent again, in the same bytes; `closes` as in `HttpError`."""
    if request.version == HttpVersion11 and request.keep_alive and not closes:
        return prebuilt(body, headers, status)
    response = web.Response(status=status, body=body, headers=dict(headers))
    if closes:
        response.force_close()
    return response


def ok_response(request: web.BaseRequest, headers: tuple[tuple[str, str], ...] = ()) -> web.StreamResponse:
    """Return Jitsu's `{"status":"ok"}`, with more headers."""
    return prebuilt_response(request, _OK, (*_OK_HEADERS, *headers) if headers else _OK_HEADERS)


def no_content_response(request: web.BaseRequest, *, closes: bool = False) -> web.StreamResponse:
    """Return a 204, which says nothing of what became of a request."""
    return prebuilt_response(request, b"", _NO_CONTENT_HEADERS, _NO_CONTENT, closes=closes)


async def streamed_response(
    request: web.BaseRequest, content_type: str, pieces: AsyncIterator[Sequence[bytes]]
) -> web.StreamResponse:
    """Answer 200 with pieces that are written as they come; a single piece is sent with its length.

    An error before the second piece becomes an error response. An error after it cuts the connection, so that no
    client takes a part of the body for all of it.
    """
    first = await anext(pieces, None) or ()
    second = await anext(pieces, None)
    headers = {**COMMON_HEADERS, "Content-Type": content_type}
    if second is None:
        if request.version == HttpVersion11 and request.keep_alive and request.method == "GET":
            return WholeResponse(first, headers)
        return web.Response(body=b"".join(first), headers=headers)
    response = web.StreamResponse(headers=headers)
    if request.method == "HEAD":
        return response
    await response.prepare(request)
    await response.write(b"".join(first))
    await response.write(b"".join(second))
    try:
        async for piece in pieces:
            await response.write(b"".join(piece))
    except StorageError as fault:
        _log.warning("response cut short: storage unavailable", path=shown_path(request.raw_path), reason=str(fault))
        if request.transport:
            request.transport.abort()
    else:
        await response.write_eof()
    return response
