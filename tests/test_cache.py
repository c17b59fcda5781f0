"""The way of an event to the storage: leases, carried refusals, retries, and the ledger over all of it."""

import asyncio
import itertools
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from eventscache.cache import EventsCache
from eventscache.clock import MICROSECONDS
from eventscache.delivery.stream_buffer import MAX_CALL_STREAMS, StreamBuffer
from eventscache.errors import InvalidEvent, StorageError, StorageUnavailable, TooManyStreams
from eventscache.event import Event
from eventscache.query.filter import EventFilter
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Admission, Batch, Decision, LimitedCount, Offer, Query, Quota
from eventscache.storage.options import StorageOptions
from eventscache.stream import Namespace, Status, Stream
from eventscache.testing import ManualClock
from eventscache.timestamp import format_time

TOKEN = Stream(Namespace.TOKEN, "key")
QUOTA = Quota(10, 60 * MICROSECONDS)
GENEROUS_SECONDS = 20


class Recorded(MemoryStorage):
    """The memory storage, with every batch it was given, and a script of faults to raise first."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(StorageOptions(now=lambda: self.now_us or clock()))
        self.now_us = 0
        self.batches: list[Batch] = []
        self.answers: list[Admission] = []
        self.faults: list[Exception | None] = []
        self.away: Stream | None = None
        self.gate: asyncio.Event | None = None
        self.lose_reply = False

    async def insert(self, batch: Batch) -> Admission:
        self.batches.append(batch)
        if self.gate:
            await self.gate.wait()
        if self.faults and (fault := self.faults.pop(0)):
            raise fault
        if batch.stream == self.away:
            raise StorageUnavailable("no connection", ambiguous=False)
        admission = await super().insert(batch)
        self.answers.append(admission)
        if self.lose_reply:
            self.lose_reply = False
            raise StorageUnavailable("the reply was lost")
        return admission


class Bench:
    def __init__(self, **settings) -> None:
        self.clock = ManualClock()
        self.storage = Recorded(self.clock)
        self.cache = EventsCache(self.storage, now_us=self.clock, **{"quota": QUOTA, **settings})
        self.ledger = self.cache.ledger

    def offer(self, count: int = 1, stream: Stream = TOKEN, **fields) -> bool:
        return self.cache.offer([(stream, Event.of(stream, original=b"{}", **fields)) for _ in range(count)])

    def buffer(self) -> StreamBuffer:
        buffer = self.cache.queue.buffer(TOKEN)
        assert buffer
        return buffer

    async def settled(self) -> None:
        await until(lambda: self.ledger.queued == 0)
        assert self.ledger.balanced


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(GENEROUS_SECONDS):
        while not condition():
            await asyncio.sleep(0)


@asynccontextmanager
async def opened(**settings) -> AsyncIterator[Bench]:
    bench = Bench(**settings)
    await bench.cache.open()
    try:
        yield bench
    finally:
        await bench.cache.close(0)


async def test_events_of_one_turn_travel_in_one_call_per_stream() -> None:
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


async def test_a_large_backlog_is_split_into_bounded_calls() -> None:
    bench = Bench()
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


async def test_events_that_come_singly_wait_together_in_bounds_in_order_and_each_with_its_own_receipt() -> None:
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
        assert [len(item.events) for item in bench.buffer().waiting] == [500, 500, 200, 1, 1, 1, 1, 1]
        bench.storage.gate.set()
        await bench.settled()
        assert [await receipt for receipt in waiting]
        found = (await bench.cache.fetch(TOKEN, Query(limit=5000))).events
        originals = [event.original for _, event in reversed(found) if event.original]
        assert originals == [b"{}", *(b'{"n":%d}' % number for number in range(1203))]
        assert [batch.number for batch in bench.storage.batches] == [1, 2, 3]
        assert (bench.ledger.stored, bench.ledger.admitted_error, bench.cache.queue.bytes) == (1206, 4, 0)


async def test_a_closed_collection_is_not_asked_again_until_it_opens() -> None:
    async with opened() as bench:
        bench.offer(10)
        await bench.settled()
        bench.clock.advance(MICROSECONDS - 1)
        bench.offer(50)
        assert bench.ledger.limited == 50
        assert bench.ledger.queued == 0
        assert len(bench.storage.batches) == 1
        bench.clock.advance(1)  # leases last a second at most
        bench.offer()
        await bench.settled()
        assert bench.storage.batches[1].all.limited_earlier == (LimitedCount(1, 50),)


async def test_a_lease_ends_before_the_collection_opens() -> None:
    async with opened() as bench:
        bench.offer(10)
        await bench.settled()
        bench.clock.advance(60 * MICROSECONDS)
        bench.offer(11)  # ten are admitted, and from now on one every six seconds
        await bench.settled()
        admitted_at = []
        for _ in range(2000):
            bench.clock.advance(100_000)
            before = bench.ledger.stored
            bench.offer()
            await bench.settled()
            if bench.ledger.stored > before:
                admitted_at.append(bench.clock.now_us)
        gaps = [later - earlier for earlier, later in itertools.pairwise(admitted_at)]
        assert len(gaps) > 20
        assert max(gaps) <= 2 * 6 * MICROSECONDS + 100_000


async def test_a_lease_never_refuses_what_the_storage_would_admit() -> None:
    async with opened(quota=Quota(10, MICROSECONDS)) as bench:
        bench.offer(11)
        await bench.settled()
        for _ in range(50):
            verdict = bench.storage.answers[-1].all
            assert verdict is not None
            bench.clock.advance(verdict.retry_after_us)
            stored = bench.ledger.stored
            bench.offer(20)
            await bench.settled()
            assert bench.ledger.stored > stored
            # Until shortly before it opens, nothing of this reaches the storage.
            calls = len(bench.storage.batches)
            verdict = bench.storage.answers[-1].all
            assert verdict is not None
            bench.clock.advance(verdict.retry_after_us * 99 // 100)
            bench.offer()
            assert len(bench.storage.batches) == calls
            bench.clock.advance(-(verdict.retry_after_us * 99 // 100))


async def test_a_lease_runs_from_when_the_call_was_sent() -> None:
    async with opened(quota=Quota(10, MICROSECONDS)) as bench:
        bench.storage.gate = asyncio.Event()
        bench.offer(10)
        await until(lambda: len(bench.storage.batches) == 1)
        sent_us = bench.clock.now_us
        bench.clock.advance(700)
        bench.storage.now_us = sent_us  # the storage's clock is its own
        bench.storage.gate.set()
        await bench.settled()
        assert bench.storage.answers[0].all == Decision(10, MICROSECONDS)
        assert bench.buffer().all.until_us == sent_us + 999_000


async def test_refusals_that_come_back_are_carried_though_the_stream_fell_silent() -> None:
    async with opened(ack_timeout_seconds=0) as bench:
        bench.offer(10)
        await bench.settled()
        bench.offer(6)
        bench.storage.faults = [StorageUnavailable("no connection", ambiguous=False)]
        bench.clock.advance(900_000)
        bench.offer()
        await until(lambda: len(bench.storage.batches) == 2)
        await until(lambda: bench.buffer().carries)
        bench.clock.advance(900_000)
        await until(lambda: len(bench.storage.answers) == 2)
        assert (await bench.storage.fetch(TOKEN, Query())).limited == 7


async def test_what_a_lease_refused_is_limited_though_the_rest_of_its_call_fails() -> None:
    async with opened(ack_timeout_seconds=0) as bench:
        bench.storage.gate = asyncio.Event()
        bench.offer(10)
        await until(lambda: len(bench.storage.batches) == 1)
        bench.offer(3)
        bench.offer(2, error="e")
        bench.storage.faults = [None, StorageUnavailable("no connection", ambiguous=False)]
        bench.storage.gate.set()
        await bench.settled()
        assert bench.ledger.stored == 10
        assert bench.ledger.limited == 3
        assert bench.ledger.dropped == {"storage_unavailable": 2}


async def test_each_collection_has_its_own_lease() -> None:
    async with opened() as bench:
        bench.offer(10)
        await bench.settled()
        bench.offer(12, error="no")
        await bench.settled()
        batch = bench.storage.batches[1]
        assert [(offer.to_all, offer.to_error) for offer in batch.offers] == [(False, True)] * 10
        assert batch.error.surplus == 2
        assert batch.all.limited_earlier == (LimitedCount(0, 12),)
        assert (bench.ledger.stored, bench.ledger.limited) == (20, 2)
        assert (bench.ledger.admitted_all, bench.ledger.admitted_error) == (10, 10)
        assert (await bench.cache.fetch(TOKEN, Query())).limited == 12
        bench.offer(5, error="no")
        assert bench.ledger.limited == 7
        page = await bench.cache.fetch(TOKEN, Query(Status.ERROR))
        assert (page.total, page.limited) == (10, 7)


async def test_events_that_a_new_lease_refuses_cost_no_call() -> None:
    async with opened() as bench:
        bench.storage.gate = asyncio.Event()
        bench.offer(10)
        await until(lambda: len(bench.storage.batches) == 1)
        bench.offer(5)
        bench.storage.gate.set()
        await bench.settled()
        assert bench.ledger.limited == 5
        assert len(bench.storage.batches) == 1
        assert (await bench.cache.fetch(TOKEN, Query())).limited == 5


async def test_a_read_of_a_busy_stream_waits_for_what_was_there_and_no_longer() -> None:
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


async def test_the_queues_bound_counts_all_that_an_event_holds() -> None:
    async with opened(queue_bytes=1_000_000) as bench:
        assert not bench.cache.offer([(TOKEN, Event(original=b"{}", uid="u" * 50_000)) for _ in range(160)])
        assert bench.cache.offer([(TOKEN, Event(error="e" * 50_000)) for _ in range(18)])
        await bench.settled()


async def test_an_event_that_cannot_be_packed_costs_the_ledger_nothing() -> None:
    async with opened() as bench:
        with pytest.raises(InvalidEvent):
            bench.cache.offer([(TOKEN, Event(original=b"{}")), (TOKEN, Event(error="\ud800"))])
        with pytest.raises(InvalidEvent):
            bench.cache.take_originals(Stream(Namespace.TOKEN, "\ud800"), [b"{}"])
        assert bench.ledger.received == 0
        assert bench.ledger.balanced


async def test_originals_are_kept_with_the_time_when_they_came_whatever_their_stream_is_called() -> None:
    async with opened(quota=Quota(1000, MICROSECONDS)) as bench:
        bench.storage.gate = asyncio.Event()
        streams = [TOKEN, Stream(Namespace.DESTINATION, "dest"), Stream(Namespace.TOKEN, "\u043a\u043b\u044e\u0447")]
        for stream in streams:
            assert bench.cache.take_originals(stream, [b'{"n":1}', b'{"n":2}'])
            assert bench.cache.take_originals(stream, [b'{"n":3}'])
        before = format_time(time.time_ns() // 1000)
        bench.storage.gate.set()
        await bench.settled()
        uids = set()
        for stream in streams:
            events = [event for _, event in reversed((await bench.cache.fetch(stream, Query())).events)]
            assert [event.original for event in events] == [b'{"n":1}', b'{"n":2}', b'{"n":3}']
            assert all(event.timestamp <= before for event in events)
            assert events[0].timestamp == events[1].timestamp <= events[2].timestamp
            assert {(event.token_id or event.destination_id) for event in events} == {stream.id}
            assert all(bool(event.token_id) is (stream.namespace is Namespace.TOKEN) for event in events)
            uids |= {event.uid for event in events}
        assert len(uids) == 9


async def test_what_is_offered_to_a_closed_cache_is_dropped() -> None:
    bench = Bench()
    await bench.cache.open()
    await bench.cache.close()
    assert not bench.offer(2)
    assert bench.ledger.dropped == {"shutdown": 2}
    assert bench.ledger.balanced


async def test_a_stale_answer_is_no_confirmation() -> None:
    async with opened() as bench:
        bench.offer()
        await bench.settled()
        writer = bench.storage.batches[0].writer
        await bench.storage.insert(Batch(TOKEN, QUOTA, writer, 1000))
        bench.offer()
        await bench.settled()
        assert bench.ledger.dropped == {"unconfirmed": 1}


async def test_refusals_of_a_stream_that_fell_silent_are_carried_within_a_second() -> None:
    async with opened() as bench:
        bench.offer(10)
        await bench.settled()
        bench.offer(7)
        bench.clock.advance(900_000)
        bench.offer(1)
        await until(lambda: len(bench.storage.batches) == 2)
        (carried,) = [batch.all.limited_earlier for batch in bench.storage.batches[1:]]
        assert sum(refusal.events for refusal in carried) == 8
        page = await bench.storage.fetch(TOKEN, Query())
        assert page.limited == 8


async def test_a_read_sees_what_this_process_refused_and_what_waits() -> None:
    async with opened() as bench:
        bench.offer(10)
        await bench.settled()
        bench.offer(30)
        bench.offer(2, Stream(Namespace.TOKEN, "other"))
        assert (await bench.cache.fetch(TOKEN, Query())).limited == 30
        assert (await bench.cache.fetch(Stream(Namespace.TOKEN, "other"), Query())).total == 2


async def test_a_lost_reply_costs_nothing_and_doubles_nothing() -> None:
    async with opened() as bench:
        bench.storage.lose_reply = True
        bench.offer(3)
        await bench.settled()
        first, second = bench.storage.batches
        assert (first.writer, first.number) == (second.writer, second.number)
        assert bench.ledger.stored == 3
        assert (await bench.cache.fetch(TOKEN, Query())).total == 3


async def test_order_within_a_stream_survives_a_retry() -> None:
    async with opened() as bench:
        bench.storage.faults = [StorageUnavailable("away")]
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
        (ZeroDivisionError("a backend's bug"), "storage_error"),
    ],
)
async def test_what_cannot_be_stored_is_dropped_with_its_reason(fault: Exception, reason: str) -> None:
    async with opened(ack_timeout_seconds=0) as bench:
        bench.storage.faults = [fault]
        bench.offer(4)
        await bench.settled()
        assert bench.ledger.dropped == {reason: 4}
        assert bench.cache.queue.bytes == 0
        bench.offer(2)
        await bench.settled()
        assert bench.ledger.stored == 2


async def test_refusals_survive_a_call_that_surely_failed() -> None:
    async with opened(ack_timeout_seconds=0) as bench:
        bench.offer(10)
        await bench.settled()
        bench.offer(6)
        bench.clock.advance(MICROSECONDS)
        bench.storage.faults = [StorageUnavailable("no connection", ambiguous=False)]
        bench.offer()
        await bench.settled()
        assert (await bench.cache.fetch(TOKEN, Query())).limited == 6


async def test_a_full_queue_drops_the_new_events_all_or_none() -> None:
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


async def test_at_most_the_pool_size_is_under_way_and_one_call_per_stream() -> None:
    async with opened(pool_size=3) as bench:
        bench.storage.gate = asyncio.Event()
        for number in range(3 * MAX_CALL_STREAMS + 1):  # the memory storage takes them one after the other
            bench.offer(1, Stream(Namespace.TOKEN, f"key {number}"))
        await until(lambda: len(bench.storage.batches) == 3)
        bench.offer(1, Stream(Namespace.TOKEN, "key 0"))
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(bench.storage.batches) == 3
        bench.storage.gate.set()
        await bench.settled()
        assert bench.ledger.stored == 3 * MAX_CALL_STREAMS + 2


async def test_a_call_that_is_under_way_lets_the_next_one_wait_for_company() -> None:
    async with opened(pool_size=3) as bench:
        bench.storage.gate = asyncio.Event()
        bench.offer(1, Stream(Namespace.TOKEN, "first"))
        await until(lambda: len(bench.storage.batches) == 1)
        for number in range(MAX_CALL_STREAMS - 1):
            bench.offer(1, Stream(Namespace.TOKEN, f"key {number}"))
            await asyncio.sleep(0)
        assert len(bench.storage.batches) == 1
        bench.offer(1, Stream(Namespace.TOKEN, "the last one makes it company enough"))
        await until(lambda: len(bench.storage.batches) == 2)
        bench.storage.gate.set()
        await bench.settled()
        assert bench.ledger.stored == MAX_CALL_STREAMS + 1


async def test_a_call_gathers_what_keeps_coming_but_not_for_long() -> None:
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
        assert 1000 <= bench.ledger.received - 51 <= 1200  # as many as one call takes, and what came meanwhile


async def test_who_waits_for_an_answer_does_not_wait_for_others() -> None:
    async with opened() as bench:
        bench.offer()
        await asyncio.sleep(0)
        bench.offer()
        stored = asyncio.create_task(bench.cache.store([(TOKEN, Event(original=b"{}"))]))
        for _ in range(3):
            await asyncio.sleep(0)
        assert [len(batch.offers) for batch in bench.storage.batches] == [3]
        await stored


async def test_a_flood_of_streams_is_asked_for_less_often() -> None:
    async with opened(quota=Quota(1, 600 * MICROSECONDS)) as bench:
        streams = [Stream(Namespace.TOKEN, f"key {number}") for number in range(10_000)]
        for stream in streams:
            bench.offer(2, stream)
        await bench.settled()
        asked = len(bench.storage.batches)
        bench.clock.advance(3 * MICROSECONDS - 200)
        bench.offer(1, streams[-1])
        assert len(bench.storage.batches) == asked
        assert bench.ledger.queued == 0
        bench.clock.advance(200)
        bench.offer(1, streams[-1])
        await bench.settled()
        assert len(bench.storage.batches) == asked + 1
        assert bench.storage.batches[-1].all.limited_earlier == (LimitedCount(200, 1),)


async def test_a_call_that_is_tried_again_holds_up_nobody() -> None:
    async with opened(pool_size=3) as bench:
        bench.storage.away = Stream(Namespace.TOKEN, "of a server that is away")
        bench.offer(1, bench.storage.away)
        await until(lambda: len(bench.storage.batches) > 1)
        bench.offer()
        await until(lambda: bench.ledger.stored == 1)
        bench.storage.away = None
        await bench.settled()
        assert bench.ledger.stored == 2


async def test_store_tells_what_became_of_the_events() -> None:
    async with opened() as bench:
        events = [(TOKEN, Event(original=b"{}")) for _ in range(15)]
        receipt = await bench.cache.store(events)
        assert receipt is not None
        assert (receipt.stored, receipt.limited) == (10, 5)
        again = await bench.cache.store(events[:2])
        assert again is not None
        assert (again.stored, again.limited) == (0, 2)
        nothing = await bench.cache.store([])
        assert nothing is not None
        assert nothing.stored == 0


async def test_store_says_so_when_the_storage_does_not_answer() -> None:
    async with opened(ack_timeout_seconds=0.01) as bench:
        bench.storage.gate = asyncio.Event()
        with pytest.raises(StorageUnavailable):
            await bench.cache.store([(TOKEN, Event(original=b"{}"))])
        bench.storage.gate.set()
        await bench.settled()


async def test_closing_flushes_what_waits_and_the_refusals() -> None:
    bench = Bench()
    await bench.cache.open()
    bench.offer(10)
    await bench.settled()
    bench.offer(5)
    bench.offer(4, Stream(Namespace.TOKEN, "other"))
    await bench.cache.close(GENEROUS_SECONDS)
    assert bench.ledger.balanced
    assert bench.ledger.stored == 14
    assert (await bench.storage.fetch(TOKEN, Query())).limited == 5


async def test_closing_in_no_time_drops_and_counts_what_waits() -> None:
    bench = Bench(pool_size=1)
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


async def test_a_disabled_cache_takes_everything_and_keeps_nothing() -> None:
    async with opened(enabled=False) as bench:
        assert bench.offer(3)
        assert bench.ledger.dropped == {"disabled": 3}
        assert bench.ledger.balanced
        receipt = await bench.cache.store([(TOKEN, Event(original=b"{}"))])
        assert receipt is not None
        assert receipt.stored == 0
        assert (await bench.cache.fetch(TOKEN, Query())).events == []
        assert await bench.cache.streams(Namespace.TOKEN) == []
        assert await bench.cache.clear(TOKEN) == 0
        await bench.cache.check()


async def test_unreadable_entries_are_left_out_and_counted() -> None:
    async with opened() as bench:
        good = Event(original=b"{}").pack()
        garbage = (
            b"",
            b"garbage",
            b"\x90",
            b"\x9a" + b"\xc0" * 10,
            b"\x99" + good[1:-1],
            b"\x9b" + good[1:] + b"\xc3\xc3",
        )
        offers = [Offer(payload, Status.SUCCESS) for payload in (*garbage, good)]
        await bench.storage.insert(Batch(TOKEN, QUOTA, "someone", 1, offers))
        found = await bench.cache.fetch(TOKEN, Query())
        assert len(found.events) == 1
        assert bench.cache.unreadable == len(garbage)


async def test_a_search_looks_into_events_and_counts_what_it_finds() -> None:
    async with opened() as bench:
        for hour, kind, text in ((1, "pageview", "Alpha"), (2, "purchase", "beta ALPHA"), (3, "purchase", "gamma")):
            original = b'{"event_type":"%b","text":"%b"}' % (kind.encode(), text.encode())
            event = Event(original=original, timestamp=f"2026-01-01T0{hour}:00:00.000000Z")
            bench.cache.offer([(TOKEN, event)])
        bench.cache.offer([(TOKEN, Event(malformed="alpha {", error="no JSON", timestamp="2026-01-01T04:00:00Z"))])

        async def found(search: EventFilter, query: Query = Query()) -> tuple[list[int], int]:  # noqa: B008
            page = await bench.cache.fetch(TOKEN, query, search)
            return [sequence for sequence, _ in page.events], page.total

        assert await found(EventFilter(text="alpha")) == ([4, 2, 1], 3)
        assert await found(EventFilter(text="alpha"), Query(limit=1)) == ([4], 3)
        assert await found(EventFilter(text="alpha"), Query(before=4, after=1)) == ([2], 3)
        assert await found(EventFilter(text="alpha"), Query(Status.ERROR)) == ([4], 1)
        assert await found(EventFilter(event_type="purchase")) == ([3, 2], 2)
        two, four = 1_767_232_800_000_000, 1_767_240_000_000_000
        assert await found(EventFilter(start_us=two, end_us=four)) == ([3, 2], 2)
        assert await found(EventFilter(event_type="purchase", text="alpha", start_us=two)) == ([2], 1)


async def test_a_flood_of_streams_leaves_no_lanes_behind() -> None:
    async with opened() as bench:
        for number in range(5000):
            bench.offer(1, Stream(Namespace.TOKEN, f"key {number}"))
            if number % 100 == 0:
                await bench.settled()
                bench.clock.advance(2 * MICROSECONDS)
        await bench.settled()
        assert len(bench.cache.queue._buffers) <= 1024


async def test_one_body_for_very_many_streams_keeps_one_lane_for_each() -> None:
    async with opened() as bench:
        streams = [Stream(Namespace.TOKEN, f"key {number}") for number in range(3000)]
        bench.cache.offer([(stream, Event(original=b"{}")) for stream in streams * 2])
        await bench.settled()
        assert [len(batch.offers) for batch in bench.storage.batches] == [2] * 3000


async def test_untrusted_events_may_not_displace_a_stream() -> None:
    async with opened() as bench:
        bench.cache.offer([(TOKEN, Event(original=b"{}"))], trusted=False)
        await bench.settled()
        assert not bench.storage.batches[0].may_evict
        bench.offer()
        await bench.settled()
        assert bench.storage.batches[1].may_evict


async def test_two_processes_share_one_quota_and_one_count() -> None:
    clock = ManualClock()
    storage = MemoryStorage(StorageOptions(now=clock))
    caches = [EventsCache(storage, quota=QUOTA, now_us=clock) for _ in range(2)]
    for cache in caches:
        await cache.open()
    for _ in range(50):
        for cache in caches:
            cache.offer([(TOKEN, Event(original=b"{}")) for _ in range(10)])
        await asyncio.sleep(0)
    pages = [await cache.fetch(TOKEN, Query()) for cache in caches]
    pages = [await cache.fetch(TOKEN, Query()) for cache in caches]
    assert [(page.total, page.limited) for page in pages] == [(10, 990)] * 2
    assert sum(cache.ledger.stored for cache in caches) == 10
    for cache in caches:
        await cache.close()


class Trimmed(MemoryStorage):
    def __init__(self, answers: list[float]) -> None:
        super().__init__()
        self.answers = answers
        self.sizes: list[int] = []

    async def trim(self, size: int) -> float:
        self.sizes.append(size)
        return self.answers.pop(0)


async def test_trimming_goes_on_only_while_there_is_such_work() -> None:
    storage = Trimmed([0, 0, math.inf])
    cache = EventsCache(storage, quota=Quota(7, 1), trim_interval_seconds=0)
    await cache.open()
    await until(lambda: not storage.answers)
    assert storage.sizes == [7, 7, 7]
    await until(lambda: bool(cache._trimming and cache._trimming.done()))
    await cache.close()
