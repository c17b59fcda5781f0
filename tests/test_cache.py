"""The events cache: what it takes, what it reads, and its upkeep."""

import asyncio
import math
import time

import pytest

from eventscache.cache import EventsCache
from eventscache.clock import MICROSECONDS
from eventscache.errors import InvalidEvent
from eventscache.event import Event
from eventscache.query.filter import EventFilter
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Batch, Offer, Query, Quota
from eventscache.storage.options import StorageOptions
from eventscache.stream import Namespace, Status, Stream
from eventscache.testing import ManualClock
from eventscache.timestamp import format_time
from tests.support.cache_bench import QUOTA, TOKEN, CacheBench, opened, until
from tests.support.loop_turns import turns_during


async def test_an_event_that_cannot_be_packed_is_not_counted() -> None:
    async with opened() as bench:
        with pytest.raises(InvalidEvent):
            bench.cache.offer([(TOKEN, Event(original=b"{}")), (TOKEN, Event(error="\ud800"))])
        with pytest.raises(InvalidEvent):
            bench.cache.offer_originals(Stream(Namespace.TOKEN, "\ud800"), [b"{}"])
        assert bench.ledger.received == 0
        assert bench.ledger.balanced


async def test_originals_are_kept_with_the_time_of_their_arrival_whatever_the_id_of_their_stream() -> None:
    async with opened(quota=Quota(1000, MICROSECONDS)) as bench:
        bench.storage.gate = asyncio.Event()
        streams = [TOKEN, Stream(Namespace.DESTINATION, "dest"), Stream(Namespace.TOKEN, "\u043a\u043b\u044e\u0447")]
        for stream in streams:
            assert bench.cache.offer_originals(stream, [b'{"n":1}', b'{"n":2}'])
            assert bench.cache.offer_originals(stream, [b'{"n":3}'])
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


async def test_a_closed_cache_drops_what_is_offered() -> None:
    bench = CacheBench()
    await bench.cache.open()
    await bench.cache.close()
    assert not bench.offer(2)
    assert bench.ledger.dropped == {"shutdown": 2}
    assert bench.ledger.balanced


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

        written = await bench.cache.fetch_written(TOKEN, Query())
        assert (written.total, written.limited) == (found.total, found.limited)
        [(sequence, event)] = found.events
        assert [piece async for piece in written.pieces] == [(event.to_json(sequence), 1)]
        assert bench.cache.unreadable == 2 * len(garbage)


async def test_an_event_filter_looks_into_events_and_counts_those_that_match() -> None:
    async with opened() as bench:
        for hour, kind, text in ((1, "pageview", "Alpha"), (2, "purchase", "beta ALPHA"), (3, "purchase", "gamma")):
            original = b'{"event_type":"%b","text":"%b"}' % (kind.encode(), text.encode())
            event = Event(original=original, timestamp=f"2026-01-01T0{hour}:00:00.000000Z")
            bench.cache.offer([(TOKEN, event)])
        bench.cache.offer([(TOKEN, Event(malformed="alpha {", error="no JSON", timestamp="2026-01-01T04:00:00Z"))])

        async def found(event_filter: EventFilter, query: Query = Query()) -> tuple[list[int], int]:  # noqa: B008
            page = await bench.cache.fetch(TOKEN, query, event_filter)
            return [sequence for sequence, _ in page.events], page.total

        assert await found(EventFilter(text="alpha")) == ([4, 2, 1], 3)
        assert await found(EventFilter(text="alpha"), Query(limit=1)) == ([4], 3)
        assert await found(EventFilter(text="alpha"), Query(before=4, after=1)) == ([2], 3)
        assert await found(EventFilter(text="alpha"), Query(Status.ERROR)) == ([4], 1)
        assert await found(EventFilter(event_type="purchase")) == ([3, 2], 2)
        two, four = 1_767_232_800_000_000, 1_767_240_000_000_000
        assert await found(EventFilter(start_us=two, end_us=four)) == ([3, 2], 2)
        assert await found(EventFilter(event_type="purchase", text="alpha", start_us=two)) == ([2], 1)


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


async def test_streams_are_trimmed_only_while_there_is_such_work() -> None:
    storage = Trimmed([0, 0, math.inf])
    cache = EventsCache(storage, quota=Quota(7, 1), trim_interval_seconds=0)
    await cache.open()
    await until(lambda: not storage.answers)
    assert storage.sizes == [7, 7, 7]
    await until(lambda: bool(cache._trimming and cache._trimming.done()))
    await cache.close()


async def test_many_records_are_offered_in_turns_and_all_or_none_of_them() -> None:
    async with opened(queue_bytes=3_000_000) as bench:
        records = [(Stream(Namespace.TOKEN, str(number)), Event(skip="x")) for number in range(5_000)]
        turns, taken = await turns_during(bench.cache.offer_in_turns(records))
        assert taken
        assert turns >= 20
        await bench.settled()
        assert (bench.ledger.stored, bench.cache.queue.bytes) == (5_000, 0)
        large = [(stream, Event(original=b'{"a":"' + b"x" * 1000 + b'"}')) for stream, _ in records]
        assert not await bench.cache.offer_in_turns(large)
        assert (bench.ledger.dropped["queue_full"], bench.cache.queue.bytes) == (5_000, 0)
        offered = asyncio.ensure_future(bench.cache.offer_in_turns(records))
        for _ in range(15):
            await asyncio.sleep(0)
        await bench.cache.close(0)
        await offered
        assert (bench.ledger.balanced, bench.ledger.received, bench.cache.queue.bytes) == (True, 15_000, 0)
