"""The log of a source: one line when its state changes."""

import structlog

_log = structlog.get_logger()


class SourceState:
    """Whether a place is followed, and if not, why."""

    def __init__(self, name: str, place: str) -> None:
        self._fields = {"source": name, "place": place}
        self._last = ""

    def _changes_to(self, state: str) -> bool:
        changed, self._last = state != self._last, state
        return changed

    def following(self) -> None:
        """Note that this process follows, and that the place answers."""
        if self._changes_to("following"):
            _log.info("source followed", **self._fields)

    def waiting(self) -> None:
        """Note that another process has the lease."""
        if self._changes_to("waiting"):
            _log.info("source followed by another process", **self._fields)

    def interrupted(self, reason: str) -> None:
        """Note what prevents following."""
        if self._changes_to(reason):
            _log.warning("source not followed, trying again", reason=reason, **self._fields)

    def failed(self, fault: Exception) -> None:
        """Note a bug."""
        if self._changes_to(repr(fault)):
            _log.error("source failed, trying again", exc_info=fault, **self._fields)
