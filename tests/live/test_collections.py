"""Subscribers of one extra collection, and of one event type with what only the list of that type keeps."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from eventscache.extras.scopes import scope_collection
from eventscache.live.messages import Cleared
from eventscache.query.filter import EventFilter
from eventscache.storage.messages import Query
from tests.support.live_bench import ONLY_A, A, LiveBench

VIEW, PURCHASE = b'{"event_type":"view"}', b'{"event_type":"purchase"}'
PURCHASES = ONLY_A._replace(event_filter=EventFilter(event_type="purchase"))
SCOPE = scope_collection("run")
SCOPED = ONLY_A._replace(extra=SCOPE)


@pytest.fixture
async def bench() -> AsyncIterator[LiveBench]:
    async with AsyncExitStack() as stack:
        bench = LiveBench(stack, per_type=5)
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
