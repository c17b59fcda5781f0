"""`/api/v1/events/stream`, and `wait` of the cache: what goes over the wire, and when it ends."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
import pytest
from structlog.testing import capture_logs
from yarl import URL

from eventscache.errors import StorageUnavailable
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Page, Query
from eventscache.storage.options import StorageOptions
from eventscache.stream import Namespace, Stream
from tests.support.fake_clock import GENEROUS_SECONDS, FakeClock
from tests.support.redis_server import RedisServer
from tests.support.sidecar import CACHE, Sidecar, Start

STREAM = "/api/v1/events/stream"


class Frame(NamedTuple):
    event: str
    data: Any
    id: str | None


class View:
    """Reads the frames of a stream."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer
        self.frames: list[Frame] = []
        self.comments = 0

    async def block(self) -> str:
        async with asyncio.timeout(GENEROUS_SECONDS):
            return (await self.answer.content.readuntil(b"\n\n")).decode()[:-2]

    async def next(self) -> Frame:
        while (block := await self.block()).startswith(":"):
            self.comments += 1
        assert "\ndata: " in block, block
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        frame = Frame(fields["event"], json.loads(fields["data"]), fields.get("id"))
        self.frames.append(frame)
        return frame

    async def until(self, event: str) -> list[Frame]:
        """Return the frames before the next one of that kind, and it."""
        start = len(self.frames)
        while (await self.next()).event != event:
            pass
        return self.frames[start:]

    async def end(self) -> bytes:
        async with asyncio.timeout(GENEROUS_SECONDS):
            return await self.answer.content.read()


@asynccontextmanager
async def opened(sidecar: Sidecar, query: str = "", **headers: str) -> AsyncIterator[View]:
    url = URL(f"{sidecar.address}{STREAM}?{query}", encoded=True)
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        page = View(answer)
        assert await page.block() == "retry: 1000"
        yield page


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(GENEROUS_SECONDS):
        while not condition():
            await asyncio.sleep(0.001)


async def all_wait(sidecar: Sidecar) -> None:
    """Return when somebody waits, and all who do know what was there before."""
    live = sidecar.server.live
    await until(lambda: live.watchers > 0 and all(each._ready for each in live._subscriptions))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["memory", "redis"])
async def paced(request: pytest.FixtureRequest, start: Start, clock: FakeClock) -> Sidecar:
    if request.param == "memory":
        return await start(clock=clock)
    servers: dict[str, RedisServer] = request.getfixturevalue("redis_servers")
    url = servers[max(servers)].storage_url
    return await start(url, clock=clock, prefix=f"eventscache:push-{id(request)}")


def record(number: int, name: str = "d", **fields: Any) -> bytes:
    return json.dumps({"destination_id": name, "original": {"n": number}, **fields}).encode()


async def test_events_come_as_the_cache_has_them(paced: Sidecar, clock: FakeClock) -> None:
    await paced.record(record(1))
    async with opened(paced, "history=10") as page:
        headers = page.answer.headers
        assert headers["Content-Type"].startswith("text/event-stream")
        assert (headers["Cache-Control"], headers["X-Accel-Buffering"]) == ("no-store", "no")
        before = await page.until("ready")
        await paced.record(b'{"destination_id":"d","original":{\n"n" : 1.10\r\n}}')
        await clock.pass_on()
        live = await page.next()
        assert [frame.data for frame in [live, before[0]]] == await paced.events("ids=d")
        assert [frame.event for frame in [*before, live]] == ["event", "ready", "event"]
        assert before[1].data == {}


async def test_a_client_goes_on_after_the_last_id_it_saw(paced: Sidecar, clock: FakeClock) -> None:
    for number in range(3):
        await paced.record(record(number))
        await paced.record(record(number, "e"))
    async with opened(paced, "history=100") as page:
        whole = (await page.until("ready"))[:-1]
    assert len(whole) == 6
    for index, frame in enumerate(whole):
        async with opened(paced, f"last_event_id={frame.id}&history=5") as page:
            rest = (await page.until("ready"))[:-1]
        assert sorted(str(each.data) for each in whole[: index + 1] + rest) == sorted(str(each.data) for each in whole)


