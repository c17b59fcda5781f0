"""What one client asks delays nobody else: `/livez` is answered meanwhile."""

import asyncio
from collections.abc import Awaitable

from tests.support.redis_server import RedisServer
from tests.support.sidecar import CACHE, Answer, Sidecar, Start

ANSWERS = 20  # of `/livez` meanwhile: far fewer than there are, and far more than there were
PUSH = "/api/v1/events/stream"


async def livez_during(sidecar: Sidecar, work: Awaitable[object]) -> int:
    """Return how often `/livez` was answered while some work was done."""
    answers = 0
    task = asyncio.ensure_future(work)
    while not task.done():
        assert (await sidecar.get("/livez")).status == 200
        answers += 1
    await task
    return answers


async def fill(sidecar: Sidecar) -> None:
    """Fill a stream with the largest events."""
    event = b'{"destination_id":"d","error":"x","original":{"a":"' + "é".encode() * 25_000 + b'"}}'
    assert (await sidecar.record(b"[" + b",".join([event] * 100) + b"]")).json["stored"] == 100


async def test_searches_delay_nobody_else(start: Start) -> None:
    sidecar = await start()
    await fill(sidecar)
    searches = asyncio.gather(*(sidecar.get(f"{CACHE}?q=nothing{number}") for number in range(20)))
    assert await livez_during(sidecar, searches) > ANSWERS
    assert {answer.status for answer in searches.result()} == {200}


async def test_lookups_delay_nobody_else(start: Start) -> None:
    sidecar = await start()
    await fill(sidecar)
    lookups = asyncio.gather(*(sidecar.get(f"/api/v1/lookup?field=a&value=%C3%A9{number}") for number in range(20)))
    assert await livez_during(sidecar, lookups) > ANSWERS
    assert {answer.status for answer in lookups.result()} == {200}


async def test_pushes_with_history_delay_nobody_else(start: Start) -> None:
    sidecar = await start()
    await fill(sidecar)
    request = b"GET %s?history=1000%s HTTP/1.1\r\nHost: localhost\r\n\r\n"

    async def push(query: bytes, until: bytes) -> None:
        assert await sidecar.raw(request % (PUSH.encode(), query), until=until)

    unread = [push(b"", b"\r\n\r\n") for _ in range(20)]
    searching = [push(b"&q=nothing", b"event: ready") for _ in range(20)]
    assert await livez_during(sidecar, asyncio.gather(*unread, *searching)) > ANSWERS


async def test_a_flood_of_new_streams_delays_nobody_else(start: Start, redis_server: RedisServer) -> None:
    settings = {"ingest_tokens": ("flooder", "honest"), "admin_tokens": ("admin",), "max_streams": 2_000}
    sidecar = await start(redis_server.storage_url, prefix="eventscache:flood", **settings)

    async def send(records: int, token: str, first: int = 0) -> Answer:
        lines = [b'{"destination_id":"%s %d","skip":"x"}' % (token.encode(), first + n) for n in range(records)]
        body = b"\n".join(lines)
        return await sidecar.record(body, Content_Type="application/x-ndjson", X_Auth_Token=token)

    assert (await send(500, "honest")).json["stored"] == 500
    flood = asyncio.ensure_future(send(10_000, "flooder"))
    while not sidecar.cache.queue.ready_new:
        await asyncio.sleep(0)
    assert (await send(50, "honest")).json["stored"] == 50
    assert not flood.done(), "known streams waited for new ones"
    assert await livez_during(sidecar, flood) > ANSWERS
    answer = flood.result()
    assert (answer.status, answer.json["code"]) == (429, "too_many_new_streams")
    assert answer.json["message"].startswith("9000 of 10000 events")
    assert sidecar.cache.ledger.dropped == {"new_streams": 9_000}
    known = (await sidecar.get("/api/v1/streams", X_Admin_Token="admin")).json["streams"]
    assert sum(stream["id"].startswith("honest") for stream in known) == 500
    assert len(known) == 1_500
    cleared = await sidecar.ask("DELETE", f"{CACHE}?all=true", X_Admin_Token="admin")
    assert cleared.json == {"status": "ok", "cleared": 1_550}
