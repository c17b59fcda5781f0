"""Measures how long something held up the event loop."""

import asyncio
import contextlib

from eventscache.clock import Clock

_PERIOD_SECONDS = 0.1
_USUAL_SECONDS = 0.01  # what timers are late by when nothing holds them up


class LoopWatch:
    """Sleeps again and again, and adds up how much too late it wakes: while the loop is held up, nobody is served."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.late_ms = 0
        self._clock = clock or Clock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start, on the running loop."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop; what was measured stays."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        clock = self._clock
        while True:
            due = clock.now() + _PERIOD_SECONDS
            await clock.sleep(_PERIOD_SECONDS)
            late_seconds = clock.now() - due
            if late_seconds > _USUAL_SECONDS:
                self.late_ms += round(1000 * late_seconds)
