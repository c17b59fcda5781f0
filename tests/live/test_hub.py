"""The shared look: what each watcher is told, by a storage and a time that the test controls."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from eventscache.cache import EventsCache
from eventscache.clock import MICROSECONDS
from eventscache.errors import StorageUnavailable
from eventscache.event import Event
from eventscache.live.cursor import Cursor
from eventscache.live.hub import MOST_STREAMS, MOST_WATCHERS, Hub, TooManyWatchers
from eventscache.live.messages import Cleared, Counters, Gap, Message, Signal, StreamFilter
from eventscache.live.subscription import Subscription
from eventscache.live.tail import LiveEvent
from eventscache.query.filter import EventFilter
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Page, Query, Quota, StreamInfo
from eventscache.stream import Namespace, Status, Stream
from tests.support.fake_clock import GENEROUS_SECONDS, FakeClock

A, B, C = (Stream(Namespace.TOKEN, name) for name in "abc")
ALL = StreamFilter(Namespace.TOKEN)
SIZE = 10


class Watched(MemoryStorage):
    """The memory storage, which counts looks and can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: list[tuple[Stream, Query]] = []
        self.lists = 0
        self.away = False
        self.under_way = self.most_under_way = 0
        self.gate: asyncio.Event | None = None

    async def fetch(self, stream: Stream, query: Query) -> Page:
        self.looks.append((stream, query))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        if self.gate:
            await self.gate.wait()
        self.under_way -= 1
        if self.away:
            raise StorageUnavailable("gone")
        return await super().fetch(stream, query)

    async def streams(self, namespace: Namespace, limit: int | None = None) -> list[StreamInfo]:
        self.lists += 1
        if self.away:
            raise StorageUnavailable("gone")
        return await super().streams(namespace, limit)


class FakePeer:
    def __init__(self) -> None:
        self.gone = False
        self.unread = 0
        self.was_cut = False

    def cut(self) -> None:
        self.was_cut = True


class Watcher:
    """Somebody who reads at once whatever they are told, unless told to stop."""

    def __init__(self, hub: Hub, wanted: StreamFilter, **options: Any) -> None:
        self.peer = FakePeer()
        self.hub = hub
        self.told: list[Message] = []
        self.cursors: list[str] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.subscription: Subscription = hub.subscribe(wanted, self.peer, **options)
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for item in self.subscription.messages():
            self.told.append(item)
            self.cursors.append(self.subscription.cursor)
            await self.reads.wait()

    async def leave(self) -> None:
        self.hub.leave(self.subscription)
        async with asyncio.timeout(GENEROUS_SECONDS):
            await self.task

    def events(self) -> list[tuple[str, int]]:
        return [(item.stream.id, item.sequence) for item in self.told if isinstance(item, LiveEvent)]

    def counters(self) -> list[Counters]:
        return [item for item in self.told if isinstance(item, Counters)]

    def others(self) -> list[Message]:
        return [item for item in self.told if not isinstance(item, LiveEvent | Counters)]


class Bench:
    def __init__(self, stack: AsyncExitStack, size: int = SIZE) -> None:
        self.storage = Watched()
        self.cache = EventsCache(
            self.storage, quota=Quota(size, MICROSECONDS), ack_timeout_seconds=60, storage_timeout_seconds=60
        )
        self.clock = FakeClock()
        self.hub = Hub(self.cache, self.clock)
        self._stack = stack

    async def store(self, stream: Stream, count: int = 1, **fields: Any) -> None:
        """Store events as if the limiter knew nothing of those before."""
        for _ in range(count):
            event = Event.of(stream, original=b'{"event_type":"page"}', **fields)
            receipt = await self.cache.store([(stream, event)])
            assert receipt
            assert receipt.stored
            self.storage._streams[stream.namespace][stream.id].state.reset()
            self.cache.queue.reopen(stream)

    def watch(self, wanted: StreamFilter = ALL, **options: Any) -> Watcher:
        watcher = Watcher(self.hub, wanted, **options)
        self._stack.push_async_callback(watcher.leave)
        return watcher

    async def ready(self, wanted: StreamFilter = ALL, **options: Any) -> Watcher:
        watcher = self.watch(wanted, **options)
        await until(lambda: Signal.READY in watcher.told)
        return watcher

    async def tick(self, count: int = 1) -> None:
        for _ in range(count):
            await self.clock.pass_on()
            for _ in range(20):  # whoever was woken reads
                await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(GENEROUS_SECONDS):
        while not condition():
            await asyncio.sleep(0)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        bench = Bench(stack)
        await bench.cache.open()
        stack.push_async_callback(bench.cache.close)
        yield bench