async def test_the_header_is_understood_and_wins(paced: Sidecar, clock: FakeClock) -> None:
    await paced.record(record(1))
    await paced.record(record(2))
    async with opened(paced, "ids=d&history=5") as page:
        first, second, _ = await page.until("ready")
    assert first.id
    assert second.id
    async with opened(paced, f"ids=d&last_event_id={second.id}", **{"Last-Event-ID": first.id}) as page:
        assert [frame.data for frame in await page.until("ready")] == [second.data, {}]


async def test_filters_are_those_of_the_cache(paced: Sidecar, clock: FakeClock) -> None:
    async with opened(paced, "ids=d&status=error") as errors, opened(paced, "ids=d&q=NEEDLE") as search:
        await errors.until("ready")
        await search.until("ready")
        await paced.record(record(1))
        await paced.record(record(2, error="broken"))
        await paced.record(record(3, skip="a needle"))
        await clock.pass_on()
        assert (await errors.next()).data["original"] == {"n": 2}
        assert (await search.next()).data["original"] == {"n": 3}


async def test_counters_come_every_second(paced: Sidecar, clock: FakeClock) -> None:
    async with opened(paced, "ids=d") as page:
        await page.until("ready")
        await paced.record(record(1))
        await clock.pass_on(4)
        before, counters = await page.until("counters")
    assert before.event == "event"
    assert counters.data == {
        "per_second": 1.0,
        "last_minute_limited": 0,
        "total_events": 1,
        "dropped": 0,
        "streams": 1,
    }


async def test_what_one_sidecar_receives_another_tells(start: Start, redis_server: RedisServer) -> None:
    prefix = f"eventscache:two-{id(redis_server)}"
    clock = FakeClock()
    one = await start(redis_server.storage_url, clock=clock, prefix=prefix)
    two = await start(redis_server.storage_url, prefix=prefix)
    async with opened(one, "ids=d") as page:
        await page.until("ready")
        await two.record(record(1))
        await clock.pass_on()
        assert (await page.next()).data["original"] == {"n": 1}


async def test_what_the_own_queue_holds_is_told_without_delay(paced: Sidecar, clock: FakeClock) -> None:
    async with opened(paced, "ids=d") as page:
        await page.until("ready")
        await paced.record(record(1), query="")
        await clock.pass_on()
        assert (await page.next()).data["original"] == {"n": 1}


async def test_clearing_is_told(paced: Sidecar, clock: FakeClock) -> None:
    await paced.record(record(1))
    async with opened(paced) as page:
        await page.until("ready")
        await paced.ask("DELETE", f"{CACHE}?ids=d")
        await clock.pass_on()
        assert (await page.next())[:2] == ("cleared", {"namespace": "destination", "id": "d"})


async def test_numbers_that_begin_anew_are_told(paced: Sidecar, clock: FakeClock) -> None:
    for number in range(3):
        await paced.record(record(number))
    async with opened(paced, "ids=d") as page:
        await page.until("ready")
        await paced.cache._storage.erase()
        for number in range(5):  # more than there were
            await paced.record(record(number))
        await clock.pass_on()
        assert (await page.next())[:2] == ("gap", {"namespace": "destination", "id": "d", "at_most": None})
        assert [(await page.next()).data["seq"] for _ in range(5)] == [1, 2, 3, 4, 5]


async def test_who_leaves_a_stream_leaves_no_trace(paced: Sidecar, clock: FakeClock) -> None:
    with capture_logs() as logs:
        async with opened(paced, "ids=d") as page:
            await page.until("ready")
        await until(lambda: all(each._peer.gone for each in paced.server.live._subscriptions))
        await clock.end_pause()
        await until(lambda: paced.server.live.watchers == 0 and paced.server.connections == 0)
    assert logs == []


async def test_a_storage_that_is_away_while_waiting_is_a_503_in_the_end(start: Start, clock: FakeClock) -> None:
    storage = Flaky()
    sidecar = await start(storage, clock=clock)
    storage.away = True
    waiting = asyncio.create_task(sidecar.get(f"{CACHE}?ids=d&wait=0.5"))
    await until(lambda: sidecar.server.live.watchers == 1)
    await clock.pass_on()
    assert not waiting.done()
    await clock.end_pause()
    assert (await waiting).status == 503


class Flaky(MemoryStorage):
    """The memory storage, with a time of its own, which can be away."""

    away = False
    now_us = 1_600_000_000_000_000

    def __init__(self) -> None:
        super().__init__(StorageOptions(now=lambda: self.now_us))

    async def fetch(self, stream: Stream, query: Query) -> Page:
        if self.away:
            raise StorageUnavailable("gone")
        return await super().fetch(stream, query)


