"""Answers: JSON always, and every error in Jitsu's shape."""

from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from eventscache.errors import StorageError

_log = structlog.get_logger()
_encode = msgspec.json.encode

_MESSAGES = {
    HTTPStatus.NOT_FOUND: "there is nothing at this path",
    HTTPStatus.METHOD_NOT_ALLOWED: "this path does not take that method",
    HTTPStatus.EXPECTATION_FAILED: "no expectation but 100-continue is known",
}
_COMMON_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


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
    return web.Response(
        body=_encode(value),
        status=status,
        headers={**_COMMON_HEADERS, **(headers or {})},
        content_type="application/json",
        charset="utf-8",
    )


def error_answer(
    status: int, message: str, headers: Mapping[str, str] | None = None, fields: Mapping[str, Any] | None = None
) -> web.Response:
    """Return an error in Jitsu's shape; its `error` is deprecated there, and always empty."""
    return json_answer({"message": message, "error": "", **(fields or {})}, status, headers)


async def streamed_answer(request: web.Request, content_type: str, pieces: AsyncIterator[bytes]) -> web.StreamResponse:
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


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what handlers raise into answers."""
    try:
        return await handler(request)
    except Refused as refusal:
        return error_answer(refusal.status, refusal.message, refusal.headers, refusal.fields)
    except web.HTTPException as answer:
        message = _MESSAGES.get(HTTPStatus(answer.status), answer.reason)
        allow = {"Allow": answer.headers["Allow"]} if "Allow" in answer.headers else None
        return error_answer(answer.status, message, allow)
    except StorageError as fault:
        _log.warning("request not served", path=request.path, reason=str(fault))
        return error_answer(HTTPStatus.SERVICE_UNAVAILABLE, "the storage does not answer", {"Retry-After": "1"})
    except ConnectionError:
        raise  # the client went away, and the server knows
    except Exception:
        _log.exception("a handler failed", path=request.path)
        return error_answer(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error")