async def test_what_comes_is_told_in_order_and_nothing_of_before(bench: Bench) -> None:
    await bench.store(A, 3)
    watcher = await bench.ready()
    await bench.store(A, 2)
    assert watcher.events() == []
    await bench.tick()
    assert watcher.events() == [("a", 4), ("a", 5)]
    await bench.tick()
    assert watcher.events() == [("a", 4), ("a", 5)]


async def test_nothing_is_looked_at_while_nobody_watches(bench: Bench) -> None:
    await bench.store(A)
    watcher = await bench.ready()
    await bench.tick()
    await watcher.leave()
    bench.storage.looks.clear()
    bench.storage.lists = 0
    for _ in range(50):
        await asyncio.sleep(0)
    assert (bench.storage.looks, bench.storage.lists, bench.hub.watchers) == ([], 0, 0)


async def test_however_many_watch_a_collection_is_looked_at_once_in_a_tick(bench: Bench) -> None:
    await bench.store(A)
    await bench.store(B)
    watchers = [await bench.ready() for _ in range(20)]
    errors = await bench.ready(ALL._replace(status=Status.ERROR))
    bench.storage.looks.clear()
    await bench.tick()
    assert sorted((stream.id, query.status or "") for stream, query in bench.storage.looks) == [
        ("a", ""),
        ("a", "error"),
        ("b", ""),
        ("b", "error"),
    ]
    await bench.store(A, error="broken")
    await bench.tick()
    assert all(watcher.events() == [("a", 2)] for watcher in [*watchers, errors])
    (seen,) = {id(item) for watcher in watchers for item in watcher.told if isinstance(item, LiveEvent)}
    assert seen


async def test_looks_of_many_streams_go_together_but_not_all_at_once(bench: Bench) -> None:
    streams = tuple(Stream(Namespace.TOKEN, str(number)) for number in range(50))
    await bench.ready(StreamFilter(Namespace.TOKEN, streams))
    bench.storage.gate = asyncio.Event()
    passing = asyncio.create_task(bench.tick())
    await until(lambda: bench.storage.under_way == 16)
    for _ in range(20):
        await asyncio.sleep(0)
    bench.storage.gate.set()
    await passing
    assert bench.storage.most_under_way == 16


@pytest.mark.parametrize(("history", "expected"), [(0, []), (2, [4, 5]), (1000, [1, 2, 3, 4, 5])])
async def test_history_comes_before_ready_oldest_first(bench: Bench, history: int, expected: list[int]) -> None:
    await bench.store(A, 5)
    watcher = await bench.ready(history=history)
    assert watcher.events() == [("a", number) for number in expected]
    assert watcher.told[-1] is Signal.READY


async def test_history_counts_what_is_wanted(bench: Bench) -> None:
    for reason in ("", "x", "", "x", ""):
        await bench.store(A, skip=reason)
    skips = await bench.ready(ALL._replace(status=Status.SKIP), history=1)
    assert skips.events() == [("a", 4)]
    searching = await bench.ready(ALL._replace(search=EventFilter(text='"SKIP":"x"')), history=2)
    assert searching.events() == [("a", 2), ("a", 4)]


async def test_a_break_between_any_two_events_loses_and_repeats_nothing(bench: Bench) -> None:
    await bench.store(A, 3)
    await bench.store(B, 3)
    first = await bench.ready(history=1000)
    for stream in (A, B, A, B, B):
        await bench.store(stream)
        await bench.tick()
    everything = first.events()
    assert len(everything) == 11
    for index, item in enumerate(first.told):
        if isinstance(item, LiveEvent):
            told = [(each.stream.id, each.sequence) for each in first.told[: index + 1] if isinstance(each, LiveEvent)]
            again = await bench.ready(cursor=Cursor.parse(first.cursors[index]), history=1000)
            assert sorted(told + again.events()) == sorted(everything)
            await again.leave()


async def test_a_cursor_of_before_anything_came_loses_nothing(bench: Bench) -> None:
    first = await bench.ready()
    (cursor,) = first.cursors
    await first.leave()
    await bench.store(A, 2)
    again = await bench.ready(cursor=Cursor.parse(cursor))
    assert again.events() == [("a", 1), ("a", 2)]


