"""How late the event loop is, measured and shown as a metric."""

import asyncio
import time

from eventscache.metrics.loop_lag import LoopLag
from eventscache.metrics.parsing import parse_metrics
from tests.support.fake_clock import GENEROUS_SECONDS, FakeClock
from tests.support.sidecar import Sidecar, Start


async def test_what_a_timer_is_late_by_adds_up() -> None:
    clock = FakeClock()
    lag = LoopLag(clock)
    lag.start()
    await clock.advance(3)
    assert lag.times.sum_us == 0
    for late_seconds in (0.2, 0.005, 1.0):
        clock.time += late_seconds
        await clock.advance()
    assert lag.times.sum_us == 1_205_000
    await lag.stop()
    await lag.stop()


async def late_seconds(sidecar: Sidecar) -> float:
    metrics = parse_metrics((await sidecar.get("/metrics")).body.decode())
    return metrics["eventscache_loop_lag_seconds_sum"][""]


async def test_an_event_loop_that_is_held_up_is_seen_in_the_metrics(start: Start) -> None:
    sidecar = await start()
    before = await late_seconds(sidecar)
    async with asyncio.timeout(GENEROUS_SECONDS):
        while await late_seconds(sidecar) - before < 0.2:
            time.sleep(0.15)  # noqa: ASYNC251 - the fault
            await asyncio.sleep(0)
