"""Subscribers of one extra collection, and of one event type with what only the list of that type keeps."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from eventscache.clock import MICROSECONDS
from eventscache.extras.scopes import MOST_SCOPES, scope_collection
from eventscache.extras.types import MOST_TYPES, type_collection
from eventscache.live.messages import Cleared
from eventscache.query.filter import EventFilter
from eventscache.storage.messages import Query
from eventscache.testing import ManualClock
from tests.support.live_bench import ONLY_A, A, LiveBench

VIEW, PURCHASE = b'{"event_type":"view"}', b'{"event_type":"purchase"}'
PURCHASES = ONLY_A._replace(event_filter=EventFilter(event_type="purchase"))
SCOPE = scope_collection("run")
SCOPED = ONLY_A._replace(extra=SCOPE)
CLOCK = ManualClock()


@pytest.fixture
async def bench() -> AsyncIterator[LiveBench]:
    async with AsyncExitStack() as stack:
        bench = LiveBench(stack, per_type=5, now_us=CLOCK)
        await bench.cache.open()
        stack.push_async_callback(bench.cache.close)
        yield bench


async def offer(bench: LiveBench, original: bytes, count: int = 1, scope: str = "") -> None:
    for _ in range(count):
        bench.cache.offer_originals(A, [original], scope=scope)
    await bench.cache.fetch(A, Query(limit=0))  # all of them have come to the storage


async def test_a_rare_type_is_pushed_though_the_rate_limit_leaves_it_out(bench: LiveBench) -> None:
    subscriber = await bench.ready(PURCHASES)
    await bench.tick()
    await offer(bench, VIEW, 30)
    await offer(bench, PURCHASE, 2)
    await bench.tick()
    assert [event["event_type"] for event in bench.originals(subscriber)] == ["purchase"] * 2
    await offer(bench, PURCHASE)
    await bench.tick(2)
    assert len(subscriber.events()) == 3
    assert subscriber.others() == subscriber.others()[:1]  # ready, and no gap


async def test_a_resumed_subscriber_of_a_type_gets_each_event_once(bench: LiveBench) -> None:
    subscriber = await bench.ready(PURCHASES)
    await offer(bench, PURCHASE, 3)
    await offer(bench, VIEW, 30)
    await bench.tick()
    await offer(bench, PURCHASE, 2)
    resumed = await bench.ready(PURCHASES, cursor=subscriber.cursor)
    await bench.tick(2)
    assert len({sequence for _, sequence in subscriber.events()}) == 5
    assert resumed.events() == subscriber.events()[3:]


async def test_history_of_a_type_holds_what_only_its_list_keeps(bench: LiveBench) -> None:
    await offer(bench, VIEW, 30)
    await offer(bench, PURCHASE, 2)
    subscriber = await bench.ready(PURCHASES, history=10)
    assert len(subscriber.events()) == 2


async def test_who_follows_a_scope_gets_its_events_alone(bench: LiveBench) -> None:
    subscriber = await bench.ready(SCOPED)
    await offer(bench, VIEW, 15)
    await offer(bench, PURCHASE, 15, scope=SCOPE)
    await bench.tick()
    assert [event["event_type"] for event in bench.originals(subscriber)] == ["purchase"] * 15

    late = await bench.ready(SCOPED, history=3)
    assert late.events() == subscriber.events()[-3:]
    await bench.cache.clear_extra([A], SCOPE)
    await bench.tick()
    assert Cleared(A) in subscriber.received
    await offer(bench, VIEW, scope=SCOPE)
    await bench.tick()
    assert len(subscriber.events()) == 16
    assert len(late.events()) == 4


async def test_a_scope_is_resumed_where_it_was_left(bench: LiveBench) -> None:
    subscriber = await bench.ready(SCOPED)
    await offer(bench, VIEW, 12, scope=SCOPE)
    await bench.tick()
    cursor = subscriber.cursor
    await subscriber.leave()
    await offer(bench, VIEW, 40)
    await offer(bench, PURCHASE, 2, scope=SCOPE)
    resumed = await bench.ready(SCOPED, cursor=cursor)
    await bench.tick()
    assert [event["event_type"] for event in bench.originals(resumed)] == ["purchase"] * 2
    assert len(resumed.others()) == 1


async def test_a_scope_counts_its_own_events(bench: LiveBench) -> None:
    subscriber = await bench.ready(SCOPED)
    await bench.tick(4)
    await offer(bench, VIEW, 30)
    await offer(bench, PURCHASE, 3, scope=SCOPE)
    await bench.tick(8)
    (counted,) = [counters for counters in subscriber.counters() if counters.per_second]
    assert (counted.per_second, counted.total_events) == (3.0, 3)


async def test_a_type_whose_list_had_to_leave_does_not_begin_anew(bench: LiveBench) -> None:
    # given
    subscriber = await bench.ready(PURCHASES)
    await bench.tick()
    await offer(bench, PURCHASE)
    await offer(bench, VIEW, 30)
    await offer(bench, PURCHASE, 2)
    await bench.tick()
    assert len(subscriber.events()) == 3

    # when
    CLOCK.advance(60 * MICROSECONDS)  # a process begins only so many lists a minute
    for number in range(MOST_TYPES):
        await offer(bench, b'{"event_type":"other%d"}' % number)
    assert type_collection("purchase") not in [info.name for info in await bench.storage.extras(A, "type")]
    await bench.tick(3)

    # then
    assert len(subscriber.events()) == 3
    await offer(bench, PURCHASE)
    await bench.tick(2)
    assert len({sequence for _, sequence in subscriber.events()}) == len(subscriber.events()) == 4
    assert subscriber.others() == subscriber.others()[:1]  # ready, and no restart


async def test_a_scope_that_had_to_leave_does_not_begin_anew(bench: LiveBench) -> None:
    # given
    subscriber = await bench.ready(SCOPED)
    await offer(bench, VIEW, 30)
    await offer(bench, PURCHASE, 2, scope=SCOPE)
    await bench.tick()

    # when
    CLOCK.advance(60 * MICROSECONDS)
    for number in range(MOST_SCOPES):
        await offer(bench, VIEW, scope=scope_collection(f"other{number}"))
    assert SCOPE not in [info.name for info in await bench.storage.extras(A, "scope")]
    await bench.tick(2)
    await offer(bench, PURCHASE, 3, scope=SCOPE)
    await bench.tick(2)

    # then
    assert len({sequence for _, sequence in subscriber.events()}) == len(subscriber.events()) == 5
    assert subscriber.others()[1:] == [Cleared(A)]


async def test_a_type_begins_anew_with_its_stream(bench: LiveBench) -> None:
    # given
    subscriber = await bench.ready(PURCHASES)
    await offer(bench, VIEW, 30)
    await offer(bench, PURCHASE, 2)
    await bench.tick()

    # when the storage has lost all
    await bench.storage.erase()
    bench.cache.queue.end_cooldowns(A)
    await offer(bench, PURCHASE, 2)
    await bench.tick()

    # then
    assert [sequence for _, sequence in subscriber.events()][2:] == [1, 2]