async def test_another_process_that_has_not_looked_yet_can_go_on(bench: Bench) -> None:
    first = await bench.ready(StreamFilter(Namespace.TOKEN, (A,)))
    other = Hub(bench.cache, FakeClock())
    waiting = Watcher(other, StreamFilter(Namespace.TOKEN, (A,)))
    await until(lambda: Signal.READY in waiting.told)
    await bench.store(A, 2)
    await bench.tick()
    moved = Watcher(other, StreamFilter(Namespace.TOKEN, (A,)), cursor=Cursor.parse(first.cursors[-1]))
    await until(lambda: Signal.READY in moved.told)
    await bench.store(A)
    assert isinstance(other.clock, FakeClock)
    await other.clock.pass_on()
    await until(lambda: len(waiting.events()) == 3)
    await until(lambda: moved.events() == [("a", 3)])
    assert not [item for item in moved.told if isinstance(item, Gap)]
    await waiting.leave()
    await moved.leave()


async def test_streams_that_appear_join_with_all_their_events(bench: Bench) -> None:
    watcher = await bench.ready()
    await bench.store(C, 3)
    await bench.tick(4)
    await until(lambda: watcher.events() == [("c", 1), ("c", 2), ("c", 3)])
    await bench.store(C)
    await bench.tick()
    assert watcher.events()[-1] == ("c", 4)
    assert watcher.told.count(Signal.READY) == 1


async def test_streams_of_another_namespace_are_not_told(bench: Bench) -> None:
    watcher = await bench.ready()
    await bench.store(Stream(Namespace.DESTINATION, "a"))
    await bench.tick(5)
    assert watcher.events() == []


async def test_of_very_many_streams_the_most_recently_active_are_watched(bench: Bench) -> None:
    for number in range(MOST_STREAMS):
        await bench.store(Stream(Namespace.TOKEN, f"s{number}"))
    watcher = await bench.ready()
    await bench.store(A)
    await bench.tick(8)
    assert watcher.events() == [("a", 1)]
    assert watcher.counters()[-1].streams == MOST_STREAMS
    await bench.store(Stream(Namespace.TOKEN, "s0"))  # it left for `a`, and comes back
    await bench.tick(8)
    assert watcher.events() == [("a", 1), ("s0", 2)]
    assert not [item for item in watcher.told if isinstance(item, Gap)]


async def test_a_gap_is_told_where_events_may_have_been_missed(bench: Bench) -> None:
    await bench.store(A, 5)
    first = await bench.ready()
    cursor = Cursor.parse(first.cursors[-1])
    await bench.store(A, SIZE)
    again = await bench.ready(cursor=cursor)
    assert again.others() == [Signal.READY]  # it is full, and holds all that came
    await bench.store(A, 2)
    later = await bench.ready(cursor=cursor)
    assert later.others() == [Gap(A, 2), Signal.READY]
    assert later.events() == [("a", number) for number in range(8, 18)]


async def test_a_gap_is_told_live_as_well(bench: Bench) -> None:
    watcher = await bench.ready(StreamFilter(Namespace.TOKEN, (A,)))
    await bench.store(A, SIZE)
    await bench.tick()
    await bench.store(A, SIZE + 3)
    await bench.tick()
    assert watcher.others() == [Signal.READY, Gap(A, 3)]
    assert watcher.events()[-1] == ("a", 23)


async def test_numbers_of_errors_alone_are_no_gap_unless_the_collection_is_full(bench: Bench) -> None:
    await bench.store(A)
    errors = await bench.ready(ALL._replace(status=Status.ERROR))
    await bench.store(A, 5)
    await bench.store(A, error="broken")
    await bench.tick()
    assert errors.events() == [("a", 7)]
    assert errors.others() == [Signal.READY]


@pytest.mark.parametrize("fewer", [1, 5, 9])
async def test_numbers_that_begin_anew_are_told_with_all_there_is(bench: Bench, fewer: int) -> None:
    await bench.store(A, 5)
    watcher = await bench.ready()
    cursor = Cursor.parse(watcher.cursors[-1])
    await bench.storage.erase()
    await bench.store(A, fewer, uid="new")
    await bench.tick()
    assert watcher.others() == [Signal.READY, Gap(A, None)]
    assert watcher.events() == [("a", number) for number in range(1, fewer + 1)]
    again = await bench.ready(cursor=cursor)
    assert again.others() == [Gap(A, None), Signal.READY]
    assert again.events() == watcher.events()


@pytest.mark.parametrize("wanted", [ALL, ALL._replace(status=Status.ERROR)], ids=["all", "error"])
@pytest.mark.parametrize("came", [1, 3, 8])
async def test_who_goes_on_in_a_storage_that_is_empty_is_told_what_comes_though_numbers_repeat(
    bench: Bench, came: int, wanted: StreamFilter
) -> None:
    await bench.store(A, 5, error="broken")
    cursor = Cursor.parse((await bench.ready(wanted)).cursors[-1])
    await bench.storage.erase()
    again = await bench.ready(wanted._replace(streams=(A,)), cursor=cursor)
    assert again.others() == [Signal.READY]
    middle = Cursor.parse(again.cursors[-1])
    await bench.store(A, error="broken")
    await bench.tick()
    await bench.store(A, came, error="broken")
    await bench.tick()
    assert again.others() == [Signal.READY, Gap(A, None)]
    assert again.events() == [("a", number) for number in range(1, came + 2)]
    later = await bench.ready(wanted, cursor=middle)
    assert later.others() == [Gap(A, None), Signal.READY]
    assert later.events() == again.events()


