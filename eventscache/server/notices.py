"""Notices in the log about what clients send: one for each kind, so that no client can flood the log."""

import structlog

_log = structlog.get_logger()


class Notices:
    """Tells each kind of rejected input once for each route; `/metrics` counts all of them."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()

    def tell(self, route: str, kind: str) -> None:
        """Log that a route rejected something of a kind, if it is the first of its kind."""
        if (route, kind) not in self._told:
            self._told.add((route, kind))
            _log.warning("input rejected: more of its kind is only counted", route=route, kind=kind)
