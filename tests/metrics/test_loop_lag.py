"""How late the event loop is."""

import asyncio
import time

from eventscache.metrics.loop_lag import LoopLag


async def test_a_loop_that_is_held_is_late() -> None:
    lag = LoopLag()
    lag.start()
    async with asyncio.timeout(20):
        while not sum(lag.times.counts):
            await asyncio.sleep(0)
        before = lag.times.sum_us
        # What holds the loop is this test, for as long as it takes until a measurement is due, and half a second more.
        end = time.monotonic() + 0.6
        while time.monotonic() < end:
            pass
        while lag.times.sum_us < before + 400_000:
            await asyncio.sleep(0)
    await lag.stop()
    await lag.stop()