async def test_who_goes_on_after_clearing_is_told_what_comes_once(bench: Bench) -> None:
    await bench.store(A, 5)
    cursor = Cursor.parse((await bench.ready()).cursors[-1])
    await bench.cache.clear(A)
    again = await bench.ready(StreamFilter(Namespace.TOKEN, (A,)), cursor=cursor)
    await bench.store(A, 2)
    await bench.tick()
    assert again.told[0] is Signal.READY
    assert [item for item in again.told if isinstance(item, Gap)] == []
    assert again.events() == [("a", 6), ("a", 7)]


async def test_errors_that_begin_anew_are_told_where_other_events_passed_their_numbers(bench: Bench) -> None:
    await bench.store(A, 3, error="broken")
    errors = ALL._replace(status=Status.ERROR)
    cursor = Cursor.parse((await bench.ready(errors)).cursors[-1])
    await bench.storage.erase()
    await bench.store(A, error="broken")
    await bench.store(A, 3)
    again = await bench.ready(errors, cursor=cursor)
    assert again.events() == [("a", 1)]
    await bench.store(A, error="broken")
    later = await bench.ready(errors, cursor=cursor)
    assert later.others() == [Gap(A, None), Signal.READY]
    assert later.events() == [("a", 1), ("a", 5)]


async def test_clearing_is_told_and_numbers_go_on(bench: Bench) -> None:
    await bench.store(A, 5)
    watcher = await bench.ready()
    await bench.cache.clear(A)
    await bench.tick()
    assert watcher.others() == [Signal.READY, Cleared(A)]
    await bench.tick()
    await bench.store(A)
    await bench.tick()
    assert watcher.events() == [("a", 6)]
    await bench.cache.clear(A)
    await bench.store(A)  # before anybody looked
    await bench.tick()
    assert watcher.others() == [Signal.READY, Cleared(A), Cleared(A)]
    assert watcher.events() == [("a", 6), ("a", 7)]


async def test_a_cursor_serves_under_another_status(bench: Bench) -> None:
    await bench.store(A, 2)
    await bench.store(A, error="broken")
    await bench.store(A)
    everything = await bench.ready()
    errors = await bench.ready(ALL._replace(status=Status.ERROR), cursor=Cursor.parse(everything.cursors[-1]))
    assert errors.told == [Signal.READY]
    await bench.store(A, error="broken")
    await bench.tick()
    assert errors.events() == [("a", 5)]


async def test_only_what_is_wanted_is_told(bench: Bench) -> None:
    await bench.store(A)
    skips = await bench.ready(ALL._replace(status=Status.SKIP))
    searching = await bench.ready(ALL._replace(search=EventFilter(text="NEEDLE")))
    await bench.store(A, skip="why not")
    await bench.store(A, success=b'{"table":"needle"}')
    await bench.store(A)
    await bench.tick()
    assert skips.events() == [("a", 2)]
    assert searching.events() == [("a", 3)]
    again = await bench.ready(skips.subscription.wanted, cursor=Cursor.parse(skips.cursors[-1]))
    assert again.events() == []


async def test_counters_come_once_a_second_and_know_no_filter(bench: Bench) -> None:
    await bench.store(A, 2)
    await bench.store(B)
    watcher = await bench.ready(ALL._replace(status=Status.ERROR))
    everything = await bench.ready()
    await bench.store(A, 4)
    bench.cache.ledger.received += 3
    bench.cache.ledger.dropped["queue_full"] += 3
    await bench.tick(3)
    assert everything.counters() == []
    await bench.tick()
    assert everything.counters() == [Counters(4.0, 0, 7, 3, 2)]
    assert watcher.counters() == [Counters(4.0, 0, 0, 3, 2)]
    await bench.tick(4)
    assert everything.counters()[1:] == [Counters(0.0, 0, 7, 3, 2)]


async def test_counters_tell_of_what_is_refused(bench: Bench) -> None:
    watcher = await bench.ready(StreamFilter(Namespace.TOKEN, (A,)))
    bench.cache.offer([(A, Event.of(A, original=b"{}")) for _ in range(SIZE + 5)])
    await bench.tick(4)
    assert watcher.counters() == [Counters(10.0, 5, 10, 0, 1)]


