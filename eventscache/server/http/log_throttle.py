"""A throttle for log lines about bad clients, so that none of them can flood the log."""

import asyncio
from typing import Any

import structlog

_log = structlog.get_logger()

_MAX_LINES = 10
_WINDOW_SECONDS = 10.0
_MAX_CHARACTERS = 200


class LogThrottle:
    """Logs at most ten lines in ten seconds; the next line has the number of suppressed ones."""

    def __init__(self) -> None:
        self._window_start = 0.0
        self._lines = 0
        self._suppressed = 0

    def warning(self, event: str, **fields: Any) -> None:
        """Log a warning, its texts cut to 200 characters."""
        now = asyncio.get_running_loop().time()
        if now - self._window_start >= _WINDOW_SECONDS:
            self._window_start, self._lines = now, 0
        if self._lines == _MAX_LINES:
            self._suppressed += 1
            return
        self._lines += 1
        if self._suppressed:
            fields["suppressed"], self._suppressed = self._suppressed, 0
        _log.warning(event, **{name: _cut(value) for name, value in fields.items()})


def _cut(value: Any) -> Any:
    """Return a text cut and in one line, with escapes for what cannot be printed."""
    return repr(value[:_MAX_CHARACTERS])[1:-1] if isinstance(value, str) else value
