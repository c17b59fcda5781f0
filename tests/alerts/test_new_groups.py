"""New groups of errors: each is told once, whoever looks, and none that was there before."""

import pytest

from eventscache.access.some_streams import SomeStreams
from eventscache.alerts import known_groups
from eventscache.alerts.new_groups import STREAMS_PER_LOOK
from eventscache.alerts.rules import Rule
from eventscache.stream import Namespace, Stream
from tests.support.alert_bench import DESTINATION, OTHER, AlertBench


async def test_what_is_there_before_the_first_look_is_remembered_and_not_told() -> None:
    bench = AlertBench()
    await bench.write(errors=1, group="old")
    assert await bench.look() == []
    await bench.write(errors=1, group="old")
    assert await bench.look() == []
    await bench.write(errors=2, group="new", error="no such column")
    (alert,) = await bench.look()
    assert (alert.rule, alert.stream, alert.quote) == (Rule.NEW_ERROR_GROUP, DESTINATION, "no such column")
    assert alert.facts == ("2 errors so far, the first at 2023-11-14 22:13:40 UTC",)


async def test_in_an_empty_storage_every_group_is_new() -> None:
    bench = AlertBench()
    assert await bench.look() == []
    await bench.write(errors=1, group="a")
    assert [alert.quote for alert in await bench.look()] == ["boom"]


async def test_a_group_is_told_once_also_after_another_process_took_over() -> None:
    bench = AlertBench()
    await bench.look()
    await bench.write(errors=1, group="a")
    assert len(await bench.look()) == 1
    for _ in range(3):
        bench.take_over()
        await bench.write(errors=1, group="a")
        assert await bench.look() == []
    # Cleared, it begins anew, and is still known.
    await bench.storage.clear(DESTINATION, reset=True)
    await bench.write(errors=1, group="a")
    assert await bench.look() == []


async def test_a_group_that_came_while_nobody_looked_is_told_by_the_next_process() -> None:
    bench = AlertBench()
    await bench.write(good=1)
    await bench.look()
    await bench.write(errors=1, group="a")
    bench.manual.advance(600_000_000)
    bench.take_over()
    assert len(await bench.look()) == 1


async def test_a_group_that_began_hours_before_somebody_looks_is_remembered_and_not_told() -> None:
    bench = AlertBench(streams=SomeStreams(("nobody",)))
    await bench.write(good=1)
    await bench.look()
    await bench.write(errors=1, group="a")
    assert await bench.looks(7200) == []
    bench.rules = bench.rules._replace(streams=SomeStreams(("*",)))
    bench.take_over()
    await bench.write(errors=1, group="a")
    assert await bench.look() == []


async def test_a_group_is_told_also_after_the_clock_of_the_storage_was_set_back() -> None:
    bench = AlertBench()
    await bench.write(good=1)
    await bench.looks(7200)
    bench.set_own_clock_apart()
    await bench.write(good=1)
    await bench.look()
    bench.set_back(5400)
    await bench.write(good=1)
    assert await bench.look() == []
    await bench.write(OTHER, errors=1, group="a")
    assert [alert.stream for alert in await bench.look()] == [OTHER]


async def test_the_same_group_of_two_streams_is_told_for_both() -> None:
    bench = AlertBench()
    await bench.look()
    for stream in (DESTINATION, OTHER):
        await bench.write(stream, errors=1, group="a")
    assert {alert.stream for alert in await bench.look()} == {DESTINATION, OTHER}


async def test_only_streams_that_match_are_looked_at() -> None:
    bench = AlertBench(streams=SomeStreams(("sh*",), (Namespace.DESTINATION,)))
    await bench.look()
    for stream in (DESTINATION, OTHER, Stream(Namespace.TOKEN, "shop")):
        await bench.write(stream, errors=1, group="a")
    assert [alert.stream for alert in await bench.look()] == [DESTINATION]


async def test_of_very_many_streams_all_have_their_turns() -> None:
    bench = AlertBench()
    await bench.look()
    for number in range(STREAMS_PER_LOOK + 5):
        await bench.write(Stream(Namespace.TOKEN, f"key{number}"), errors=1, group="old")
    # The hour's messages are fewer than the streams: the rest is counted.
    assert len(await bench.look()) == 60
    assert bench.counts.suppressed[Rule.NEW_ERROR_GROUP] == STREAMS_PER_LOOK - 60
    assert await bench.look() == []
    assert bench.counts.suppressed[Rule.NEW_ERROR_GROUP] == STREAMS_PER_LOOK + 5 - 60


async def test_what_is_remembered_is_bounded_and_the_least_recently_seen_group_leaves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(known_groups, "MOST_GROUPS", 3)
    bench = AlertBench()
    await bench.look()
    for group in ("a", "b", "c"):
        await bench.write(errors=1, group=group)
        assert len(await bench.look()) == 1
    await bench.write(errors=1, group="a")
    await bench.write(OTHER, errors=1, group="d")
    assert len(await bench.look()) == 1
    assert sum(name.startswith(b"group:") for name in bench.saved) == 3
    bench.take_over()
    assert await bench.look() == []


async def test_an_example_that_cannot_be_read_or_is_gone_is_not_quoted() -> None:
    bench = AlertBench()
    await bench.look()
    await bench.write(errors=1, group="a")
    (stored,) = bench.storage._streams[Namespace.DESTINATION].values()  # type: ignore[attr-defined]
    stored.extras["group:a"][0] = stored.extras["group:a"][0]._replace(event=b"no event")
    assert [alert.quote for alert in await bench.look()] == [""]
    await bench.write(errors=1, group="b")
    stored.extras["group:b"].clear()
    assert [alert.quote for alert in await bench.look()] == [""]
