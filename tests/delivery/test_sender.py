"""The sender: what goes into one call, when it is sent, retries, and the reasons of drops."""

import asyncio

import pytest
import structlog

from eventscache.cache import EventsCache
from eventscache.clock import MICROSECONDS
from eventscache.delivery.sender import MAX_CALL_STREAMS
from eventscache.errors import StorageError, StorageUnavailable, TooManyStreams
from eventscache.event import Event
from eventscache.storage.messages import Batch, Query, Quota
from eventscache.stream import Namespace, Stream
from tests.support.cache_bench import QUOTA, TOKEN, CacheBench, opened, until


async def test_events_of_one_turn_go_into_one_batch_per_stream() -> None:
    other = Stream(Namespace.DESTINATION, "dest")
    async with opened() as bench:
        bench.offer(3)
        bench.offer(2, other)
        assert bench.ledger.queued == 5
        await bench.settled()
        assert [(batch.stream, len(batch.offers)) for batch in bench.storage.batches] == [(TOKEN, 3), (other, 2)]
        assert bench.ledger.stored == 5


async def test_no_more_payloads_than_the_size_are_sent() -> None:
    async with opened() as bench:
        bench.offer(1000)
        await bench.settled()
        (batch,) = bench.storage.batches
        assert (len(batch.offers), batch.all.surplus) == (10, 990)
        assert (bench.ledger.stored, bench.ledger.limited) == (10, 990)
        assert (await bench.cache.fetch(TOKEN, Query())).limited == 990


async def test_a_large_backlog_is_split_into_bounded_batches() -> None:
    bench = CacheBench()
    bench.cache = EventsCache(bench.storage, quota=Quota(5000, MICROSECONDS), now_us=bench.clock)
    bench.ledger = bench.cache.ledger
    await bench.cache.open()
    bench.offer(2500)
    bench.cache.offer([(TOKEN, Event(original=b'"' + b"x" * 700_000 + b'"')) for _ in range(3)])
    await bench.settled()
    assert [len(batch.offers) for batch in bench.storage.batches] == [1000, 1000, 502, 1]
    assert [batch.number for batch in bench.storage.batches] == [1, 2, 3, 4]
    assert bench.ledger.stored == 2503
    await bench.cache.close()


async def test_at_most_pool_size_calls_are_in_flight_and_one_batch_per_stream() -> None:
    async with opened(pool_size=3) as bench:
        bench.storage.gate = asyncio.Event()
        for number in range(3 * MAX_CALL_STREAMS + 1):  # the memory storage takes them one after another
            bench.offer(1, Stream(Namespace.TOKEN, f"key {number}"))
        await until(lambda: len(bench.storage.batches) == 3)
        bench.offer(1, Stream(Namespace.TOKEN, "key 0"))
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(bench.storage.batches) == 3
        bench.storage.gate.set()
        await bench.settled()
        assert bench.ledger.stored == 3 * MAX_CALL_STREAMS + 2


async def test_while_a_call_is_in_flight_the_next_one_waits_until_it_is_large_enough() -> None:
    async with opened(pool_size=3) as bench:
        bench.storage.gate = asyncio.Event()
        bench.offer(1, Stream(Namespace.TOKEN, "first"))
        await until(lambda: len(bench.storage.batches) == 1)
        for number in range(MAX_CALL_STREAMS - 1):
            bench.offer(1, Stream(Namespace.TOKEN, f"key {number}"))
            await asyncio.sleep(0)
        assert len(bench.storage.batches) == 1
        bench.offer(1, Stream(Namespace.TOKEN, "the last one makes the call large enough"))
        await until(lambda: len(bench.storage.batches) == 2)
        bench.storage.gate.set()
        await bench.settled()
        assert bench.ledger.stored == MAX_CALL_STREAMS + 1


async def test_a_dispatch_lingers_while_events_keep_coming_but_not_for_long() -> None:
    async with opened(quota=Quota(100_000, MICROSECONDS)) as bench:
        for _ in range(50):
            bench.offer()
            await asyncio.sleep(0)
        assert bench.storage.batches == []
        bench.clock.advance(50_000)
        bench.offer()
        await until(lambda: len(bench.storage.batches) == 1)
        assert len(bench.storage.batches[0].offers) == 51
        while len(bench.storage.batches) == 1:
            bench.offer(100)
            await asyncio.sleep(0)
        assert 1000 <= bench.ledger.received - 51 <= 1200  # as many as one call takes, and those that came meanwhile


async def test_events_with_a_receipt_are_sent_without_lingering() -> None:
    async with opened() as bench:
        bench.offer()
        await asyncio.sleep(0)
        bench.offer()
        stored = asyncio.create_task(bench.cache.store([(TOKEN, Event(original=b"{}"))]))
        for _ in range(3):
            await asyncio.sleep(0)
        assert [len(batch.offers) for batch in bench.storage.batches] == [3]
        await stored


