"""Notices in the log about what clients send: one for each kind, so that no client can flood the log."""

from collections.abc import Callable
from typing import Final

import structlog
from aiohttp import web

from eventscache.server.http.parameters import path_of

_log = structlog.get_logger()

TOLD_AS: Final = web.RequestKey("told_as", str)
"""The route that is told for a request, where that is not the one of its path: of a copy it is that of the mirror."""


class Notices:
    """Tells each kind of rejected input once for each route by which events come; `/metrics` counts all of them."""

    def __init__(self, route_of: Callable[[str], str]) -> None:
        """`route_of` returns the route of a path as it is told; an empty text for one by which no events come."""
        self._route_of = route_of
        self._told: set[tuple[str, str]] = set()

    def tell(self, request: web.BaseRequest, kind: str) -> None:
        """Log that the route by which a request came rejected something of a kind, if it is the first of its kind."""
        self._tell(request.get(TOLD_AS) or self._route_of(path_of(request.raw_path)), kind)

    def tell_refused(self, path: str, kind: str, reason: str) -> None:
        """Log the same of a request for a path that was refused before any route saw it; `reason` quotes nothing."""
        self._tell(self._route_of(path), kind, reason=reason)

    def _tell(self, route: str, kind: str, **details: str) -> None:
        if route and (route, kind) not in self._told:
            self._told.add((route, kind))
            _log.warning("input rejected: more of its kind is only counted", route=route, kind=kind, **details)