async def test_an_absent_storage_is_told_and_ends_nothing(start: Start, clock: FakeClock) -> None:
    storage = Flaky()
    sidecar = await start(storage, clock=clock)
    async with opened(sidecar, "ids=d") as page:
        await page.until("ready")
        storage.away = True
        await clock.pass_on()
        assert (await page.next())[:2] == ("away", {"message": "the storage does not answer"})
        storage.away = False
        await clock.pass_on()
        assert (await page.next())[:2] == ("back", {})


async def test_a_gap_is_told(start: Start, clock: FakeClock) -> None:
    storage = Flaky()
    sidecar = await start(storage, clock=clock, size=2, window_seconds=1)
    async with opened(sidecar, "ids=d") as page:
        (ready,) = await page.until("ready")
    for number in range(4):
        await sidecar.record(record(number))
        storage.now_us += 1_000_000
        sidecar.cache.queue.end_cooldowns(Stream(Namespace.DESTINATION, "d"))
    async with opened(sidecar, f"ids=d&last_event_id={ready.id}") as page:
        frames = await page.until("ready")
    assert frames[0][:2] == ("gap", {"namespace": "destination", "id": "d", "at_most": 2})
    assert [frame.data["seq"] for frame in frames[1:-1]] == [3, 4]


async def test_silence_is_filled_with_comments(start: Start, clock: FakeClock) -> None:
    sidecar = await start(clock=clock)
    async with opened(sidecar, "ids=d") as page:
        await page.until("ready")
        sidecar.server.live._counted_at = 1e9
        await clock.pass_on(60)
        assert await page.block() == ": "


async def test_an_idle_stream_outlives_the_time_limits_of_connections(start: Start, clock: FakeClock) -> None:
    sidecar = await start(clock=clock, body_timeout_ms=20, header_timeout_ms=20, keepalive_ms=20)
    async with opened(sidecar, "ids=d") as page:
        await page.until("ready")
        for _ in range(3):  # each is cut off for standing still, so the limits were looked after
            assert (await sidecar.raw(b"POST /api/v1/event HTTP/1.1\r\nX-Slow: ")) == b""
        await sidecar.record(record(1))
        await clock.pass_on()
        assert (await page.next()).event == "event"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("ids=", "ids names no stream"),
        ("history=1001", "history must be a whole number from 0 to 1000"),
        ("history=x", "history must be"),
        ("last_event_id=x", "Last-Event-ID is not"),
        ("status=none", "status query parameter"),
        ("namespace=x", "namespace query parameter"),
        ("start=x", "start must be a time"),
        ("ids=" + ",".join(map(str, range(101))), "101 ids are too many to be watched"),
    ],
)
async def test_a_bad_question_gets_a_400(sidecar: Sidecar, query: str, message: str) -> None:
    answer = await sidecar.get(f"{STREAM}?{query}")
    assert (answer.status, answer.json["error"]) == (400, "")
    assert message in answer.json["message"]
    assert sidecar.server.live.watchers == 0


async def test_a_bad_cursor_in_the_header_gets_a_400(sidecar: Sidecar) -> None:
    assert (await sidecar.get(STREAM, Last_Event_ID="%%")).status == 400


async def test_only_an_admin_may_watch(start: Start) -> None:
    sidecar = await start(admin_tokens=("secret",), ingest_tokens=("writer",))
    assert (await sidecar.get(STREAM)).status == 401
    assert (await sidecar.get(STREAM, X_Auth_Token="writer")).status == 401
    async with opened(sidecar, Authorization="Bearer secret") as page:
        await page.until("ready")


async def test_too_many_watchers_get_a_429_and_metrics_tell_how_many_there_are(start: Start) -> None:
    sidecar = await start(max_connections=3)
    async with opened(sidecar):
        answer = await sidecar.get(STREAM)
        assert (answer.status, "Retry-After" in answer.headers) == (429, True)
        assert (await sidecar.get(f"{CACHE}?wait=1")).status == 429
        assert b"\neventscache_watchers 1.0\n" in (await sidecar.get("/metrics")).body
    await until(lambda: sidecar.server.live.watchers == 0)
    assert b"\neventscache_watchers 0.0\n" in (await sidecar.get("/metrics")).body


