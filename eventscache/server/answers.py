"""Answers: JSON always, and every error in Jitsu's shape."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
import structlog
from aiohttp import web

from eventscache.errors import StorageError

_log = structlog.get_logger()
_encode = msgspec.json.encode

_COMMON_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
_JSON_HEADERS = {**_COMMON_HEADERS, "Content-Type": "application/json; charset=utf-8"}


class Refused(Exception):
    """The request is answered with this status and message, and nothing else happens."""

    def __init__(
        self,
        status: int,
        message: str,
        headers: Mapping[str, str] | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers
        self.fields = fields


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return `value` as a JSON answer."""
    return web.Response(body=_encode(value), status=status, headers={**_JSON_HEADERS, **(headers or {})})


def error_answer(
    status: int, message: str, headers: Mapping[str, str] | None = None, fields: Mapping[str, Any] | None = None
) -> web.Response:
    """Return an error in Jitsu's shape; its `error` is deprecated there, and always empty."""
    return json_answer({"message": message, "error": "", **(fields or {})}, status, headers)


async def streamed_answer(
    request: web.BaseRequest, content_type: str, pieces: AsyncIterator[bytes]
) -> web.StreamResponse:
    """Answer 200 with pieces, written as they come.

    What fails before the first piece is answered as an error; after it, the connection is cut, so that nobody takes
    the part for the whole.
    """
    first = await anext(pieces, b"")
    response = web.StreamResponse(headers={**_COMMON_HEADERS, "Content-Type": content_type})
    await response.prepare(request)
    await response.write(first)
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
