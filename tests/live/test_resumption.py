"""Positions: cursors, gaps, cleared streams and numbers that begin anew."""

import pytest

from eventscache.live.cursor import Cursor
from eventscache.live.hub import Hub
from eventscache.live.messages import Cleared, Gap, Signal
from eventscache.live.stream_filter import StreamFilter
from eventscache.live.tail import LiveEvent
from tests.support.fake_clock import FakeClock
from tests.support.live_bench import ALL, ERRORS, ONLY_A, SIZE, A, B, LiveBench, until


async def test_resuming_after_any_event_loses_and_repeats_nothing(bench: LiveBench) -> None:
    await bench.store(A, 3)
    await bench.store(B, 3)
    first = await bench.ready(history=1000)
    for stream in (A, B, A, B, B):
        await bench.store(stream)
        await bench.tick()
    everything = first.events()
    assert len(everything) == 11
    for index, message in enumerate(first.received):
        if isinstance(message, LiveEvent):
            received = [
                (each.stream.id, each.sequence) for each in first.received[: index + 1] if isinstance(each, LiveEvent)
            ]
            again = await bench.ready(cursor=Cursor.parse(first.cursors[index]), history=1000)
            assert sorted(received + again.events()) == sorted(everything)
            await again.leave()


async def test_resuming_from_before_the_first_event_loses_nothing(bench: LiveBench) -> None:
    first = await bench.ready()
    (cursor,) = first.cursors
    await first.leave()
    await bench.store(A, 2)
    again = await bench.ready(cursor=Cursor.parse(cursor))
    assert again.events() == [("a", 1), ("a", 2)]


async def test_a_cursor_is_valid_in_a_process_that_has_not_polled_yet(bench: LiveBench) -> None:
    first = await bench.ready(ONLY_A)
    other = Hub(bench.cache, FakeClock())
    waiting = await bench.ready(ONLY_A, hub=other)
    await bench.store(A, 2)
    await bench.tick()
    moved = await bench.ready(ONLY_A, hub=other, cursor=first.cursor)
    await bench.store(A)
    assert isinstance(other.clock, FakeClock)
    await other.clock.advance()
    await until(lambda: len(waiting.events()) == 3)
    await until(lambda: moved.events() == [("a", 3)])
    assert not [message for message in moved.received if isinstance(message, Gap)]


async def test_a_gap_is_sent_where_events_may_have_been_missed(bench: LiveBench) -> None:
    await bench.store(A, 5)
    first = await bench.ready()
    cursor = first.cursor
    await bench.store(A, SIZE)
    again = await bench.ready(cursor=cursor)
    assert again.others() == [Signal.READY]  # it is full, and holds all events that came
    await bench.store(A, 2)
    later = await bench.ready(cursor=cursor)
    assert later.others() == [Gap(A, 2), Signal.READY]
    assert later.events() == [("a", number) for number in range(8, 18)]


async def test_a_gap_is_sent_live_as_well(bench: LiveBench) -> None:
    subscriber = await bench.ready(ONLY_A)
    await bench.store(A, SIZE)
    await bench.tick()
    await bench.store(A, SIZE + 3)
    await bench.tick()
    assert subscriber.others() == [Signal.READY, Gap(A, 3)]
    assert subscriber.events()[-1] == ("a", 23)


async def test_numbers_of_other_events_are_no_gap_among_errors_unless_the_collection_is_full(bench: LiveBench) -> None:
    await bench.store(A)
    errors = await bench.ready(ERRORS)
    await bench.store(A, 5)
    await bench.store(A, error="broken")
    await bench.tick()
    assert errors.events() == [("a", 7)]
    assert errors.others() == [Signal.READY]


@pytest.mark.parametrize("fewer", [1, 5, 9])
async def test_all_events_are_sent_when_numbers_begin_anew(bench: LiveBench, fewer: int) -> None:
    await bench.store(A, 5)
    subscriber = await bench.ready()
    cursor = subscriber.cursor
    await bench.storage.erase()
    await bench.store(A, fewer, uid="new")
    await bench.tick()
    assert subscriber.others() == [Signal.READY, Gap(A, None)]
    assert subscriber.events() == [("a", number) for number in range(1, fewer + 1)]
    again = await bench.ready(cursor=cursor)
    assert again.others() == [Gap(A, None), Signal.READY]
    assert again.events() == subscriber.events()