async def test_who_reads_nothing_is_cut_off(start: Start, clock: FakeClock) -> None:
    sidecar = await start(clock=clock, size=100, max_event_bytes=2_000_000, max_malformed_bytes=2_000_000)
    url = URL(sidecar.address)
    reader, writer = await asyncio.open_connection(url.host, url.port, limit=1024)
    writer.write(f"GET {STREAM}?ids=d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    await until(lambda: sidecar.server.live.watchers == 1)
    async with opened(sidecar, "ids=d") as page:
        await page.until("ready")
        count = 0
        while sidecar.server.live.watchers == 2 and count < 90:
            await sidecar.record(record(count, malformed="x" * 500_000))
            await clock.pass_on()
            assert (await page.until("event"))[-1].data["original"] == {"n": count}
            count += 1
        assert sidecar.server.live.watchers == 1
    writer.transport.abort()
    assert reader


async def test_stopping_ends_streams_and_waits_at_once(start: Start, clock: FakeClock) -> None:
    sidecar = await start(clock=clock)
    waiting = asyncio.create_task(sidecar.get(f"{CACHE}?ids=d&wait=60"))
    async with opened(sidecar, "ids=d") as page:
        await page.until("ready")
        await until(lambda: sidecar.server.live.watchers == 2)
        began = asyncio.get_running_loop().time()
        await sidecar.server.stop()
        assert asyncio.get_running_loop().time() - began < 1
        assert await page.end() == b""
    assert (await waiting).json["events"] == []


async def test_waiting_ends_when_enough_has_come(paced: Sidecar, clock: FakeClock) -> None:
    await paced.record(record(1))
    waiting = asyncio.create_task(paced.get(f"{CACHE}?ids=d,e&wait=60&min=3"))
    await all_wait(paced)
    await paced.record(record(2))
    await clock.pass_on()
    assert not waiting.done()
    await paced.record(record(3, "e"))
    await clock.end_pause()
    answer = await waiting
    assert (answer.status, answer.json["total_events"]) == (200, 3)


async def test_what_is_there_is_not_waited_for(paced: Sidecar) -> None:
    await paced.record(record(1))
    assert len(await paced.events("ids=d&wait=60")) == 1
    assert len(await paced.events("wait=60&min=1")) == 1
    assert await paced.events("ids=&wait=60") == []
    assert await paced.events("ids=x&wait=0") == []


async def test_waiting_ends_with_its_time(paced: Sidecar, clock: FakeClock) -> None:
    waiting = asyncio.create_task(paced.get(f"{CACHE}?ids=d&wait=2.5"))
    await all_wait(paced)
    await clock.pass_on(9)
    assert not waiting.done()
    await clock.end_pause()
    assert (await waiting).json["events"] == []


async def test_only_what_matches_is_waited_for(paced: Sidecar, clock: FakeClock) -> None:
    await paced.record(record(1))
    waiting = asyncio.create_task(paced.get(f"{CACHE}?ids=d&wait=60&after=1&q=needle"))
    await all_wait(paced)
    await paced.record(record(2))
    await clock.pass_on()
    assert not waiting.done()
    await paced.record(record(3, skip="needle"))
    await clock.end_pause()
    assert [event["seq"] for event in (await waiting).json["events"]] == [3]


async def test_a_stream_that_appears_is_waited_for(paced: Sidecar, clock: FakeClock) -> None:
    waiting = asyncio.create_task(paced.get(f"{CACHE}?wait=60"))
    await all_wait(paced)
    await paced.record(record(1))
    await clock.pass_on(3)
    await clock.end_pause()
    assert len((await waiting).json["events"]) == 1


async def test_who_leaves_is_waited_for_no_more(paced: Sidecar, clock: FakeClock) -> None:
    waiting = asyncio.create_task(paced.get(f"{CACHE}?ids=d&wait=60"))
    await all_wait(paced)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await until(lambda: next(iter(paced.server.live._subscriptions))._peer.gone)
    await clock.end_pause()
    await until(lambda: paced.server.live.watchers == 0)


@pytest.mark.parametrize("query", ["wait=-1", "wait=61", "wait=60.1", "wait=x", "wait=1e1", "wait=1&min=0", "min=x"])
async def test_a_bad_wait_gets_a_400(sidecar: Sidecar, query: str) -> None:
    assert (await sidecar.get(f"{CACHE}?ids=d&{query}")).status == 400
