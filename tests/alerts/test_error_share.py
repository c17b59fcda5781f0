"""The share of errors of a stream in the last minute: counted exactly, also of what was limited."""

import pytest

from eventscache.alerts.error_share import STREAMS_PER_LOOK
from eventscache.alerts.rules import Rule
from eventscache.clock import MICROSECONDS
from eventscache.storage.messages import Query, Quota
from eventscache.stream import Namespace, Status, Stream
from tests.support.alert_bench import DESTINATION, OTHER, QUOTA, AlertBench


def share_bench(threshold: float = 0.1, min_events: int = 20, quota: Quota = QUOTA) -> AlertBench:
    return AlertBench(quota, new_error_group=False, error_share=threshold, error_share_min_events=min_events)


async def test_a_share_is_told_when_it_is_larger_than_the_threshold() -> None:
    bench = share_bench(0.1)
    await bench.write(good=18, errors=2)
    assert await bench.look() == []
    await bench.write(errors=1)
    (alert,) = await bench.look()
    assert (alert.rule, alert.stream) == (Rule.ERROR_SHARE, DESTINATION)
    assert alert.facts == ("3 of 21 events of the last minute failed (14.3%)",)


async def test_with_too_few_events_nothing_is_told() -> None:
    bench = share_bench(min_events=20)
    await bench.write(errors=19)
    assert await bench.look() == []
    await bench.write(good=1)
    assert len(await bench.look()) == 1


@pytest.mark.parametrize("seconds", [10, 59])
async def test_events_count_for_a_minute(seconds: int) -> None:
    bench = share_bench()
    await bench.write(good=10, errors=10)
    assert len(await bench.look(seconds)) == 1


async def test_what_is_older_than_a_minute_does_not_count() -> None:
    bench = share_bench()
    await bench.write(errors=100)
    bench.manual.advance(61 * MICROSECONDS)
    await bench.write(good=20, errors=1)
    assert await bench.look() == []


async def test_limited_events_count_as_they_would_without_a_limit() -> None:
    bench = share_bench(0.5, quota=Quota(10, 60 * MICROSECONDS))
    await bench.write(good=60)
    await bench.write(errors=50)
    # Of all 110, ten were admitted: the first ten; and of the errors ten.
    (info,) = await bench.storage.streams(Namespace.DESTINATION)
    assert (info.total, info.errors) == (10, 10)
    assert await bench.look() == []
    await bench.write(errors=20)
    (alert,) = await bench.look()
    assert alert.facts[0].startswith("70 of 130 events")


async def test_errors_that_are_in_the_list_of_errors_alone_are_no_more_than_all_events() -> None:
    bench = share_bench()
    await bench.write(errors=30)
    # As after a clearing by hand of the other list.
    bench.storage._streams[Namespace.DESTINATION]["shop"].all.clear()  # type: ignore[attr-defined]
    (alert,) = await bench.look()
    assert alert.facts == ("30 of 30 events of the last minute failed (100.0%)",)


async def test_a_share_that_lasts_is_told_once_an_hour_by_whichever_process() -> None:
    bench = share_bench()
    told = []
    for minute in range(119):
        await bench.write(good=10, errors=10)
        told += [minute] * len(await bench.looks(60))
        bench.take_over()
    assert told == [0, 60]
    assert not bench.counts.suppressed.total()


async def test_after_the_clock_of_the_storage_was_set_back_the_last_minute_is_that_of_the_stream() -> None:
    bench = share_bench()
    await bench.write(errors=50)
    bench.manual.advance(61 * MICROSECONDS)
    await bench.write(good=50)
    bench.manual.advance(-3600 * MICROSECONDS)
    await bench.write(good=20, errors=2)
    page = await bench.storage.fetch(DESTINATION, Query(Status.ERROR))
    assert page.entries[0].admitted_us - page.entries[-1].admitted_us > 60 * MICROSECONDS
    assert await bench.look() == []


async def test_after_the_clock_of_the_storage_was_set_back_shares_are_told_and_old_ones_are_not() -> None:
    bench = share_bench()
    bench.set_own_clock_apart()
    await bench.write(OTHER, errors=50)
    await bench.write(good=50, errors=1)
    assert [alert.stream for alert in await bench.look()] == [OTHER]
    # The last minute of the other stream is two hours ahead now.
    bench.set_back(7200)
    await bench.write(good=1)
    assert await bench.looks(3700) == []
    await bench.write(errors=30)
    assert [alert.stream for alert in await bench.look()] == [DESTINATION]


async def test_the_most_recently_active_streams_are_looked_at_and_no_more() -> None:
    bench = share_bench()
    await bench.write(OTHER, errors=50)
    for number in range(STREAMS_PER_LOOK):
        bench.manual.advance(1000)
        await bench.write(Stream(Namespace.TOKEN, f"key{number}"), good=20, errors=1)
    assert await bench.look() == []
    await bench.write(OTHER, errors=1)
    assert [alert.stream for alert in await bench.look()] == [OTHER]
