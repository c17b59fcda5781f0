"""Refusals that no event takes along on their way to the storage, and how long they wait for one."""

import asyncio
from collections.abc import Callable

from eventscache.clock import MICROSECONDS
from eventscache.delivery.stream_buffer import StreamBuffer

# So long a lease holds at most, and refusals wait to be carried although their stream fell silent: a second, until
# there are so many streams that asking for each of them every second would take all the time there is.
_PATIENCE_US, _PATIENCE_US_PER_LANE, _MOST_PATIENCE_US = MICROSECONDS, 300, 30 * MICROSECONDS


class FlushTimer:
    """Has lanes flushed, by `hurry`, whose refusals have waited for nearly all of `patience_us`."""

    def __init__(self, hurry: Callable[[StreamBuffer], None], now_us: Callable[[], int]) -> None:
        self.patience_us = _PATIENCE_US
        self._hurry = hurry
        self._now_us = now_us
        self._waiting: dict[StreamBuffer, int] = {}  # since when; longest first
        self._begins = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, on the running loop."""
        self._task = asyncio.create_task(self._carry())

    async def end(self) -> None:
        """Stop; what waits is left to the lanes."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def expect(self, buffers: int) -> None:
        """Learn how many lanes there are."""
        self.patience_us = min(max(_PATIENCE_US, _PATIENCE_US_PER_LANE * buffers), _MOST_PATIENCE_US)

    def note(self, buffer: StreamBuffer) -> None:
        """Note whether a lane has refusals that the storage does not know of."""
        if not buffer.carries:
            if self._waiting:
                self._waiting.pop(buffer, None)
        elif buffer not in self._waiting:
            self._waiting[buffer] = self._now_us()
            self._begins.set()

    async def _carry(self) -> None:
        while True:
            await self._begins.wait()
            if not self._waiting:
                self._begins.clear()
                continue
            buffer, since_us = next(iter(self._waiting.items()))
            left_us = since_us + self.patience_us * 9 // 10 - self._now_us()
            if left_us > 0:
                await asyncio.sleep(left_us / MICROSECONDS)
            else:
                del self._waiting[buffer]
                self._hurry(buffer)
