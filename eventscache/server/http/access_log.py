"""The access log: one line a request, without anything that could be a secret."""

import structlog
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

_log = structlog.get_logger()

_MOST_PATH_CHARACTERS = 200


class AccessLog(AbstractAccessLogger):
    """Logs what was asked and how it ended, once the answer is written; no query, no headers.

    `bytes` are those of the answer, its head among them.
    """

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Log a request that was answered after `time` seconds."""
        _log.info(
            "request",
            method=request.method,
            path=_path(request.raw_path),
            status=response.status,
            duration_ms=round(time * 1000, 3),
            bytes=response.body_length,
            peer=request.remote,
        )


def _path(target: str) -> str:
    """Return the path of a request's target, in ASCII and cut; nothing of a target that is a whole URL."""
    path = target.partition("?")[0].partition("#")[0]
    return ascii(path)[1:-1][:_MOST_PATH_CHARACTERS] if path.startswith("/") else "*"