async def test_events_of_a_stale_batch_are_dropped_as_unconfirmed() -> None:
    async with opened() as bench:
        bench.offer()
        await bench.settled()
        writer = bench.storage.batches[0].writer
        await bench.storage.insert(Batch(TOKEN, QUOTA, writer, 1000))
        bench.offer()
        await bench.settled()
        assert bench.ledger.dropped == {"unconfirmed": 1}


async def test_a_lost_reply_neither_loses_nor_repeats_an_event() -> None:
    async with opened() as bench:
        bench.storage.lose_reply = True
        bench.offer(3)
        await bench.settled()
        first, second = bench.storage.batches
        assert (first.writer, first.number) == (second.writer, second.number)
        assert bench.ledger.stored == 3
        assert (await bench.cache.fetch(TOKEN, Query())).total == 3


async def test_a_retry_keeps_the_order_within_a_stream() -> None:
    async with opened() as bench:
        bench.storage.faults = [StorageUnavailable("no answer")]
        for number in range(5):
            bench.offer(uid=str(number))
            await asyncio.sleep(0)
        await bench.settled()
        found = await bench.cache.fetch(TOKEN, Query())
        assert [event.uid for _, event in found.events] == ["4", "3", "2", "1", "0"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (StorageUnavailable("no connection", ambiguous=False), "storage_unavailable"),
        (StorageUnavailable("no answer"), "unconfirmed"),
        (StorageError("wrong type"), "storage_error"),
        (TooManyStreams("too many"), "max_streams"),
        (ZeroDivisionError("a bug of the backend"), "storage_error"),
    ],
)
async def test_events_that_cannot_be_stored_are_dropped_with_their_reason(fault: Exception, reason: str) -> None:
    async with opened(ack_timeout_seconds=0) as bench:
        bench.storage.faults = [fault]
        bench.offer(4)
        await bench.settled()
        assert bench.ledger.dropped == {reason: 4}
        assert bench.cache.queue.bytes == 0
        bench.clock.advance(MICROSECONDS)
        bench.offer(2)
        await bench.settled()
        assert bench.ledger.stored == 2


async def test_a_retry_delays_no_other_call() -> None:
    async with opened(pool_size=3) as bench:
        bench.storage.unavailable = Stream(Namespace.TOKEN, "of a server that is unavailable")
        bench.offer(1, bench.storage.unavailable)
        await until(lambda: len(bench.storage.batches) > 1)
        bench.offer()
        await until(lambda: bench.ledger.stored == 1)
        bench.storage.unavailable = None
        await bench.settled()
        assert bench.ledger.stored == 2


DOOMED = [Stream(Namespace.TOKEN, f"doomed {number}") for number in range(4 * MAX_CALL_STREAMS)]
HEALTHY = [Stream(Namespace.TOKEN, f"healthy {number}") for number in range(4 * MAX_CALL_STREAMS)]


async def test_streams_of_a_server_that_is_away_delay_no_others_however_many_they_are() -> None:
    async with opened(pool_size=1) as bench:
        bench.storage.away = {*DOOMED}
        await offer_to_both_and_wait_for_the_healthy(bench)
        assert bench.ledger.queued == len(DOOMED)
        for _ in range(2):  # what is retried is given up, and then others are tried
            bench.clock.advance(2 * MICROSECONDS)
            await until(lambda: bench.ledger.dropped.total() >= MAX_CALL_STREAMS)
            await offer_to_both_and_wait_for_the_healthy(bench)
        bench.storage.away = ()
        await bench.settled()


async def offer_to_both_and_wait_for_the_healthy(bench: CacheBench) -> None:
    for doomed, healthy in zip(DOOMED, HEALTHY, strict=True):
        bench.offer(1, doomed)
        bench.offer(1, healthy)
    goal = bench.ledger.stored + len(HEALTHY)
    await until(lambda: bench.ledger.stored == goal)


async def test_streams_of_a_server_that_is_away_delay_no_others_that_begin() -> None:
    async with opened(pool_size=1) as bench:
        doomed = DOOMED[:MAX_CALL_STREAMS]
        bench.storage.away = {*doomed}
        token = bench.cache.producers.by_token(b"token")
        for streams in (doomed, HEALTHY):
            bench.cache.offer([(stream, Event(original=b"{}")) for stream in streams], token)
        await until(lambda: bench.ledger.stored == len(HEALTHY))
        assert bench.ledger.queued == len(doomed)
        bench.storage.away = ()
        await bench.settled()
        assert bench.ledger.stored == len(doomed) + len(HEALTHY)


class Everywhere:
    """Contains every stream."""

    def __contains__(self, stream: object) -> bool:
        return True


