"""Flushes limited counts that no batch has taken to the storage in time."""

import asyncio
from collections.abc import Callable

from eventscache.clock import MICROSECONDS
from eventscache.delivery.stream_buffer import StreamBuffer

# The longest cooldown, and the longest wait of limited counts: a second. With more than 3,333 streams, 0.3 ms for each
# of them, or calls about limited counts would take all the time; at most 30 seconds.
_DELAY_US, _DELAY_US_PER_STREAM, _LONGEST_DELAY_US = MICROSECONDS, 300, 30 * MICROSECONDS


class FlushTimer:
    """Calls `flush` for each buffer whose limited counts have waited for nearly `max_delay_us`."""

    def __init__(self, flush: Callable[[StreamBuffer], None], now_us: Callable[[], int]) -> None:
        self.max_delay_us = _DELAY_US
        self._flush = flush
        self._now_us = now_us
        self.waiting: dict[StreamBuffer, int] = {}
        """Since when each of these buffers waits; the longest wait comes first."""
        self._wakeup = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start, on the running loop."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop; nothing more is flushed."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def adapt(self, streams: int) -> None:
        """Fit `max_delay_us` to the number of streams."""
        self.max_delay_us = min(max(_DELAY_US, _DELAY_US_PER_STREAM * streams), _LONGEST_DELAY_US)

    def update(self, buffer: StreamBuffer) -> None:
        """Start or stop the wait of a buffer, by whether it has limited counts that the storage does not know of."""
        if not buffer.has_limited_counts:
            if self.waiting:
                self.waiting.pop(buffer, None)
        elif buffer not in self.waiting:
            self.waiting[buffer] = self._now_us()
            self._wakeup.set()

    async def _run(self) -> None:
        while True:
            await self._wakeup.wait()
            if not self.waiting:
                self._wakeup.clear()
                continue
            buffer, since_us = next(iter(self.waiting.items()))
            left_us = since_us + self.max_delay_us * 9 // 10 - self._now_us()
            if left_us > 0:
                await asyncio.sleep(left_us / MICROSECONDS)
            else:
                del self.waiting[buffer]
                self._flush(buffer)
