"""The fast lane: plain requests with events are answered where their bytes arrive.

aiohttp makes a task, a request and a response of each message, which costs more than all that is done with an event. A
request takes the fast lane only if nothing about it is unusual: it came whole in one packet, on a connection that waits
for a request; its head is plain (`http/_head.c`); a handler can take its events at once, and answers with success. All
else goes to aiohttp as if there were no fast lane, and nothing has been counted or kept before. So no error has two
forms, and nobody can tell the two apart but by their speed.

It is shut where each request is logged or traced, which aiohttp's way does.
"""

from functools import lru_cache

import structlog

from eventscache.config.settings import Settings
from eventscache.errors import InvalidEvent
from eventscache.server.context import FastHandler
from eventscache.server.http import aiohttp_internals
from eventscache.server.http.parameters import path_of
from eventscache.server.http.responses import HttpError
from eventscache.server.http.shown_path import shown_path
from eventscache.server.http.whole_request import COMPILED, read_request
from eventscache.server.routes import ingestion, jitsu2_ingestion, mirror, segment
from eventscache.server.routing import Router

_log = structlog.get_logger()

_MOST_BYTES = 131_072  # of a body; a larger one never comes in one packet
_CACHED_PATHS = 1024
_MAX_CACHED_PATH_LENGTH = 256

FAST_ROUTES: dict[str, FastHandler] = dict(
    (*ingestion.FAST_ROUTES, *segment.FAST_ROUTES, *jitsu2_ingestion.FAST_ROUTES)
)
"""What handles plain requests at once, by the path of a route of POST."""


def why_shut(settings: Settings, *, traced: bool) -> str:
    """Return why there can be no fast lane; an empty text if there can."""
    if not COMPILED:
        return "the module in C was not built"
    if settings.access_log:
        return "eventscache.access_log is on"
    if traced:
        return "eventscache.otlp.endpoint is set"
    missing = aiohttp_internals.missing_for_fast_lane()
    return f"this version of aiohttp lacks {', '.join(missing)}" if missing else ""


class FastLane:
    """Answers plain requests at once."""

    def __init__(self, router: Router) -> None:
        """Answer as a router does."""
        self.taken = 0
        """How many requests were answered."""
        self._router = router
        # Clients repeat their paths.
        self._cached_handler = lru_cache(_CACHED_PATHS)(self._find)

    def answer(self, data: bytes) -> bytes | None:
        """Return the response to the one request that some bytes are; None if it is for aiohttp."""
        request = read_request(data, _MOST_BYTES)
        if request is None or self._router.debugs:
            return None
        path = request.path
        handler = self._cached_handler(path) if len(path) <= _MAX_CACHED_PATH_LENGTH else self._find(path)
        if handler is None:
            return None
        try:
            response = handler(self._router.context, request)
        except (HttpError, InvalidEvent):
            return None  # the handler of aiohttp's request finds the same fault, counts it and tells it
        except Exception:
            _log.exception("fast lane failed: internal error", path=shown_path(path_of(path)))
            return None
        if response is None:
            return None
        self.taken += 1
        return response.bytes_now()

    def _find(self, path: str) -> FastHandler | None:
        """Return what handles POST at a path at once, if the router's handler has such a one."""
        if not path.startswith(mirror.PREFIX):
            return FAST_ROUTES.get(self._router.declared_at(path))
        handler = FAST_ROUTES.get(self._router.context.ingestion.route_at(path[len(mirror.ROUTE) :]))
        return mirror.fast_mirrored(handler) if handler else None
