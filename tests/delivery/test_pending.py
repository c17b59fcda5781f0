"""Pending events: which of them wait together."""

import asyncio
import itertools

from eventscache.clock import MICROSECONDS
from eventscache.event import Event
from eventscache.storage.messages import Query, Quota
from tests.support.cache_bench import TOKEN, opened, until


async def test_single_events_wait_together_within_bounds_in_order_and_with_their_own_receipts() -> None:
    quota = Quota(5000, MICROSECONDS)
    async with opened(quota=quota) as bench:
        bench.storage.gate = asyncio.Event()
        bench.offer()
        await until(lambda: len(bench.storage.batches) == 1)
        numbers = itertools.count()

        def offer(**fields: str) -> None:
            assert bench.cache.offer([(TOKEN, Event.of(TOKEN, original=b'{"n":%d}' % next(numbers), **fields))])

        for _ in range(1200):
            offer()
        offer(error="failed")
        offer(skip="skipped")
        waiting = [asyncio.create_task(bench.cache.store([(TOKEN, Event.of(TOKEN, error="e"))])) for _ in range(2)]
        await asyncio.sleep(0)
        offer(error="failed")
        assert [len(pending.events) for pending in bench.buffer().waiting] == [500, 500, 200, 1, 1, 1, 1, 1]
        bench.storage.gate.set()
        await bench.settled()
        assert [await receipt for receipt in waiting]
        found = (await bench.cache.fetch(TOKEN, Query(limit=5000))).events
        originals = [event.original for _, event in reversed(found) if event.original]
        assert originals == [b"{}", *(b'{"n":%d}' % number for number in range(1203))]
        assert [batch.number for batch in bench.storage.batches] == [1, 2, 3]
        assert (bench.ledger.stored, bench.ledger.admitted_error, bench.cache.queue.bytes) == (1206, 4, 0)
