"""Events that go past the queue: every one is counted, at any moment, and whatever happens."""

import asyncio

import pytest

from eventscache.errors import StorageError, StorageUnavailable
from eventscache.event import Event
from eventscache.storage.messages import Query
from eventscache.stream import Namespace, Stream
from tests.support.cache_bench import TOKEN, CacheBench, opened, until

STREAMS = [Stream(Namespace.TOKEN, str(number)) for number in range(200)]


def records(*streams: Stream, count: int = 1) -> list[tuple[Stream, Event]]:
    return [(stream, Event.of(stream, skip="x")) for stream in streams for _ in range(count)]


async def in_flight(bench: CacheBench, calls: int = 1) -> None:
    await until(lambda: len(bench.storage.batches) == calls)


async def test_events_on_their_way_count_as_queued() -> None:
    async with opened() as bench:
        bench.storage.gate = asyncio.Event()
        keeping = asyncio.create_task(bench.cache.keep(records(TOKEN, count=3)))
        await in_flight(bench)
        assert (bench.ledger.queued, bench.ledger.balanced) == (3, True)
        bench.storage.gate.set()
        assert await keeping == 0
        assert (bench.ledger.stored, bench.ledger.queued, bench.ledger.balanced) == (3, 0, True)


async def test_events_are_counted_when_the_call_is_cancelled() -> None:
    async with opened() as bench:
        bench.storage.gate = asyncio.Event()
        keeping = asyncio.create_task(bench.cache.keep(records(*STREAMS)))
        await in_flight(bench)
        keeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeping
        assert (bench.ledger.dropped["shutdown"], bench.ledger.queued, bench.ledger.balanced) == (200, 0, True)


async def test_events_are_counted_when_a_storage_has_a_bug() -> None:
    async with opened() as bench:
        bench.storage.faults = [RuntimeError("a bug")]
        with pytest.raises(RuntimeError):
            await bench.cache.keep(records(*STREAMS))
        assert (bench.ledger.dropped["storage_error"], bench.ledger.queued, bench.ledger.balanced) == (200, 0, True)


async def test_what_the_storage_cannot_take_stops_no_other_stream() -> None:
    async with opened() as bench:
        bench.storage.faults = [StorageError("damaged")]
        assert await bench.cache.keep(records(*STREAMS)) == 1
        assert (bench.ledger.stored, bench.ledger.dropped["storage_error"], bench.ledger.balanced) == (199, 1, True)


async def test_a_call_without_an_answer_is_tried_again_under_the_same_number() -> None:
    async with opened() as bench:
        bench.storage.lose_reply = True
        assert await bench.cache.keep(records(TOKEN, count=3)) == 0
        first, again = bench.storage.batches
        assert first == again
        assert (bench.ledger.stored, bench.ledger.balanced) == (3, True)
        assert (await bench.cache.fetch(TOKEN, Query())).total == 3


async def test_a_storage_that_does_not_answer_in_time_is_told_and_all_is_counted() -> None:
    async with opened() as bench:
        bench.storage.unavailable = STREAMS[0]
        keeping = asyncio.create_task(bench.cache.keep(records(*STREAMS)))
        await in_flight(bench, 64)
        bench.clock.advance(60_000_000)
        with pytest.raises(StorageUnavailable):
            await keeping
        assert (bench.ledger.stored, bench.ledger.dropped["storage_unavailable"]) == (63, 137)
        assert (bench.ledger.queued, bench.ledger.balanced) == (0, True)


async def test_two_sources_that_bring_to_one_stream_take_turns() -> None:
    async with opened() as bench:
        bench.storage.gate = asyncio.Event()
        both = [asyncio.create_task(bench.cache.keep(records(TOKEN))) for _ in range(2)]
        await in_flight(bench)
        await asyncio.sleep(0)
        assert len(bench.storage.batches) == 1
        bench.storage.gate.set()
        assert await asyncio.gather(*both) == [0, 0]
        assert [batch.number for batch in bench.storage.batches] == [1, 2]
        assert bench.ledger.stored == 2
