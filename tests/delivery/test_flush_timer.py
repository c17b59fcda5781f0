"""The flush timer: limited counts reach the storage although no event follows."""

from eventscache.clock import MICROSECONDS
from eventscache.errors import StorageUnavailable
from eventscache.storage.messages import Query, Quota
from eventscache.stream import Namespace, Stream
from tests.support.cache_bench import TOKEN, opened, until


async def test_limited_counts_of_a_silent_stream_are_flushed_within_a_second() -> None:
    async with opened() as bench:
        bench.offer(10)
        await bench.settled()
        bench.offer(7)
        bench.clock.advance(900_000)
        bench.offer(1)
        await until(lambda: len(bench.storage.batches) == 2)
        (counts,) = [batch.all.limited_earlier for batch in bench.storage.batches[1:]]
        assert sum(count.events for count in counts) == 8
        page = await bench.storage.fetch(TOKEN, Query())
        assert page.limited == 8


async def test_limited_counts_of_very_many_streams_are_flushed_in_three_tenths_of_a_millisecond_each() -> None:
    async with opened(quota=Quota(1, 600 * MICROSECONDS)) as bench:
        streams = [Stream(Namespace.TOKEN, f"key {number}") for number in range(10_000)]
        for stream in streams:
            bench.offer(1, stream)
        await bench.settled()
        calls = len(bench.storage.batches)
        silent = streams[-200:]
        for stream in silent:
            bench.offer(3, stream)
        assert bench.ledger.limited == 600
        # A cooldown of six seconds lasts longer than the counts wait.
        bench.clock.advance(2_700_000)
        await until(lambda: len(bench.storage.batches) == calls + 200)
        assert {batch.stream for batch in bench.storage.batches[calls:]} == {*silent}
        assert (
            sum(count.events for batch in bench.storage.batches[calls:] for count in batch.all.limited_earlier) == 600
        )
        assert bench.ledger.queued == 0


async def test_limited_counts_of_a_failed_batch_are_flushed_although_no_event_follows() -> None:
    async with opened(ack_timeout_seconds=0) as bench:
        bench.offer(10)
        await bench.settled()
        bench.offer(6)
        bench.storage.faults = [StorageUnavailable("no connection", ambiguous=False)]
        bench.clock.advance(900_000)
        bench.offer()
        await until(lambda: len(bench.storage.batches) == 2)
        await until(lambda: bench.buffer().has_limited_counts)
        bench.clock.advance(900_000)
        await until(lambda: len(bench.storage.answers) == 2)
        assert (await bench.storage.fetch(TOKEN, Query())).limited == 7


async def test_limited_counts_are_kept_after_a_call_that_surely_failed() -> None:
    async with opened(ack_timeout_seconds=0) as bench:
        bench.offer(10)
        await bench.settled()
        bench.offer(6)
        bench.clock.advance(MICROSECONDS)
        bench.storage.faults = [StorageUnavailable("no connection", ambiguous=False)]
        bench.offer()
        await bench.settled()
        assert (await bench.cache.fetch(TOKEN, Query())).limited == 6
