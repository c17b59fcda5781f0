"""Ticks, subscribers and the streams that are followed."""

import asyncio

import pytest

from eventscache.live.hub import MAX_SUBSCRIBERS, TooManySubscribers
from eventscache.live.messages import Gap, Signal
from eventscache.live.stream_filter import MAX_STREAMS, StreamFilter
from eventscache.live.tail import LiveEvent
from eventscache.storage.messages import Page
from eventscache.stream import Namespace, Stream
from tests.support.live_bench import ERRORS, A, B, C, LiveBench, until, yield_to_tasks


async def test_the_storage_is_not_polled_without_subscribers(bench: LiveBench) -> None:
    await bench.store(A)
    subscriber = await bench.ready()
    await bench.tick()
    await subscriber.leave()
    bench.storage.fetches.clear()
    bench.storage.lists = 0
    for _ in range(50):
        await asyncio.sleep(0)
    assert (bench.storage.fetches, bench.storage.lists, bench.hub.subscribers) == ([], 0, 0)


async def test_a_collection_is_polled_once_per_tick_however_many_subscribers_there_are(bench: LiveBench) -> None:
    await bench.store(A)
    await bench.store(B)
    subscribers = [await bench.ready() for _ in range(20)]
    errors = await bench.ready(ERRORS)
    bench.storage.fetches.clear()
    await bench.tick()
    assert sorted((stream.id, query.status or "") for stream, query in bench.storage.fetches) == [
        ("a", ""),
        ("a", "error"),
        ("b", ""),
        ("b", "error"),
    ]
    await bench.store(A, error="broken")
    await bench.tick()
    assert all(subscriber.events() == [("a", 2)] for subscriber in [*subscribers, errors])
    (shared,) = {
        id(message) for subscriber in subscribers for message in subscriber.received if isinstance(message, LiveEvent)
    }
    assert shared


async def test_many_streams_are_polled_concurrently_up_to_a_limit(bench: LiveBench) -> None:
    streams = tuple(Stream(Namespace.TOKEN, str(number)) for number in range(50))
    await bench.ready(StreamFilter(Namespace.TOKEN, streams))
    bench.storage.gate = asyncio.Event()
    ticking = asyncio.create_task(bench.tick())
    await until(lambda: bench.storage.in_flight == 16)
    await yield_to_tasks()
    bench.storage.gate.set()
    await ticking
    assert bench.storage.max_in_flight == 16


async def test_streams_that_appear_are_sent_with_all_their_events(bench: LiveBench) -> None:
    subscriber = await bench.ready()
    await bench.store(C, 3)
    await bench.tick(4)
    await until(lambda: subscriber.events() == [("c", 1), ("c", 2), ("c", 3)])
    await bench.store(C)
    await bench.tick()
    assert subscriber.events()[-1] == ("c", 4)
    assert subscriber.received.count(Signal.READY) == 1


async def test_streams_of_another_namespace_are_not_sent(bench: LiveBench) -> None:
    subscriber = await bench.ready()
    await bench.store(Stream(Namespace.DESTINATION, "a"))
    await bench.tick(5)
    assert subscriber.events() == []


async def test_of_too_many_streams_the_most_recently_active_are_followed(bench: LiveBench) -> None:
    for number in range(MAX_STREAMS):
        await bench.store(Stream(Namespace.TOKEN, f"s{number}"))
    subscriber = await bench.ready()
    await bench.store(A)
    await bench.tick(8)
    assert subscriber.events() == [("a", 1)]
    assert subscriber.counters()[-1].streams == MAX_STREAMS
    await bench.store(Stream(Namespace.TOKEN, "s0"))  # it left for `a`, and comes back
    await bench.tick(8)
    assert subscriber.events() == [("a", 1), ("s0", 2)]
    assert not [message for message in subscriber.received if isinstance(message, Gap)]


async def test_there_are_no_more_subscribers_than_allowed(bench: LiveBench) -> None:
    subscribers = [bench.subscribe() for _ in range(MAX_SUBSCRIBERS)]
    with pytest.raises(TooManySubscribers):
        bench.subscribe()
    await subscribers[0].leave()
    await bench.ready()


async def test_closing_ends_all_subscriptions_and_cuts_clients_that_have_not_read_all(bench: LiveBench) -> None:
    idle, busy = await bench.ready(), await bench.ready()
    busy.client.unread = 1
    bench.hub.close()
    await idle.task
    await busy.task
    assert (idle.client.was_cut, busy.client.was_cut) == (False, True)
    late = bench.subscribe()
    await late.task
    assert late.received == []


async def test_an_unexpected_exception_of_a_storage_ends_nothing(
    bench: LiveBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.store(A)
    subscriber = await bench.ready()

    async def fail(*_: object) -> Page:
        raise RuntimeError("a backend's bug")

    with monkeypatch.context() as patched:
        patched.setattr(bench.storage, "fetch", fail)
        await bench.tick()
    await bench.store(A)
    await bench.tick(2)
    assert subscriber.others() == [Signal.READY, Signal.AWAY, Signal.BACK]
    assert subscriber.events() == [("a", 2)]