@pytest.mark.parametrize("stream_filter", [ALL, ERRORS], ids=["all", "error"])
@pytest.mark.parametrize("more", [1, 3, 8])
async def test_resuming_in_an_empty_storage_sends_new_events_whose_numbers_repeat(
    bench: LiveBench, more: int, stream_filter: StreamFilter
) -> None:
    await bench.store(A, 5, error="broken")
    cursor = (await bench.ready(stream_filter)).cursor
    await bench.storage.erase()
    again = await bench.ready(stream_filter._replace(streams=(A,)), cursor=cursor)
    assert again.others() == [Signal.READY]
    middle = again.cursor
    await bench.store(A, error="broken")
    await bench.tick()
    await bench.store(A, more, error="broken")
    await bench.tick()
    assert again.others() == [Signal.READY, Gap(A, None)]
    assert again.events() == [("a", number) for number in range(1, more + 2)]
    later = await bench.ready(stream_filter, cursor=middle)
    assert later.others() == [Gap(A, None), Signal.READY]
    assert later.events() == again.events()


async def test_resuming_after_clearing_sends_new_events_once(bench: LiveBench) -> None:
    await bench.store(A, 5)
    cursor = (await bench.ready()).cursor
    await bench.cache.clear(A)
    again = await bench.ready(ONLY_A, cursor=cursor)
    await bench.store(A, 2)
    await bench.tick()
    assert again.received[0] is Signal.READY
    assert [message for message in again.received if isinstance(message, Gap)] == []
    assert again.events() == [("a", 6), ("a", 7)]


async def test_errors_that_begin_anew_are_sent_where_other_events_passed_their_numbers(bench: LiveBench) -> None:
    await bench.store(A, 3, error="broken")
    errors = ERRORS
    cursor = (await bench.ready(errors)).cursor
    await bench.storage.erase()
    await bench.store(A, error="broken")
    await bench.store(A, 3)
    again = await bench.ready(errors, cursor=cursor)
    assert again.events() == [("a", 1)]
    await bench.store(A, error="broken")
    later = await bench.ready(errors, cursor=cursor)
    assert later.others() == [Gap(A, None), Signal.READY]
    assert later.events() == [("a", 1), ("a", 5)]


@pytest.mark.parametrize("others", [1, 2, 3, 8])
async def test_lost_errors_are_told_where_only_other_events_came_since(bench: LiveBench, others: int) -> None:
    await bench.store(A, 3, error="broken")
    subscriber = await bench.ready(ERRORS)
    cursor = subscriber.cursor
    await bench.storage.erase()
    await bench.store(A, others)
    await bench.tick()
    assert subscriber.others() == [Signal.READY, Gap(A, None)]
    later = await bench.ready(ERRORS, cursor=cursor)
    assert later.others() == [Gap(A, None), Signal.READY]
    again = await bench.ready(ERRORS, cursor=later.cursor)
    assert again.others() == [Signal.READY]
    await bench.store(A, error="broken")
    await bench.tick()
    assert subscriber.events() == later.events() == [("a", others + 1)]


async def test_cleared_errors_are_no_restart_where_only_other_events_came_since(bench: LiveBench) -> None:
    await bench.store(A, 3, error="broken")
    cursor = (await bench.ready(ERRORS)).cursor
    await bench.cache.clear(A)
    await bench.store(A)
    assert (await bench.ready(ERRORS, cursor=cursor)).others() == [Signal.READY]


async def test_clearing_is_sent_and_numbers_continue(bench: LiveBench) -> None:
    await bench.store(A, 5)
    subscriber = await bench.ready()
    await bench.cache.clear(A)
    await bench.tick()
    assert subscriber.others() == [Signal.READY, Cleared(A)]
    await bench.tick()
    await bench.store(A)
    await bench.tick()
    assert subscriber.events() == [("a", 6)]
    await bench.cache.clear(A)
    await bench.store(A)  # before the next poll
    await bench.tick()
    assert subscriber.others() == [Signal.READY, Cleared(A), Cleared(A)]
    assert subscriber.events() == [("a", 6), ("a", 7)]


async def test_a_cursor_is_valid_with_another_status(bench: LiveBench) -> None:
    await bench.store(A, 2)
    await bench.store(A, error="broken")
    await bench.store(A)
    everything = await bench.ready()
    errors = await bench.ready(ERRORS, cursor=everything.cursor)
    assert errors.received == [Signal.READY]
    await bench.store(A, error="broken")
    await bench.tick()
    assert errors.events() == [("a", 5)]
