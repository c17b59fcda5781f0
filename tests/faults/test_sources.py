"""A followed Redis that fails, and a follower that is killed: each entry is brought once all the same."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from eventscache.sources.jitsu_redis import key_follower
from tests.support.command import Process, Serve
from tests.support.fault_proxy import FaultProxy
from tests.support.jitsu_lists import JitsuLists, numbers
from tests.support.jitsu_logs import JitsuLog, failed_line
from tests.support.redis_server import RedisServer, free_port
from tests.support.sidecar import CACHE, Log, Sidecar, Start

GENEROUS_SECONDS = 60
ROOMY = {"size": 10_000, "window_seconds": 1}
STEP = 20


@pytest.fixture(autouse=True)
def _poll_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_follower, "POLL_SECONDS", 0.03)
    monkeypatch.setattr(key_follower, "_LEAST_PAUSE_SECONDS", 0.03)


def write(jitsu: JitsuLists, first: int) -> None:
    for number in range(first, first + STEP):
        jitsu.destination(original={"n": number})


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(GENEROUS_SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


async def serves(sidecar: Sidecar) -> None:
    """What is followed is away, and that concerns nobody else."""
    await sidecar.still_serves()
    for path in ("/livez", "/readyz", f"{CACHE}?ids=pg"):
        assert (await sidecar.get(path)).status == 200


def counts(sidecar: Sidecar) -> Any:
    return sidecar.server.sources.counts["jitsu_redis"]


@contextmanager
def frozen(server: RedisServer) -> Iterator[None]:
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


def refuse(proxy: FaultProxy) -> None:
    proxy.refuse()
    proxy.reset_all()


OUTAGES: dict[str, Callable[[FaultProxy], object]] = {
    "says nothing": FaultProxy.hang,
    "refuses": refuse,
    "speaks another protocol": FaultProxy.answer_garbage,
}


@pytest.mark.parametrize("outage", OUTAGES)
async def test_a_followed_redis_that_is_of_no_use_for_a_while_is_followed_on(
    start: Start, fault_proxy: FaultProxy, tcp_redis: RedisServer, log: Log, outage: str
) -> None:
    jitsu = JitsuLists(tcp_redis)
    sidecar = await start(sources=(("jitsu_redis", fault_proxy.url),), **ROOMY)
    write(jitsu, 0)
    await until(lambda: counts(sidecar).entries == STEP)
    OUTAGES[outage](fault_proxy)
    await until(lambda: counts(sidecar).errors["unavailable"] and not counts(sidecar).following)
    write(jitsu, STEP)
    await serves(sidecar)
    fault_proxy.forward()
    write(jitsu, 2 * STEP)
    await until(lambda: counts(sidecar).entries >= 3 * STEP)
    assert numbers(await sidecar.events("ids=pg&limit=1000")) == [*range(3 * STEP)]
    assert {kind for kind, count in counts(sidecar).errors.items() if count} == {"unavailable"}
    assert log.faults == []


async def test_a_followed_redis_that_freezes_and_goes_on_is_followed_on(
    start: Start, tcp_redis: RedisServer, log: Log
) -> None:
    jitsu = JitsuLists(tcp_redis)
    sidecar = await start(sources=(("jitsu_redis", tcp_redis.url),), **ROOMY)
    write(jitsu, 0)
    await until(lambda: counts(sidecar).entries == STEP)
    with frozen(tcp_redis):
        await until(lambda: counts(sidecar).errors["unavailable"] and not counts(sidecar).following)
        await serves(sidecar)
    write(jitsu, STEP)
    await until(lambda: counts(sidecar).entries >= 2 * STEP)
    assert numbers(await sidecar.events("ids=pg&limit=1000")) == [*range(2 * STEP)]
    assert log.faults == []


async def test_a_followed_redis_that_is_killed_and_has_its_data_again_brings_nothing_twice(
    start: Start, tcp_redis: RedisServer, tmp_path: Path, log: Log
) -> None:
    with RedisServer(tcp_redis.binary, tmp_path, port=free_port()) as own:
        jitsu = JitsuLists(own)
        sidecar = await start(sources=(("jitsu_redis", own.url),), **ROOMY)
        write(jitsu, 0)
        await until(lambda: counts(sidecar).entries == STEP)
        own.ask("SAVE")
        own.kill()
        await until(lambda: counts(sidecar).errors["unavailable"] and not counts(sidecar).following)
        await serves(sidecar)
        await asyncio.to_thread(own.start)
        write(jitsu, STEP)
        await until(lambda: counts(sidecar).entries >= 2 * STEP)
        assert numbers(await sidecar.events("ids=pg&limit=1000")) == [*range(2 * STEP)]
    assert log.faults == []


async def test_a_followed_redis_whose_scripts_and_connections_go_is_followed_on(
    start: Start, fault_proxy: FaultProxy, tcp_redis: RedisServer, log: Log
) -> None:
    jitsu = JitsuLists(tcp_redis)
    sidecar = await start(sources=(("jitsu_redis", fault_proxy.url),), **ROOMY)
    for nth in range(8):
        write(jitsu, nth * STEP)
        if nth % 2:
            tcp_redis.ask("SCRIPT", "FLUSH")
        else:
            fault_proxy.reset_all()
        await until(lambda nth=nth: counts(sidecar).entries >= (nth + 1) * STEP)  # type: ignore[misc]
    assert numbers(await sidecar.events("ids=pg&limit=1000")) == [*range(8 * STEP)]
    assert log.faults == []


async def test_a_follower_that_is_killed_is_followed_by_one_that_brings_nothing_twice(
    serve: Serve, tcp_redis: RedisServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    jitsu = JitsuLists(tcp_redis)
    log = JitsuLog(tmp_path, "failed/failed.dst=file")
    config = tmp_path / "config.yaml"
    sources = {"jitsu_redis": tcp_redis.url, "jitsu_logs": {"dir": str(tmp_path), "start": "beginning"}}
    config.write_text(json.dumps({"eventscache": {"sources": sources}}))
    settings = {
        "EVENTSCACHE_PREFIX": f"eventscache:{tmp_path.name}",
        "SERVER_CACHE_EVENTS_SIZE": "10000",
        "EVENTSCACHE_STORAGE_TIMEOUT_MS": "60000",
        "EVENTSCACHE_ACK_TIMEOUT_MS": "60000",
    }

    def begin() -> Process:
        return serve("--config", str(config), "--storage", redis_server.storage_url, **settings)

    async def has(process: Process, stream: str, count: int) -> list[int]:
        async with asyncio.timeout(GENEROUS_SECONDS):
            while True:
                found = await process.get(f"{CACHE}?ids={stream}&limit=1000")
                if len(found["events"]) >= count:
                    return [event["original"]["n"] for event in reversed(found["events"])]
                await asyncio.sleep(0.01)

    first = begin()
    write(jitsu, 0)
    assert await has(first, "pg", STEP) == [*range(STEP)]
    log.write(*(failed_line(number) for number in range(STEP)))
    assert await has(first, "file", STEP) == [*range(STEP)]
    first.process.kill()
    first.process.wait()
    write(jitsu, STEP)
    log.write(*(failed_line(number) for number in range(STEP, 2 * STEP)))
    second = begin()
    assert await has(second, "pg", 2 * STEP) == [*range(2 * STEP)]
    assert await has(second, "file", 2 * STEP) == [*range(2 * STEP)]
    assert second.stop() == 0
