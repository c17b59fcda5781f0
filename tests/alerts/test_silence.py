"""Streams that fell silent: each is told once, and nothing is concluded from a time that nobody watched."""

import pytest

from eventscache.access.some_streams import SomeStreams
from eventscache.alerts import silence, watch
from eventscache.alerts.rules import Rule
from eventscache.clock import MICROSECONDS
from eventscache.stream import Namespace, Stream
from tests.support.alert_bench import DESTINATION, OTHER, AlertBench


@pytest.fixture
async def bench() -> AlertBench:
    """Three minutes of silence are told; nothing was there at the first look."""
    bench = AlertBench(new_error_group=False, silent_minutes=3)
    assert await bench.look() == []
    return bench


async def test_a_stream_that_had_events_is_told_after_so_many_minutes_and_only_once(bench: AlertBench) -> None:
    await bench.write(good=1)
    assert await bench.looks(180) == []
    (alert,) = await bench.look()
    assert (alert.rule, alert.stream) == (Rule.SILENT, DESTINATION)
    assert alert.facts == ("none for 3 minutes, the last one at 2023-11-14 22:13:30 UTC",)
    assert await bench.looks(7200) == []


async def test_a_stream_with_events_now_and_then_is_not_silent(bench: AlertBench) -> None:
    for _ in range(10):
        await bench.write(good=1)
        assert await bench.looks(170) == []


async def test_it_is_told_again_only_after_it_had_events_and_at_most_once_an_hour(bench: AlertBench) -> None:
    for told in (1, 0, 1):
        await bench.write(good=1)
        assert len(await bench.looks(1800)) == told
    assert bench.counts.suppressed[Rule.SILENT] == 1


async def test_a_stream_that_had_no_events_since_somebody_watches_is_not_waited_for() -> None:
    bench = AlertBench(new_error_group=False, silent_minutes=3)
    await bench.write(good=1)
    assert await bench.looks(600) == []
    await bench.write(good=1)
    assert len(await bench.looks(600)) == 1


async def test_another_process_goes_on_waiting_where_the_first_one_ended(bench: AlertBench) -> None:
    await bench.write(good=1)
    for _ in range(3):
        assert await bench.looks(60) == []
        bench.take_over()
    # Each may lose the time until its first look, as nothing says how late that is.
    assert len(await bench.looks(60)) == 1
    bench.take_over()
    assert await bench.looks(600) == []


async def test_after_an_outage_the_silence_begins_anew(bench: AlertBench) -> None:
    for stream in (DESTINATION, OTHER):
        await bench.write(stream, good=1)
    assert await bench.looks(170) == []
    bench.manual.advance(30 * MICROSECONDS)
    bench.take_over(interrupted=True)
    assert await bench.looks(170) == []
    assert len(await bench.looks(20)) == 2


async def test_after_an_outage_that_nobody_noticed_the_silence_begins_anew(bench: AlertBench) -> None:
    for stream in (DESTINATION, OTHER):
        await bench.write(stream, good=1)
    await bench.look()
    bench.manual.advance(3600 * MICROSECONDS)
    bench.take_over()
    await bench.write(good=1)
    assert await bench.looks(180) == []
    assert {alert.stream for alert in await bench.looks(20)} == {DESTINATION, OTHER}


async def test_a_process_that_was_stopped_for_long_concludes_nothing(bench: AlertBench) -> None:
    await bench.write(good=1)
    await bench.look()
    assert await bench.look(3600) == []
    assert await bench.looks(170) == []
    assert len(await bench.looks(10)) == 1


@pytest.mark.parametrize("seconds", [-3600, 3600])
async def test_when_the_clock_of_the_storage_is_set_no_stream_seems_silent(bench: AlertBench, seconds: int) -> None:
    bench.set_own_clock_apart()
    for stream in (DESTINATION, OTHER):
        await bench.write(stream, good=1)
    await bench.look()
    bench.set_back(-seconds)
    for _ in range(30):
        for stream in (DESTINATION, OTHER):
            await bench.write(stream, good=1)
        assert await bench.look() == []
    assert len(await bench.looks(190)) == 2


async def test_a_stream_that_is_idle_when_the_clock_is_set_back_is_told_in_time(bench: AlertBench) -> None:
    bench.set_own_clock_apart()
    for stream in (DESTINATION, OTHER):
        await bench.write(stream, good=1)
    await bench.look()
    bench.set_back(3600)
    await bench.write(OTHER, good=1)
    await bench.look()
    assert await bench.looks(160) == []
    assert {alert.stream for alert in await bench.looks(40)} == {DESTINATION, OTHER}


async def test_what_was_waited_for_before_the_rule_was_off_is_forgotten(bench: AlertBench) -> None:
    await bench.write(good=1)
    await bench.look()
    bench.rules = bench.rules._replace(silent_minutes=0)
    bench.take_over()
    assert await bench.looks(3600) == []
    bench.rules = bench.rules._replace(silent_minutes=3)
    bench.take_over()
    assert await bench.looks(600) == []
    await bench.write(good=1)
    assert len(await bench.looks(200)) == 1


async def test_a_stream_that_no_longer_matches_is_forgotten(bench: AlertBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LISTED_STREAMS", 1)
    await bench.write(good=1)
    await bench.look()
    bench.rules = bench.rules._replace(streams=SomeStreams(("other",)))
    bench.take_over()
    await bench.write(OTHER, good=1)
    assert [alert.stream for alert in await bench.looks(600)] == [OTHER]


async def test_a_stream_that_is_gone_is_not_waited_for(bench: AlertBench) -> None:
    await bench.write(good=1)
    await bench.look()
    await bench.storage.erase()
    assert await bench.looks(600) == []
    assert not any(name.startswith(b"awaited:") for name in bench.saved)


async def test_a_stream_behind_many_active_ones_is_told_when_those_are_old_enough(
    bench: AlertBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LISTED_STREAMS", 2)
    await bench.write(good=1)
    await bench.look()
    others = [Stream(Namespace.DESTINATION, f"other{number}") for number in range(2)]
    for _ in range(20):
        for other in others:
            await bench.write(other, good=1)
        told = await bench.looks(10)
        if told:
            break
    # Those that are listed were active just now, but so may the one be that is not listed.
    assert told == []
    assert {alert.stream for alert in await bench.looks(190)} == {DESTINATION, *others}


async def test_so_many_streams_are_waited_for(bench: AlertBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "MOST_STREAMS", 3)
    for number in range(5):
        await bench.write(Stream(Namespace.TOKEN, f"key{number}"), good=1)
        await bench.look()
    assert sum(name.startswith(b"awaited:") for name in bench.saved) == 3
    assert len(await bench.looks(200)) == 3


async def test_what_something_else_wrote_beside_it_is_not_waited_for() -> None:
    bench = AlertBench(silent_minutes=3)
    bench.saved = {b"awaited:nothing": b"1", b"awaited:\xff": b"1", b"looked_us": b"x", b"group:x": b"9" * 30}
    bench.take_over()
    assert await bench.looks(600) == []
