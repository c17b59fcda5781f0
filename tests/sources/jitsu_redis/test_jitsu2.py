"""Jitsu 2's logs in Redis, followed."""

import asyncio
import json
from typing import Any

import pytest

from tests.support.cache_bench import GENEROUS_SECONDS
from tests.support.jitsu_lists import numbers
from tests.support.redis_server import RedisServer
from tests.support.sidecar import Log, Sidecar, Start


@pytest.fixture
def follow(start: Start, tcp_redis: RedisServer) -> Any:
    async def start_following(storage: str = "memory://", **settings: Any) -> Sidecar:
        sources = (("jitsu_redis", {"url": tcp_redis.url, "layout": "jitsu2"}),)
        return await start(storage, sources=sources, size=10_000, window_seconds=1, **settings)

    return start_following


def write(server: RedisServer, kind: str, actor: str, content: dict[str, Any], *levels: str) -> None:
    """Write an entry as bulker does: an error to both levels."""
    for level in levels or (("error", "all") if content.get("status") == "FAILED" else ("all",)):
        server.ask("XADD", f"events_log:{kind}.{level}#{actor}", "MAXLEN", "~", 1000, "*", "event", json.dumps(content))


def incoming(n: int, status: str = "SUCCESS", **fields: Any) -> dict[str, Any]:
    body = json.dumps({"n": n, "messageId": f"id-{n}"})
    return {"body": body, "asyncDestinations": [], "tags": [], "status": status, **fields}


async def seen(sidecar: Sidecar, query: str, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(GENEROUS_SECONDS):
        while len(events := await sidecar.events(f"{query}&limit=10000")) < count:
            await asyncio.sleep(0.01)
    assert len(events) == count
    return events


async def test_every_kind_of_entry_is_brought(follow: Any, tcp_redis: RedisServer) -> None:
    write(tcp_redis, "incoming", "site", incoming(1))
    write(tcp_redis, "incoming", "site", incoming(2, "SKIPPED", error="no destinations"))
    write(tcp_redis, "incoming", "site", {"body": '{"half":', "status": "FAILED", "error": "unexpected end of JSON"})
    done = {"mappedData": {"n": 3}, "representation": {"name": "t"}}
    write(tcp_redis, "bulker_stream", "pg", {"original": '{"n": 3}', "status": "SUCCESS", **done, "speed": 1})
    write(tcp_redis, "bulker_stream", "pg", {"original": '{"n": 4}', "status": "FAILED", "error": "type mismatch"})
    write(tcp_redis, "bulker_batch", "bq", {"status": "COMPLETED", "processedRows": 7})
    write(tcp_redis, "bulker_batch", "bq", {"status": "FAILED", "error": "quota"})
    sidecar = await follow()
    malformed, skipped, taken = await seen(sidecar, "namespace=token&ids=site", 3)
    assert taken["original"] == {"n": 1, "messageId": "id-1"}
    assert (skipped["skip"], skipped["original"]["n"]) == ("no destinations", 2)
    assert (malformed["malformed"], malformed["error"]) == ('{"half":', "unexpected end of JSON")
    failed, stored = await seen(sidecar, "ids=pg", 2)
    assert stored["success"] == done
    assert (failed["error"], failed["original"]) == ("type mismatch", {"n": 4})
    assert len(await seen(sidecar, "ids=pg&status=error", 1)) == 1
    failed, stored = await seen(sidecar, "ids=bq", 2)
    assert stored["success"] == {"status": "COMPLETED", "processedRows": 7}
    assert failed["error"] == "quota"
    assert sidecar.server.sources.counts["jitsu_redis"].errors.total() == 0


async def test_each_entry_is_brought_once_and_in_order_over_a_restart(
    follow: Any, tcp_redis: RedisServer, redis_server: RedisServer
) -> None:
    prefix = "eventscache:jitsu2"
    first = await follow(redis_server.storage_url, prefix=prefix)
    for n in range(300):
        write(tcp_redis, "incoming", f"site{n % 3}", incoming(n))
    await seen(first, "namespace=token&ids=site0", 100)
    await first.server.sources.stop()
    for n in range(300, 330):
        write(tcp_redis, "incoming", f"site{n % 3}", incoming(n))
    second = await follow(redis_server.storage_url, prefix=prefix)
    for site in range(3):
        assert numbers(await seen(second, f"namespace=token&ids=site{site}", 110)) == [*range(site, 330, 3)]


async def test_a_long_log_is_read_in_parts(follow: Any, tcp_redis: RedisServer) -> None:
    with tcp_redis.client() as client:
        pipeline = client.pipeline(transaction=False)
        for n in range(2500):
            pipeline.xadd("events_log:incoming.all#site", {"event": json.dumps(incoming(n))})
        pipeline.execute()
    assert numbers(await seen(await follow(), "namespace=token&ids=site", 2500)) == [*range(2500)]


async def test_errors_of_one_level_only_are_shown_among_the_errors(follow: Any, tcp_redis: RedisServer) -> None:
    sidecar = await follow()
    write(tcp_redis, "bulker_stream", "pg", {"original": '{"n": 1}', "status": "FAILED", "error": "old"}, "error")
    write(tcp_redis, "bulker_stream", "pg", {"original": '{"n": 2}', "status": "FAILED", "error": "new"})
    assert numbers(await seen(sidecar, "ids=pg&status=error", 2)) in ([1, 2], [2, 1])
    assert numbers(await seen(sidecar, "ids=pg", 1)) == [2]


async def test_what_cannot_be_read_is_counted_and_stops_nothing(follow: Any, tcp_redis: RedisServer, log: Log) -> None:
    for event in ("no json", "[]", '{"body":1}', b"\xff"):
        tcp_redis.ask("XADD", "events_log:incoming.all#site", "*", "event", event)
    tcp_redis.ask("XADD", "events_log:incoming.all#site", "*", "other", "x")
    tcp_redis.ask("XADD", "events_log:incoming.all#site", "*", "event", json.dumps({"body": "x" * 2_000_000}))
    tcp_redis.ask("LPUSH", "events_log:incoming.all#list", "x")
    tcp_redis.ask("SET", "events_log:incoming.error#text", "x")
    tcp_redis.ask("XADD", "events_log:other.all#x", "*", "event", "{}")
    tcp_redis.ask("XADD", "events_log:incoming.info#x", "*", "event", "{}")
    write(tcp_redis, "incoming", "site", incoming(1))
    sidecar = await follow()
    events = await seen(sidecar, "namespace=token&ids=site", 1)
    assert numbers(events) == [1]
    assert sidecar.server.sources.counts["jitsu_redis"].errors == {"unreadable": 7, "too_large": 1, "unknown": 2}
    assert log.faults == []
