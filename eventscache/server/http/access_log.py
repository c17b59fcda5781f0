"""The access log: one line per request, without anything that could be a secret."""

import structlog
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from eventscache.server.http.parameters import path_of
from eventscache.server.http.shown_path import shown_path

_log = structlog.get_logger()


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
        path=shown_path(path_of(request.raw_path)),
        status=status,
        **more,
        client=request.remote,
    )