async def test_while_the_storage_answers_no_stream_most_events_wait_and_have_no_deadline_yet() -> None:
    async with opened(pool_size=2, ack_timeout_seconds=60) as bench:
        bench.storage.away = Everywhere()
        for stream in DOOMED + HEALTHY:
            bench.offer(1, stream)
        await until(lambda: len(bench.storage.batches) > 10 * MAX_CALL_STREAMS)
        assert len({batch.stream for batch in bench.storage.batches}) == 2 * MAX_CALL_STREAMS
        bench.clock.advance(60 * MICROSECONDS)
        await until(lambda: bench.ledger.dropped.total() == 2 * MAX_CALL_STREAMS)
        bench.storage.away = ()
        await bench.settled()
        assert bench.ledger.dropped == {"storage_unavailable": 2 * MAX_CALL_STREAMS}


async def test_closing_counts_what_is_retried_and_what_waits_for_that() -> None:
    bench = CacheBench(pool_size=1)
    await bench.cache.open()
    bench.storage.away = Everywhere()
    for stream in DOOMED:
        bench.offer(1, stream)
    await until(lambda: len(bench.storage.batches) > 2 * MAX_CALL_STREAMS)
    await bench.cache.close(0)
    assert bench.ledger.dropped == {"shutdown": len(DOOMED)}
    assert (bench.ledger.balanced, bench.cache.queue.bytes, bench.cache.queue.waiting_bytes) == (True, 0, 0)


async def test_untrusted_events_may_not_evict_a_stream() -> None:
    async with opened() as bench:
        bench.cache.offer([(TOKEN, Event(original=b"{}"))], bench.cache.producers.anonymous)
        await bench.settled()
        assert not any(batch.trusted for batch in bench.storage.batches)
        bench.offer()
        await bench.settled()
        assert bench.storage.batches[-1].trusted


@pytest.mark.parametrize("turns", range(12))
async def test_closing_counts_every_event_whenever_the_storage_becomes_unavailable(turns: int) -> None:
    async with opened() as bench:
        bench.storage.gate = asyncio.Event()
        bench.storage.faults = [StorageUnavailable("no connection", ambiguous=False) for _ in range(3)]
        for number in range(3):
            bench.offer(1, Stream(Namespace.TOKEN, f"key {number}"))
        await until(lambda: bool(bench.storage.batches))

        closing = asyncio.create_task(bench.cache.close(0))
        for _ in range(turns):
            await asyncio.sleep(0)
        bench.storage.gate.set()
        await closing

        assert bench.ledger.dropped == {"shutdown": 3}
        assert bench.ledger.balanced
        assert (bench.ledger.queued, bench.cache.queue.bytes) == (0, 0)


async def test_the_log_says_once_that_the_storage_is_unavailable_and_once_that_it_is_available_again() -> None:
    with structlog.testing.capture_logs() as log:
        async with opened() as bench:
            bench.storage.faults = [StorageUnavailable("no answer") for _ in range(3)]
            bench.offer()
            assert bench.cache.queue.sender.storage_available
            await until(lambda: not bench.cache.queue.sender.storage_available)
            await bench.settled()
            assert bench.cache.queue.sender.storage_available
    assert [line["event"] for line in log] == ["storage unavailable", "storage available again"]


async def test_the_log_repeats_the_same_storage_error_only_every_ten_seconds() -> None:
    with structlog.testing.capture_logs() as log:
        async with opened() as bench:
            for reason, seconds in (("wrong type", 0), ("wrong type", 9), ("wrong type", 1), ("read-only", 0)):
                bench.clock.advance(seconds * MICROSECONDS)
                bench.storage.faults = [StorageError(reason)]
                bench.offer()
                await bench.settled()
    assert [line["reason"] for line in log] == ["wrong type", "wrong type", "read-only"]
    assert {line["event"] for line in log} == {"storage error, batch dropped"}


async def test_one_try_without_an_answer_leaves_the_outcome_unconfirmed() -> None:
    async with opened() as bench:
        sure = StorageUnavailable("no connection", ambiguous=False)
        bench.storage.faults = [sure, StorageUnavailable("no answer")]
        bench.storage.unavailable = TOKEN
        bench.offer()
        await until(lambda: len(bench.storage.batches) == 4)  # the tries after the second were surely not carried out
        bench.clock.advance(2 * MICROSECONDS)
        await bench.settled()
        assert bench.ledger.dropped == {"unconfirmed": 1}


@pytest.mark.parametrize("ambiguous", [True, False])
async def test_limited_counts_are_sent_again_under_their_number_if_the_storage_may_have_them(ambiguous: bool) -> None:
    async with opened() as bench:
        bench.offer(10)
        await bench.settled()
        bench.offer(3)  # limited locally: their count waits
        assert bench.buffer().has_limited_counts
        bench.storage.faults = [StorageUnavailable("gone", ambiguous=ambiguous)]
        bench.storage.unavailable = TOKEN
        bench.offer(error="failed")  # the collection of errors still admits, so this batch takes the count along
        await until(lambda: len(bench.storage.batches) == 3)
        bench.clock.advance(2 * MICROSECONDS)
        await bench.settled()
        assert bench.buffer().has_limited_counts
        assert (bench.buffer().unconfirmed is not None) is ambiguous
