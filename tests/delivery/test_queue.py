"""The queue: its bound in bytes, flushes before reads and at the end, and the buffers that it keeps."""

import asyncio

from eventscache.clock import MICROSECONDS
from eventscache.event import Event
from eventscache.storage.messages import Query, Quota
from eventscache.stream import Namespace, Stream
from tests.support.cache_bench import GENEROUS_SECONDS, TOKEN, CacheBench, opened, until


async def test_the_bound_of_the_queue_counts_everything_that_an_event_holds() -> None:
    async with opened(queue_bytes=1_000_000) as bench:
        assert not bench.cache.offer([(TOKEN, Event(original=b"{}", uid="u" * 50_000)) for _ in range(160)])
        assert bench.cache.offer([(TOKEN, Event(error="e" * 50_000)) for _ in range(18)])
        await bench.settled()


async def test_a_full_queue_drops_all_of_the_new_events_or_none() -> None:
    async with opened(queue_bytes=100_000) as bench:
        bench.storage.gate = asyncio.Event()
        offers = 0
        while bench.offer(20):
            offers += 1
        assert bench.cache.queue.bytes <= 100_000
        assert offers >= 1
        assert bench.ledger.dropped == {"queue_full": 20}
        assert bench.ledger.balanced
        bench.storage.gate.set()
        bench.storage.gate = None
        await bench.settled()
        assert bench.cache.queue.bytes == 0
        assert bench.ledger.stored + bench.ledger.limited == 20 * offers
        assert bench.offer()


async def test_a_read_of_a_busy_stream_waits_only_for_the_events_put_before_it() -> None:
    async with opened(quota=Quota(100_000, MICROSECONDS), storage_timeout_seconds=GENEROUS_SECONDS) as bench:
        busy = True

        async def keep_busy() -> None:
            while busy:
                bench.offer()
                await asyncio.sleep(0)

        task = asyncio.create_task(keep_busy())
        await until(lambda: bench.ledger.stored > 3)
        before = bench.ledger.received
        assert (await bench.cache.fetch(TOKEN, Query())).total >= before
        busy = False
        await task


async def test_a_read_sees_all_of_a_large_backlog() -> None:
    async with opened(quota=Quota(20_000, MICROSECONDS), storage_timeout_seconds=GENEROUS_SECONDS) as bench:
        bench.offer(4_500)
        assert (await bench.cache.fetch(TOKEN, Query(limit=1))).total == 4_500


async def test_a_read_flushes_the_limited_counts_and_the_waiting_events() -> None:
    async with opened() as bench:
        bench.offer(10)
        await bench.settled()
        bench.offer(30)
        bench.offer(2, Stream(Namespace.TOKEN, "other"))
        assert (await bench.cache.fetch(TOKEN, Query())).limited == 30
        assert (await bench.cache.fetch(Stream(Namespace.TOKEN, "other"), Query())).total == 2


async def test_closing_flushes_the_waiting_events_and_the_limited_counts() -> None:
    bench = CacheBench()
    await bench.cache.open()
    bench.offer(10)
    await bench.settled()
    bench.offer(5)
    bench.offer(4, Stream(Namespace.TOKEN, "other"))
    await bench.cache.close(GENEROUS_SECONDS)
    assert bench.ledger.balanced
    assert bench.ledger.stored == 14
    assert (await bench.storage.fetch(TOKEN, Query())).limited == 5


async def test_closing_without_time_drops_and_counts_the_waiting_events() -> None:
    bench = CacheBench(pool_size=1)
    await bench.cache.open()
    bench.storage.gate = asyncio.Event()
    bench.offer(3)
    await until(lambda: len(bench.storage.batches) == 1)
    bench.offer(2)
    bench.offer(4, Stream(Namespace.TOKEN, "other"))
    await bench.cache.close(0)
    assert bench.ledger.dropped == {"shutdown": 9}
    assert bench.ledger.balanced
    assert bench.cache.queue.bytes == 0
    await bench.cache.close(0)


async def test_idle_buffers_are_removed_after_a_flood_of_streams() -> None:
    async with opened() as bench:
        for number in range(5000):
            bench.offer(1, Stream(Namespace.TOKEN, f"key {number}"))
            if number % 100 == 0:
                await bench.settled()
                bench.clock.advance(2 * MICROSECONDS)
        await bench.settled()
        assert len(bench.cache.queue._buffers) <= 1024


async def test_one_body_for_very_many_streams_makes_one_batch_for_each() -> None:
    async with opened() as bench:
        streams = [Stream(Namespace.TOKEN, f"key {number}") for number in range(3000)]
        bench.cache.offer([(stream, Event(original=b"{}")) for stream in streams * 2])
        await bench.settled()
        assert [len(batch.offers) for batch in bench.storage.batches] == [2] * 3000
