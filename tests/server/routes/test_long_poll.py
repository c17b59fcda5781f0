"""`wait` and `min` of reading the cache: when the answer comes."""

import asyncio

import pytest

from tests.support.event_streams import FlakyStorage, record, until
from tests.support.fake_clock import FakeClock
from tests.support.sidecar import CACHE, Sidecar, Start


async def wait_until_all_wait(sidecar: Sidecar) -> None:
    """Return when there is a subscriber, and the events from before were counted for all subscribers."""
    live = sidecar.server.live
    await until(lambda: live.subscribers > 0 and all(each.ready for each in live._subscriptions))


async def test_a_storage_that_is_unavailable_all_the_time_is_a_503_at_the_end(start: Start, clock: FakeClock) -> None:
    storage = FlakyStorage()
    sidecar = await start(storage, clock=clock)
    storage.unavailable = True
    waiting = asyncio.create_task(sidecar.get(f"{CACHE}?ids=d&wait=0.5"))
    await until(lambda: sidecar.server.live.subscribers == 1)
    await clock.advance()
    assert not waiting.done()
    await clock.end_sleep()
    assert (await waiting).status == 503


async def test_waiting_ends_when_there_are_enough_events(clocked: Sidecar, clock: FakeClock) -> None:
    await clocked.record(record(1))
    waiting = asyncio.create_task(clocked.get(f"{CACHE}?ids=d,e&wait=60&min=3"))
    await wait_until_all_wait(clocked)
    await clocked.record(record(2))
    await clock.advance()
    assert not waiting.done()
    await clocked.record(record(3, "e"))
    await clock.end_sleep()
    answer = await waiting
    assert (answer.status, answer.json["total_events"]) == (200, 3)


async def test_events_that_are_there_are_not_waited_for(clocked: Sidecar) -> None:
    await clocked.record(record(1))
    assert len(await clocked.events("ids=d&wait=60")) == 1
    assert len(await clocked.events("wait=60&min=1")) == 1
    assert await clocked.events("ids=&wait=60") == []
    assert await clocked.events("ids=x&wait=0") == []


async def test_waiting_ends_after_its_time(clocked: Sidecar, clock: FakeClock) -> None:
    waiting = asyncio.create_task(clocked.get(f"{CACHE}?ids=d&wait=2.5"))
    await wait_until_all_wait(clocked)
    await clock.advance(9)
    assert not waiting.done()
    await clock.end_sleep()
    assert (await waiting).json["events"] == []


async def test_only_events_that_match_are_waited_for(clocked: Sidecar, clock: FakeClock) -> None:
    await clocked.record(record(1))
    waiting = asyncio.create_task(clocked.get(f"{CACHE}?ids=d&wait=60&after=1&q=needle"))
    await wait_until_all_wait(clocked)
    await clocked.record(record(2))
    await clock.advance()
    assert not waiting.done()
    await clocked.record(record(3, skip="needle"))
    await clock.end_sleep()
    assert [event["seq"] for event in (await waiting).json["events"]] == [3]


async def test_events_of_a_stream_that_appears_end_the_waiting(clocked: Sidecar, clock: FakeClock) -> None:
    waiting = asyncio.create_task(clocked.get(f"{CACHE}?wait=60"))
    await wait_until_all_wait(clocked)
    await clocked.record(record(1))
    await clock.advance(3)
    await clock.end_sleep()
    assert len((await waiting).json["events"]) == 1


async def test_a_client_that_leaves_is_no_subscriber_any_more(clocked: Sidecar, clock: FakeClock) -> None:
    waiting = asyncio.create_task(clocked.get(f"{CACHE}?ids=d&wait=60"))
    await wait_until_all_wait(clocked)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await until(lambda: next(iter(clocked.server.live._subscriptions))._client.gone)
    await clock.end_sleep()
    await until(lambda: clocked.server.live.subscribers == 0)


@pytest.mark.parametrize("query", ["wait=-1", "wait=61", "wait=60.1", "wait=x", "wait=1e1", "wait=1&min=0", "min=x"])
async def test_a_bad_wait_gets_a_400(sidecar: Sidecar, query: str) -> None:
    assert (await sidecar.get(f"{CACHE}?ids=d&{query}")).status == 400
