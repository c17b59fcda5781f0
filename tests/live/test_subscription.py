"""The messages that one subscriber receives."""

import pytest

from eventscache.event import Event
from eventscache.live.messages import Counters, Signal
from eventscache.query.filter import EventFilter
from eventscache.stream import Status
from tests.support.live_bench import ALL, ERRORS, ONLY_A, SIZE, A, B, LiveBench, Subscriber, until


def within(subscriber: Subscriber) -> list[Counters]:
    """Return the counters without the time, which is that of the machine."""
    return [counters._replace(readable_within_ms=0) for counters in subscriber.counters()]


async def test_new_events_are_sent_in_order_and_none_from_before(bench: LiveBench) -> None:
    await bench.store(A, 3)
    subscriber = await bench.ready()
    await bench.store(A, 2)
    assert subscriber.events() == []
    await bench.tick()
    assert subscriber.events() == [("a", 4), ("a", 5)]
    await bench.tick()
    assert subscriber.events() == [("a", 4), ("a", 5)]


@pytest.mark.parametrize(("history", "expected"), [(0, []), (2, [4, 5]), (1000, [1, 2, 3, 4, 5])])
async def test_history_comes_before_ready_oldest_first(bench: LiveBench, history: int, expected: list[int]) -> None:
    await bench.store(A, 5)
    subscriber = await bench.ready(history=history)
    assert subscriber.events() == [("a", number) for number in expected]
    assert subscriber.received[-1] is Signal.READY


async def test_history_counts_only_events_that_the_filter_selects(bench: LiveBench) -> None:
    for reason in ("", "x", "", "x", ""):
        await bench.store(A, skip=reason)
    skips = await bench.ready(ALL._replace(status=Status.SKIP), history=1)
    assert skips.events() == [("a", 4)]
    searching = await bench.ready(ALL._replace(event_filter=EventFilter(text='"SKIP":"x"')), history=2)
    assert searching.events() == [("a", 2), ("a", 4)]


async def test_only_events_that_the_filter_selects_are_sent(bench: LiveBench) -> None:
    await bench.store(A)
    skips = await bench.ready(ALL._replace(status=Status.SKIP))
    searching = await bench.ready(ALL._replace(event_filter=EventFilter(text="NEEDLE")))
    await bench.store(A, skip="why not")
    await bench.store(A, success=b'{"table":"needle"}')
    await bench.store(A)
    await bench.tick()
    assert skips.events() == [("a", 2)]
    assert searching.events() == [("a", 3)]
    again = await bench.ready(skips.subscription.stream_filter, cursor=skips.cursor)
    assert again.events() == []


async def test_counters_come_every_second_and_ignore_the_filter(bench: LiveBench) -> None:
    await bench.store(A, 2)
    await bench.store(B)
    subscriber = await bench.ready(ERRORS)
    everything = await bench.ready()
    await bench.store(A, 4)
    bench.cache.ledger.received += 3
    bench.cache.ledger.dropped["queue_full"] += 3
    await bench.tick(3)
    assert everything.counters() == []
    await bench.tick()
    assert within(everything) == [Counters(4.0, 0, 7, 3, 2, 0)]
    assert within(subscriber) == [Counters(4.0, 0, 0, 3, 2, 0)]
    await bench.tick(4)
    assert within(everything)[1:] == [Counters(0.0, 0, 7, 3, 2, 0)]


async def test_counters_include_limited_events(bench: LiveBench) -> None:
    subscriber = await bench.ready(ONLY_A)
    bench.cache.offer([(A, Event.of(A, original=b"{}")) for _ in range(SIZE + 5)])
    await bench.tick(4)
    assert within(subscriber) == [Counters(10.0, 5, 10, 0, 1, 0)]


async def test_away_and_back_are_sent_once_each(bench: LiveBench) -> None:
    await bench.store(A)
    subscriber = await bench.ready()
    bench.storage.unavailable = True
    await bench.tick(6)
    assert subscriber.others() == [Signal.READY, Signal.AWAY]
    bench.storage.unavailable = False
    await bench.store(A)
    await bench.tick(2)
    assert subscriber.others() == [Signal.READY, Signal.AWAY, Signal.BACK]
    assert subscriber.events() == [("a", 2)]


async def test_a_subscription_that_begins_while_the_storage_is_unavailable_catches_up_later(bench: LiveBench) -> None:
    await bench.store(A, 2)
    bench.storage.unavailable = True
    subscriber = bench.subscribe(history=10)
    await until(lambda: subscriber.received == [Signal.AWAY])
    await bench.tick(70)
    assert set(subscriber.received[1:]) == {Signal.KEEPALIVE}
    bench.storage.unavailable = False
    await bench.tick()
    await subscriber.ready()
    assert subscriber.events() == [("a", 1), ("a", 2)]
    assert [message for message in subscriber.others() if message is not Signal.KEEPALIVE] == [
        Signal.AWAY,
        Signal.BACK,
        Signal.READY,
    ]


async def test_a_keepalive_is_sent_after_fifteen_seconds_of_silence(bench: LiveBench) -> None:
    await bench.store(A)
    subscriber = await bench.ready()
    bench.hub._counted_at = 1e9  # no counters
    await bench.tick(59)
    assert subscriber.others() == [Signal.READY]
    await bench.tick(1)
    assert subscriber.others() == [Signal.READY, Signal.KEEPALIVE]
    await bench.tick(60)
    assert subscriber.others() == [Signal.READY, Signal.KEEPALIVE, Signal.KEEPALIVE]


async def test_a_client_that_does_not_read_is_cut_off_and_the_others_go_on(bench: LiveBench) -> None:
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
    assert slow.client.was_cut
    assert not quick.client.was_cut
    assert len(quick.events()) == 7
    slow.reads.set()
    await slow.task


async def test_a_client_that_reads_is_not_cut_off_for_a_large_burst(bench: LiveBench) -> None:
    subscriber = await bench.ready(ONLY_A)
    await bench.store(A, SIZE, malformed="x" * 500_000)
    await bench.tick(3)
    assert len(subscriber.events()) == SIZE
    assert not subscriber.client.was_cut


async def test_bytes_that_are_unread_in_the_connection_count(bench: LiveBench) -> None:
    subscriber = await bench.ready()
    cuts = []
    for unread in (1024 * 1024, 1024 * 1024 + 1):
        subscriber.client.unread = unread
        await bench.tick()
        cuts.append(subscriber.client.was_cut)
    assert cuts == [False, True]
    await subscriber.task


async def test_a_client_that_is_gone_is_sent_nothing_more(bench: LiveBench) -> None:
    subscriber = await bench.ready()
    subscriber.client.gone = True
    await bench.tick()
    await subscriber.task
    assert subscriber.received == [Signal.READY]
