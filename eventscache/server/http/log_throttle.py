"""What clients do wrong, told in the log in a line each, and not more often than somebody can read."""

import asyncio
from typing import Any

import structlog

_log = structlog.get_logger()

_MOST = 10
_WITHIN_SECONDS = 10.0
_LONGEST = 200


class LogThrottle:
    """Logs at most ten lines in ten seconds; the next one says how many were left out."""

    def __init__(self) -> None:
        self._since = 0.0
        self._said = 0
        self._unsaid = 0

    def note(self, event: str, **fields: Any) -> None:
        """Log a line, its texts cut."""
        now = asyncio.get_running_loop().time()
        if now - self._since >= _WITHIN_SECONDS:
            self._since, self._said = now, 0
        if self._said == _MOST:
            self._unsaid += 1
            return
        self._said += 1
        if self._unsaid:
            fields["left_out"], self._unsaid = self._unsaid, 0
        _log.warning(event, **{name: _cut(value) for name, value in fields.items()})


def _cut(value: Any) -> Any:
    """Return a text in one line; what cannot be printed is escaped."""
    return repr(value[:_LONGEST])[1:-1] if isinstance(value, str) else value
