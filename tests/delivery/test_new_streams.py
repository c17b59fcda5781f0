"""New streams: they delay no known ones, and one producer begins a bounded number of them in a minute."""

import asyncio

import pytest
import structlog

from eventscache.clock import MICROSECONDS
from eventscache.delivery.sender import MAX_CALL_STREAMS
from eventscache.errors import NewStreamsRefused, NotStored, StorageRefused, StorageUnavailable
from eventscache.event import Event
from eventscache.storage.messages import Query
from eventscache.stream import Namespace, Stream
from tests.support.cache_bench import TOKEN, CacheBench, opened, until

OTHER = Stream(Namespace.DESTINATION, "other")


def flood(bench: CacheBench, count: int, token: bytes = b"token", first: int = 0) -> None:
    producer = bench.cache.producers.by_token(token)
    records = [(Stream(Namespace.TOKEN, f"new {number}"), Event(skip="x")) for number in range(first, first + count)]
    assert bench.cache.offer(records, producer)


def begun(bench: CacheBench) -> int:
    return len({batch.stream for batch in bench.storage.batches if batch.may_begin})


async def test_a_producer_begins_so_many_streams_in_any_minute_and_the_events_of_more_are_dropped() -> None:
    async with opened(max_new_streams_per_minute=100) as bench:
        with structlog.testing.capture_logs() as logs:
            flood(bench, 250)
            await bench.settled()
            assert (bench.ledger.stored, bench.ledger.dropped["new_streams"]) == (100, 150)
            assert begun(bench) == 100
            assert [entry["setting"] for entry in logs] == ["eventscache.max_new_streams_per_minute"]
        # Known streams go on; other producers have bounds of their own.
        flood(bench, 100)
        flood(bench, 50, b"another", first=1000)
        bench.cache.offer([(TOKEN, Event(skip="x"))])  # an API key
        await bench.settled()
        assert (bench.ledger.stored, bench.ledger.dropped["new_streams"]) == (251, 150)
        bench.clock.advance(60 * MICROSECONDS)
        flood(bench, 120, first=2000)
        await bench.settled()
        assert (bench.ledger.stored, bench.ledger.dropped["new_streams"]) == (351, 170)


async def test_a_stream_that_was_evicted_is_new_again() -> None:
    async with opened(max_new_streams_per_minute=2) as bench:
        flood(bench, 2)
        await bench.settled()
        await bench.storage.erase()
        flood(bench, 2)
        await bench.settled()
        assert (bench.ledger.stored, bench.ledger.dropped["new_streams"]) == (2, 2)


async def test_a_stream_begins_in_any_case_once_an_api_key_sends_to_it() -> None:
    async with opened(max_new_streams_per_minute=1) as bench:
        flood(bench, 2)
        bench.cache.offer([(Stream(Namespace.TOKEN, "new 1"), Event(skip="y"))])
        await bench.settled()
        assert bench.ledger.dropped["new_streams"] == 0
        assert (await bench.cache.fetch(Stream(Namespace.TOKEN, "new 1"), Query())).total == 2


async def test_known_streams_wait_for_no_new_ones() -> None:
    async with opened(max_new_streams_per_minute=10_000, pool_size=1) as bench:
        honest = bench.cache.producers.by_token(b"honest")
        await bench.cache.store([(OTHER, Event(skip="1"))], honest)
        flood(bench, 1000)
        await until(lambda: len(bench.storage.batches) > 1)
        before = len(bench.storage.batches)
        await bench.cache.store([(OTHER, Event(skip="2"))], honest)
        assert len(bench.storage.batches) - before <= 2 * MAX_CALL_STREAMS + 1
        await bench.settled()
        assert bench.ledger.stored == 1002


async def test_new_streams_that_wait_for_the_storage_hold_up_no_known_one() -> None:
    async with opened(pool_size=1) as bench:
        await bench.cache.store([(TOKEN, Event(skip="1"))])
        bench.storage.gate = gate = asyncio.Event()
        flood(bench, 200)
        await until(lambda: len(bench.storage.batches) == 2)
        bench.storage.gate = None
        await bench.cache.store([(TOKEN, Event(skip="2"))])
        assert [batch.stream for batch in bench.storage.batches[2:]] == [TOKEN]
        gate.set()
        await bench.settled()
        assert bench.ledger.stored == 202


@pytest.mark.parametrize("call", [0, 1, 2])
async def test_new_streams_begin_although_the_storage_was_away(call: int) -> None:
    async with opened() as bench:
        bench.storage.faults = [None] * call + [StorageUnavailable("away", ambiguous=False)]
        flood(bench, 2)
        await until(lambda: bool(bench.storage.batches))
        while bench.ledger.queued:
            bench.clock.advance(1000)
            await asyncio.sleep(0.001)
        assert (bench.ledger.stored, bench.ledger.balanced) == (2, True)


async def test_events_of_streams_that_are_about_to_begin_are_counted_when_the_cache_closes() -> None:
    bench = CacheBench()
    await bench.cache.open()
    bench.storage.gate = asyncio.Event()
    flood(bench, 200)
    await until(lambda: bool(bench.storage.batches))
    await bench.cache.close(0)
    assert (bench.ledger.dropped["shutdown"], bench.ledger.balanced) == (200, True)


def records_of(*names: str) -> list[tuple[Stream, Event]]:
    return [(Stream(Namespace.TOKEN, name), Event(skip="x")) for name in names]


async def test_who_waits_learns_that_new_streams_were_refused_and_all_others_kept() -> None:
    async with opened(max_new_streams_per_minute=2) as bench:
        token = bench.cache.producers.by_token(b"token")
        with pytest.raises(NewStreamsRefused, match="max_new_streams_per_minute") as refused:
            await bench.cache.store(records_of("a", "b", "c", "a"), token)
        assert (refused.value.stored, refused.value.limited) == (3, 0)
        receipt = await bench.cache.store(records_of("a", "b"), token)
        assert receipt
        assert receipt.stored == 2


async def test_a_loss_of_another_kind_is_told_as_such() -> None:
    async with opened(max_new_streams_per_minute=1, ack_timeout_seconds=0.05) as bench:
        token = bench.cache.producers.by_token(b"token")
        bench.storage.faults = [None, None, *[StorageRefused("the disk is full")] * 1000]
        storing = asyncio.create_task(bench.cache.store(records_of("a", "b"), token))
        await until(lambda: bench.ledger.dropped["new_streams"] == 1)
        bench.clock.advance(60 * MICROSECONDS)
        with pytest.raises(NotStored) as lost:
            await storing
        assert not isinstance(lost.value, NewStreamsRefused)


async def test_the_memory_of_producers_is_bounded() -> None:
    async with opened() as bench:
        producers = bench.cache.producers
        first = producers.by_token(b"first")
        assert producers.by_token(b"first") is first
        for number in range(1000):
            producers.by_token(b"%d" % number)
        assert producers.by_token(b"first") is not first
