"""`/api/v1/events/stream`: what goes over the wire, and when it ends."""

import asyncio

import pytest
from structlog.testing import capture_logs
from yarl import URL

from eventscache.stream import Namespace, Stream
from tests.support.event_streams import STREAM, FlakyStorage, opened, record, until
from tests.support.fake_clock import FakeClock
from tests.support.redis_server import RedisServer
from tests.support.sidecar import CACHE, Sidecar, Start


async def test_events_are_sent_as_the_cache_has_them(clocked: Sidecar, clock: FakeClock) -> None:
    await clocked.record(record(1))
    async with opened(clocked, "history=10") as stream:
        headers = stream.answer.headers
        assert headers["Content-Type"].startswith("text/event-stream")
        assert (headers["Cache-Control"], headers["X-Accel-Buffering"]) == ("no-store", "no")
        before = await stream.until("ready")
        await clocked.record(b'{"destination_id":"d","original":{\n"n" : 1.10\r\n}}')
        await clock.advance()
        live = await stream.next()
        assert [frame.data for frame in [live, before[0]]] == await clocked.events("ids=d")
        assert [frame.event for frame in [*before, live]] == ["event", "ready", "event"]
        assert before[1].data == {}


async def test_a_client_resumes_after_the_last_id_that_it_got(clocked: Sidecar, clock: FakeClock) -> None:
    for number in range(3):
        await clocked.record(record(number))
        await clocked.record(record(number, "e"))
    async with opened(clocked, "history=100") as stream:
        whole = (await stream.until("ready"))[:-1]
    assert len(whole) == 6
    for index, frame in enumerate(whole):
        async with opened(clocked, f"last_event_id={frame.id}&history=5") as stream:
            rest = (await stream.until("ready"))[:-1]
        assert sorted(str(each.data) for each in whole[: index + 1] + rest) == sorted(str(each.data) for each in whole)


async def test_the_header_last_event_id_overrides_the_parameter(clocked: Sidecar, clock: FakeClock) -> None:
    await clocked.record(record(1))
    await clocked.record(record(2))
    async with opened(clocked, "ids=d&history=5") as stream:
        first, second, _ = await stream.until("ready")
    assert first.id
    assert second.id
    async with opened(clocked, f"ids=d&last_event_id={second.id}", **{"Last-Event-ID": first.id}) as stream:
        assert [frame.data for frame in await stream.until("ready")] == [second.data, {}]


async def test_filters_are_those_of_the_cache(clocked: Sidecar, clock: FakeClock) -> None:
    async with (
        opened(clocked, "ids=d&status=error") as errors,
        opened(clocked, "ids=d&q=NEEDLE") as search,
        opened(clocked, "ids=d&status=-success") as others,
    ):
        for stream in (errors, search, others):
            await stream.until("ready")
        await clocked.record(record(1))
        await clocked.record(record(2, error="broken"))
        await clocked.record(record(3, skip="a needle"))
        await clock.advance()
        assert (await errors.next()).data["original"] == {"n": 2}
        assert (await search.next()).data["original"] == {"n": 3}
        assert [(await others.next()).data["original"]["n"] for _ in range(2)] == [2, 3]


async def test_counters_come_every_second(clocked: Sidecar, clock: FakeClock) -> None:
    async with opened(clocked, "ids=d") as stream:
        await stream.until("ready")
        await clocked.record(record(1))
        await clock.advance(4)
        before, counters = await stream.until("counters")
    assert before.event == "event"
    assert 0 < counters.data.pop("readable_within_ms") < 60_000
    assert counters.data == {
        "per_second": 1.0,
        "last_minute_limited": 0,
        "total_events": 1,
        "dropped": 0,
        "streams": 1,
    }


async def test_events_that_one_sidecar_receives_are_sent_by_another(start: Start, redis_server: RedisServer) -> None:
    prefix = f"eventscache:two-{id(redis_server)}"
    clock = FakeClock()
    one = await start(redis_server.storage_url, clock=clock, prefix=prefix)
    two = await start(redis_server.storage_url, prefix=prefix)
    async with opened(one, "ids=d") as stream:
        await stream.until("ready")
        await two.record(record(1))
        await clock.advance()
        assert (await stream.next()).data["original"] == {"n": 1}


async def test_queued_events_of_the_same_process_are_sent_without_delay(clocked: Sidecar, clock: FakeClock) -> None:
    async with opened(clocked, "ids=d") as stream:
        await stream.until("ready")
        await clocked.record(record(1), query="")
        await clock.advance()
        assert (await stream.next()).data["original"] == {"n": 1}


async def test_clearing_is_sent(clocked: Sidecar, clock: FakeClock) -> None:
    await clocked.record(record(1))
    async with opened(clocked) as stream:
        await stream.until("ready")
        await clocked.ask("DELETE", f"{CACHE}?ids=d")
        await clock.advance()
        assert (await stream.next())[:2] == ("cleared", {"namespace": "destination", "id": "d"})


async def test_numbers_that_begin_anew_are_sent_as_a_gap(clocked: Sidecar, clock: FakeClock) -> None:
    for number in range(3):
        await clocked.record(record(number))
    async with opened(clocked, "ids=d") as stream:
        await stream.until("ready")
        await clocked.cache._storage.erase()
        for number in range(5):  # more than there were
            await clocked.record(record(number))
        await clock.advance()
        assert (await stream.next())[:2] == ("gap", {"namespace": "destination", "id": "d", "at_most": None})
        assert [(await stream.next()).data["seq"] for _ in range(5)] == [1, 2, 3, 4, 5]


