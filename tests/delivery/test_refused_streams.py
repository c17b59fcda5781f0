"""Refused streams: for a second their events are dropped without a call, exactly as the storage would refuse them."""

import asyncio

import pytest

from eventscache.clock import MICROSECONDS
from eventscache.delivery.producer import Producer
from eventscache.delivery.receipt import Loss
from eventscache.delivery.refused_streams import Refusal, RefusedStreams
from eventscache.errors import NewStreamsRefused, NotStored, TooManyStreams
from eventscache.event import Event
from eventscache.query.turns import Work
from eventscache.storage.messages import Query
from eventscache.stream import Namespace, Stream
from eventscache.testing import ManualClock
from tests.support.cache_bench import CacheBench, opened, until

REFUSED = Stream(Namespace.TOKEN, "refused")
OTHER = Stream(Namespace.TOKEN, "other")


def offer(bench: CacheBench, *streams: Stream, token: bytes = b"token") -> None:
    producer = bench.cache.producers.by_token(token)
    assert bench.cache.offer([(stream, Event(skip="x")) for stream in streams], producer)


async def refuse_at_gate(bench: CacheBench) -> asyncio.Event:
    """Offer an event that will be refused, and return what lets the storage answer."""
    offer(bench, OTHER)
    await bench.settled()
    bench.storage.gate = gate = asyncio.Event()
    calls = len(bench.storage.batches)
    offer(bench, REFUSED)
    await until(lambda: len(bench.storage.batches) > calls)
    return gate


async def refuse(bench: CacheBench) -> int:
    """Let a stream begin, and the storage refuse another one; return how many calls were made."""
    offer(bench, OTHER)
    await bench.settled()
    offer(bench, REFUSED)
    await bench.settled()
    assert bench.ledger.dropped.total() == 1
    return len(bench.storage.batches)


async def test_the_events_of_a_refused_stream_are_dropped_at_once_for_a_second() -> None:
    async with opened(max_new_streams_per_minute=1) as bench:
        calls = await refuse(bench)
        bench.clock.advance(MICROSECONDS - 1)
        offer(bench, *[REFUSED] * 10)
        assert (bench.ledger.dropped["new_streams"], bench.ledger.queued, bench.ledger.balanced) == (11, 0, True)
        assert (len(bench.storage.batches), bench.cache.queue.bytes) == (calls, 0)
        bench.clock.advance(1)
        offer(bench, REFUSED)
        assert bench.ledger.queued == 1
        await bench.settled()
        assert len(bench.storage.batches) == calls + 1


async def test_other_streams_are_served_meanwhile() -> None:
    async with opened(max_new_streams_per_minute=1) as bench:
        await refuse(bench)
        offer(bench, OTHER, REFUSED, OTHER)
        await bench.settled()
        assert (bench.ledger.stored, bench.ledger.dropped.total()) == (3, 2)


@pytest.mark.parametrize("again", [False, True])
async def test_who_waits_is_told_the_same(again: bool) -> None:
    async with opened(max_new_streams_per_minute=1) as bench:
        if again:
            await refuse(bench)
        else:
            offer(bench, OTHER)
            await bench.settled()
        token = bench.cache.producers.by_token(b"token")
        with pytest.raises(NewStreamsRefused) as refused:
            await bench.cache.store([(OTHER, Event(skip="x")), (REFUSED, Event(skip="x"))], token)
        assert str(refused.value) == (
            "1 of 2 events were not stored: new streams would begin, and eventscache.max_new_streams_per_minute of "
            "them began in the last minute"
        )
        assert (refused.value.stored, refused.value.limited, refused.value.final) == (1, 0, 0)


async def test_a_stream_for_which_there_is_no_room_is_remembered_too() -> None:
    async with opened() as bench:
        bench.storage.faults = [TooManyStreams("too many")]
        told = []
        for _ in range(2):
            with pytest.raises(NotStored) as lost:
                await bench.cache.store([(REFUSED, Event(skip="x"))])
            told.append((str(lost.value), lost.value.final))
        assert told[0] == told[1]
        assert (bench.ledger.dropped, len(bench.storage.batches)) == ({"max_streams": 2}, 1)


