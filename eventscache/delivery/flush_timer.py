"""Flushes limited counts that no batch has taken to the storage in time."""

import asyncio
from collections import deque
from collections.abc import Callable

from eventscache.clock import MICROSECONDS
from eventscache.delivery.stream_buffer import StreamBuffer

# How long limited counts wait at most: a second. With more than 3,333 streams, 0.3 ms for each of them, or calls about
# limited counts would take all the time; at most 30 seconds. A cooldown may last twice as long then: the answer to
# limited counts renews it, or ends it if the limiter was reset, at half the cost of an event that has to ask.
_DELAY_US, _DELAY_US_PER_STREAM, _LONGEST_DELAY_US = MICROSECONDS, 300, 30 * MICROSECONDS
_DELAYS_OF_COOLDOWN = 2
_TURNS = 200  # in the longest wait: buffers that began to wait in the same one are flushed together


class FlushTimer:
    """Calls `flush` for each buffer whose limited counts have waited for nearly `max_delay_us`."""

    def __init__(self, flush: Callable[[StreamBuffer], None], now_us: Callable[[], int]) -> None:
        self.max_delay_us = _DELAY_US
        self.max_cooldown_us = _DELAY_US
        """How long a cooldown lasts at most."""
        self._flush = flush
        self._now_us = now_us
        # When each turn began, and the buffers that began to wait in it; some of these wait no more, or again.
        self._turns: deque[tuple[int, list[StreamBuffer]]] = deque()
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
        """Fit `max_delay_us` and `max_cooldown_us` to the number of streams."""
        delay_us = min(_DELAY_US_PER_STREAM * streams, _LONGEST_DELAY_US)
        self.max_delay_us = max(_DELAY_US, delay_us)
        self.max_cooldown_us = max(_DELAY_US, _DELAYS_OF_COOLDOWN * delay_us)

    def update(self, buffer: StreamBuffer) -> None:
        """Start or stop the wait of a buffer, by whether it has limited counts that the storage does not know of."""
        if not buffer.has_limited_counts:
            buffer.unreported_since_us = 0
        elif not buffer.unreported_since_us:
            self._begin(buffer, self._now_us())

    def _begin(self, buffer: StreamBuffer, now_us: int) -> None:
        buffer.unreported_since_us = now_us
        if self._turns and now_us - self._turns[-1][0] < self.max_delay_us // _TURNS:
            self._turns[-1][1].append(buffer)
        else:
            self._turns.append((now_us, [buffer]))
            self._wakeup.set()

    async def _run(self) -> None:
        while True:
            await self._wakeup.wait()
            if not self._turns:
                self._wakeup.clear()
                continue
            left_us = self._turns[0][0] + self.max_delay_us * 9 // 10 - self._now_us()
            if left_us > 0:
                await asyncio.sleep(left_us / MICROSECONDS)
            else:
                self._flush_all(*self._turns.popleft())

    def _flush_all(self, since_us: int, buffers: list[StreamBuffer]) -> None:
        """Flush the buffers that have waited since a turn; others are in a later one."""
        until_us = self._turns[0][0] if self._turns else self._now_us() + 1
        for buffer in buffers:
            if since_us <= buffer.unreported_since_us < until_us:
                buffer.unreported_since_us = 0
                self._flush(buffer)