async def test_a_client_that_leaves_leaves_nothing_behind(clocked: Sidecar, clock: FakeClock) -> None:
    with capture_logs() as logs:
        async with opened(clocked, "ids=d") as stream:
            await stream.until("ready")
        await until(lambda: all(each._client.gone for each in clocked.server.live._subscriptions))
        await clock.end_sleep()
        await until(lambda: clocked.server.live.subscribers == 0 and clocked.server.connections == 0)
    assert logs == []


async def test_an_unavailable_storage_is_sent_and_ends_nothing(start: Start, clock: FakeClock) -> None:
    storage = FlakyStorage()
    sidecar = await start(storage, clock=clock)
    async with opened(sidecar, "ids=d") as stream:
        await stream.until("ready")
        storage.unavailable = True
        await clock.advance()
        assert (await stream.next())[:2] == ("away", {"message": "the storage does not answer"})
        storage.unavailable = False
        await clock.advance()
        assert (await stream.next())[:2] == ("back", {})


async def test_a_gap_is_sent(start: Start, clock: FakeClock) -> None:
    storage = FlakyStorage()
    sidecar = await start(storage, clock=clock, size=2, window_seconds=1)
    async with opened(sidecar, "ids=d") as stream:
        (ready,) = await stream.until("ready")
    for number in range(4):
        await sidecar.record(record(number))
        storage.now_us += 1_000_000
        sidecar.cache.queue.end_cooldowns(Stream(Namespace.DESTINATION, "d"))
    async with opened(sidecar, f"ids=d&last_event_id={ready.id}") as stream:
        frames = await stream.until("ready")
    assert frames[0][:2] == ("gap", {"namespace": "destination", "id": "d", "at_most": 2})
    assert [frame.data["seq"] for frame in frames[1:-1]] == [3, 4]


async def test_comments_are_sent_as_keepalives(start: Start, clock: FakeClock) -> None:
    sidecar = await start(clock=clock)
    async with opened(sidecar, "ids=d") as stream:
        await stream.until("ready")
        sidecar.server.live._counted_at = 1e9
        await clock.advance(60)
        assert await stream.block() == ": "


async def test_an_idle_stream_outlives_the_time_limits_of_connections(start: Start, clock: FakeClock) -> None:
    sidecar = await start(clock=clock, body_timeout_ms=20, header_timeout_ms=20, keepalive_ms=20)
    async with opened(sidecar, "ids=d") as stream:
        await stream.until("ready")
        for _ in range(3):  # each is cut off for sending nothing more, so the limits were enforced
            assert (await sidecar.raw(b"POST /api/v1/event HTTP/1.1\r\nX-Slow: ")) == b""
        await sidecar.record(record(1))
        await clock.advance()
        assert (await stream.next()).event == "event"


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
        ("ids=" + ",".join(map(str, range(101))), "101 ids are too many to subscribe to"),
    ],
)
async def test_a_bad_query_gets_a_400(sidecar: Sidecar, query: str, message: str) -> None:
    answer = await sidecar.get(f"{STREAM}?{query}")
    assert (answer.status, answer.json["error"]) == (400, "")
    assert message in answer.json["message"]
    assert sidecar.server.live.subscribers == 0


async def test_a_bad_cursor_in_the_header_gets_a_400(sidecar: Sidecar) -> None:
    assert (await sidecar.get(STREAM, Last_Event_ID="%%")).status == 400


async def test_only_an_admin_may_subscribe(start: Start) -> None:
    sidecar = await start(admin_tokens=("secret",), ingest_tokens=("writer",))
    assert (await sidecar.get(STREAM)).status == 401
    assert (await sidecar.get(STREAM, X_Auth_Token="writer")).status == 401
    async with opened(sidecar, Authorization="Bearer secret") as stream:
        await stream.until("ready")


async def test_too_many_subscribers_get_a_429_and_a_metric_counts_them(start: Start) -> None:
    sidecar = await start(max_connections=3)
    async with opened(sidecar):
        answer = await sidecar.get(STREAM)
        assert (answer.status, "Retry-After" in answer.headers) == (429, True)
        assert (await sidecar.get(f"{CACHE}?wait=1")).status == 429
        assert b"\neventscache_subscribers 1.0\n" in (await sidecar.get("/metrics")).body
    await until(lambda: sidecar.server.live.subscribers == 0)
    assert b"\neventscache_subscribers 0.0\n" in (await sidecar.get("/metrics")).body


async def test_a_client_that_reads_nothing_is_cut_off(start: Start, clock: FakeClock) -> None:
    sidecar = await start(clock=clock, size=100, max_event_bytes=2_000_000, max_malformed_bytes=2_000_000)
    url = URL(sidecar.address)
    reader, writer = await asyncio.open_connection(url.host, url.port, limit=1024)
    writer.write(f"GET {STREAM}?ids=d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    await until(lambda: sidecar.server.live.subscribers == 1)
    async with opened(sidecar, "ids=d") as stream:
        await stream.until("ready")
        count = 0
        while sidecar.server.live.subscribers == 2 and count < 90:
            await sidecar.record(record(count, malformed="x" * 500_000))
            await clock.advance()
            assert (await stream.until("event"))[-1].data["original"] == {"n": count}
            count += 1
        assert sidecar.server.live.subscribers == 1
    writer.transport.abort()
    assert reader


async def test_stopping_ends_streams_and_long_polls_at_once(start: Start, clock: FakeClock) -> None:
    sidecar = await start(clock=clock)
    waiting = asyncio.create_task(sidecar.get(f"{CACHE}?ids=d&wait=60"))
    async with opened(sidecar, "ids=d") as stream:
        await stream.until("ready")
        await until(lambda: sidecar.server.live.subscribers == 2)
        began = asyncio.get_running_loop().time()
        await sidecar.server.stop()
        assert asyncio.get_running_loop().time() - began < 1
        assert await stream.end() == b""
    assert (await waiting).json["events"] == []