async def test_another_producer_is_not_refused_and_opens_the_stream_for_all() -> None:
    async with opened(max_new_streams_per_minute=1) as bench:
        await refuse(bench)
        offer(bench, REFUSED, token=b"another")
        await bench.settled()
        offer(bench, REFUSED)
        await bench.settled()
        assert (bench.ledger.stored, bench.ledger.dropped.total()) == (3, 1)


async def test_a_stream_that_may_begin_before_the_storage_answers_is_not_refused() -> None:
    async with opened(max_new_streams_per_minute=1) as bench:
        gate = await refuse_at_gate(bench)
        bench.cache.offer([(REFUSED, Event(skip="x"))])  # an API key
        gate.set()
        await bench.settled()
        offer(bench, REFUSED)
        await bench.settled()
        assert (bench.ledger.stored, bench.ledger.dropped.total()) == (4, 0)


async def test_events_that_wait_meanwhile_are_dropped_with_the_refusal() -> None:
    async with opened(max_new_streams_per_minute=1) as bench:
        gate = await refuse_at_gate(bench)
        asked = len(bench.storage.batches)
        offer(bench, *[REFUSED] * 5)
        gate.set()
        await bench.cache.fetch(REFUSED, Query())
        await bench.settled()
        assert (bench.ledger.dropped["new_streams"], bench.ledger.balanced) == (6, True)
        assert (len(bench.storage.batches), bench.cache.queue.bytes) == (asked, 0)
        assert bench.cache.queue.waiting_bytes == 0


async def test_a_producer_who_may_do_more_is_not_refused_for_another_one() -> None:
    async with opened() as bench:
        bench.storage.faults = [TooManyStreams("too many")]
        bench.storage.gate = gate = asyncio.Event()
        offer(bench, REFUSED)
        await until(lambda: len(bench.storage.batches) == 1)
        bench.cache.offer([(REFUSED, Event(skip="x"))])  # an API key
        gate.set()
        await bench.settled()
        assert (bench.ledger.stored, bench.ledger.dropped) == (1, {"max_streams": 1})


async def test_originals_of_a_refused_stream_are_found_in_the_record_as_others_are() -> None:
    async with opened(max_new_streams_per_minute=1) as bench:
        await refuse(bench)
        token = bench.cache.producers.by_token(b"token")
        assert bench.cache.offer_originals(REFUSED, [b'{"eventn_ctx":{"event_id":"a"}}'], token)
        assert (bench.ledger.dropped["new_streams"], bench.ledger.balanced) == (2, True)
        record = bench.cache.record
        assert record is not None
        assert [sighting.outcome for sighting in await record.find("a", Work(bench.cache.turns))] == ["new_streams"]


async def test_a_reset_may_make_room() -> None:
    async with opened(max_new_streams_per_minute=1) as bench:
        calls = await refuse(bench)
        await bench.cache.clear(OTHER, reset=True)
        offer(bench, REFUSED)
        await bench.settled()
        assert len(bench.storage.batches) == calls + 1


async def test_a_flood_of_new_ids_leaves_no_buffers() -> None:
    async with opened(max_new_streams_per_minute=1) as bench:
        offer(bench, OTHER, *[Stream(Namespace.TOKEN, f"new {number}") for number in range(500)])
        await bench.settled()
        assert (bench.ledger.dropped["new_streams"], bench.cache.queue.streams) == (500, 1)


def test_the_memory_of_refused_streams_is_bounded() -> None:
    refused, producer = RefusedStreams(ManualClock()), Producer(trusted=False)
    for number in range(12_000):
        refused.add(Stream(Namespace.TOKEN, str(number)), producer, Refusal("max_streams", "full", Loss.FINAL))
    assert len(refused) == 10_000
    assert refused.recall(Stream(Namespace.TOKEN, "1"), producer) is None
    assert refused.recall(Stream(Namespace.TOKEN, "11999"), producer) is not None
