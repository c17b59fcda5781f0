"""The access log: one line per request, without anything that could be a secret."""

import structlog
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from eventscache.server.http.parameters import path_of

_log = structlog.get_logger()

_MAX_PATH_CHARACTERS = 200
_BEFORE_KEY = "/v1/projects/"  # a path that begins so has a write key next


class AccessLog(AbstractAccessLogger):
    """Logs each request once its response is written, without query and headers.

    `bytes` are those of the whole response, its head included.
    """

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Log a request that took `time` seconds."""
        log_request(request, response.status, duration_ms=round(time * 1000, 3), bytes=response.body_length)


def log_request(request: web.BaseRequest, status: int, **more: float) -> None:
    """Log a request and the status of its response, and more about it."""
    _log.info(
        "request",
        method=request.method,
        path=_path(request.raw_path),
        status=status,
        **more,
        client=request.remote,
    )


def _path(target: str) -> str:
    """Return the path of a request's target, in ASCII and cut; `*` for a target without one."""
    path = path_of(target).partition("#")[0]
    if path.startswith(_BEFORE_KEY):
        path = f"{_BEFORE_KEY}***"
    return ascii(path)[1:-1][:_MAX_PATH_CHARACTERS] or "*"