async def test_an_absent_storage_is_told_once_and_so_is_its_return(bench: Bench) -> None:
    await bench.store(A)
    watcher = await bench.ready()
    bench.storage.away = True
    await bench.tick(6)
    assert watcher.others() == [Signal.READY, Signal.AWAY]
    bench.storage.away = False
    await bench.store(A)
    await bench.tick(2)
    assert watcher.others() == [Signal.READY, Signal.AWAY, Signal.BACK]
    assert watcher.events() == [("a", 2)]


async def test_who_begins_while_the_storage_is_away_is_told_so_and_goes_on(bench: Bench) -> None:
    await bench.store(A, 2)
    bench.storage.away = True
    watcher = bench.watch(history=10)
    await until(lambda: watcher.told == [Signal.AWAY])
    await bench.tick(70)
    assert set(watcher.told[1:]) == {Signal.KEEPALIVE}
    bench.storage.away = False
    await bench.tick()
    await until(lambda: Signal.READY in watcher.told)
    assert watcher.events() == [("a", 1), ("a", 2)]
    assert [item for item in watcher.others() if item is not Signal.KEEPALIVE] == [
        Signal.AWAY,
        Signal.BACK,
        Signal.READY,
    ]


async def test_silence_is_told_every_fifteen_seconds(bench: Bench) -> None:
    await bench.store(A)
    watcher = await bench.ready()
    bench.hub._counted_at = 1e9  # no counters
    await bench.tick(59)
    assert watcher.others() == [Signal.READY]
    await bench.tick(1)
    assert watcher.others() == [Signal.READY, Signal.KEEPALIVE]
    await bench.tick(60)
    assert watcher.others() == [Signal.READY, Signal.KEEPALIVE, Signal.KEEPALIVE]


async def test_who_does_not_read_is_cut_off_and_the_others_are_told(bench: Bench) -> None:
    await bench.store(A)
    slow, quick = await bench.ready(), await bench.ready()
    slow.reads.clear()
    await bench.store(A)
    await bench.tick()
    large = b'{"x":"' + b"x" * 200_000 + b'"}'
    for _ in range(6):
        await bench.store(A, malformed=large.decode())
        await bench.tick()
    await bench.tick()
    assert slow.peer.was_cut
    assert not quick.peer.was_cut
    assert len(quick.events()) == 7
    slow.reads.set()
    await slow.task


async def test_a_large_burst_is_no_reason_to_cut_off_who_reads(bench: Bench) -> None:
    watcher = await bench.ready(StreamFilter(Namespace.TOKEN, (A,)))
    await bench.store(A, SIZE, malformed="x" * 500_000)
    await bench.tick(3)
    assert len(watcher.events()) == SIZE
    assert not watcher.peer.was_cut


async def test_what_is_unread_in_the_connection_counts(bench: Bench) -> None:
    watcher = await bench.ready()
    cuts = []
    for unread in (1024 * 1024, 1024 * 1024 + 1):
        watcher.peer.unread = unread
        await bench.tick()
        cuts.append(watcher.peer.was_cut)
    assert cuts == [False, True]
    await watcher.task


async def test_who_is_gone_is_told_nothing_more(bench: Bench) -> None:
    watcher = await bench.ready()
    watcher.peer.gone = True
    await bench.tick()
    await watcher.task
    assert watcher.told == [Signal.READY]


async def test_so_many_may_watch_and_no_more(bench: Bench) -> None:
    watchers = [bench.watch() for _ in range(MOST_WATCHERS)]
    with pytest.raises(TooManyWatchers):
        bench.watch()
    await watchers[0].leave()
    await bench.ready()


async def test_closing_ends_all_at_once_and_cuts_off_who_would_be_waited_for(bench: Bench) -> None:
    idle, busy = await bench.ready(), await bench.ready()
    busy.peer.unread = 1
    bench.hub.close()
    await idle.task
    await busy.task
    assert (idle.peer.was_cut, busy.peer.was_cut) == (False, True)
    late = bench.watch()
    await late.task
    assert late.told == []


async def test_a_fault_that_nobody_expects_ends_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.store(A)
    watcher = await bench.ready()

    async def fail(*_: object) -> Page:
        raise RuntimeError("a backend's bug")

    with monkeypatch.context() as patched:
        patched.setattr(bench.storage, "fetch", fail)
        await bench.tick()
    await bench.store(A)
    await bench.tick(2)
    assert watcher.others() == [Signal.READY, Signal.AWAY, Signal.BACK]
    assert watcher.events() == [("a", 2)]
