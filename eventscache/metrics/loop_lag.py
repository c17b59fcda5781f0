"""How late the event loop runs what is due: what a request waits before anything is done for it."""

import asyncio
import contextlib

from eventscache.clock import MICROSECONDS, Clock
from eventscache.delivery.histogram import Histogram

LAG_BOUNDS_US = (1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000)
_EVERY_SECONDS = 0.1


class LoopLag:
    """Measures ten times a second how late the loop is."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.times = Histogram(LAG_BOUNDS_US)
        self._clock = clock or Clock()
        self._measuring: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start measuring, on the running loop."""
        self._measuring = asyncio.create_task(self._measure())

    async def stop(self) -> None:
        """Stop measuring."""
        if self._measuring:
            self._measuring.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._measuring
            self._measuring = None

    async def _measure(self) -> None:
        clock = self._clock
        while True:
            due = clock.now() + _EVERY_SECONDS
            await clock.sleep(_EVERY_SECONDS)
            self.times.add(max(0, round((clock.now() - due) * MICROSECONDS)))
