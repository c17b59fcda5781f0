"""How soon events can be read."""

import asyncio

from eventscache.clock import MICROSECONDS
from eventscache.delivery.freshness import Freshness
from tests.support.cache_bench import opened, until

MINUTE_US = 60 * MICROSECONDS


def test_the_longest_time_is_forgotten_after_one_minute_or_two() -> None:
    freshness = Freshness()
    assert freshness.worst_us(0) == 0
    freshness.add(7000, 1, 10)
    freshness.add(3000, 5, MINUTE_US - 1)
    assert freshness.worst_us(MINUTE_US) == 7000
    freshness.add(2000, 1, MINUTE_US)
    assert freshness.worst_us(2 * MINUTE_US - 1) == 7000
    assert freshness.worst_us(2 * MINUTE_US) == 2000
    assert freshness.worst_us(5 * MINUTE_US) == 0


async def test_an_event_is_as_old_as_the_first_of_its_batch_when_it_can_be_read() -> None:
    async with opened() as bench:
        bench.storage.gate = asyncio.Event()
        bench.offer()
        await until(lambda: len(bench.storage.batches) == 1)
        bench.clock.advance(20_000)
        bench.offer()
        bench.clock.advance(5_000)
        bench.offer()
        bench.storage.gate.set()
        await bench.settled()
        times = bench.cache.freshness.times
        assert sum(times.counts) == bench.ledger.stored == 3
        assert times.sum_us == 25_000 + 2 * 5_000
        assert bench.cache.readable_within_ms == 25


async def test_events_that_are_not_stored_have_no_such_time() -> None:
    async with opened() as bench:
        bench.offer(15)
        await bench.settled()
        bench.offer(5)
        await bench.settled()
        assert (bench.ledger.stored, bench.ledger.limited) == (10, 10)
        assert sum(bench.cache.freshness.times.counts) == 10
