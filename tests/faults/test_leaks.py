"""Faults of all kinds, again and again: what they opened and started is closed and ended."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from eventscache.config.settings import Settings
from eventscache.stream import Stream
from tests.support.fault_proxy import FaultProxy
from tests.support.redis_server import RedisServer
from tests.support.sidecar import Sidecar, Start
from tests.support.trial import SETTINGS, STREAMS, Trial, under_load

ROUNDS = 2
Fault = Callable[[Trial, FaultProxy, RedisServer], Awaitable[None]]


async def freeze(trial: Trial, _: FaultProxy, server: RedisServer) -> None:
    server.freeze()
    await trial.until_outage()
    server.thaw()


async def hang(trial: Trial, proxy: FaultProxy, _: RedisServer) -> None:
    proxy.hang()
    await trial.until_outage()
    proxy.forward()


async def garble(trial: Trial, proxy: FaultProxy, _: RedisServer) -> None:
    proxy.answer_garbage()
    await trial.until_outage()
    proxy.forward()


async def cut(trial: Trial, proxy: FaultProxy, _: RedisServer) -> None:
    for _ in range(5):
        proxy.reset_all()
        await trial.until_answered(5)


async def lose_replies(trial: Trial, proxy: FaultProxy, _: RedisServer) -> None:
    proxy.drop_replies(10)
    await trial.until_answered()
    proxy.forward()


async def fill(trial: Trial, _: FaultProxy, server: RedisServer) -> None:
    server.ask("CONFIG", "SET", "maxmemory", 1)
    await trial.until_outage()
    server.ask("CONFIG", "SET", "maxmemory", 0)


FAULTS: tuple[Fault, ...] = (freeze, hang, garble, cut, lose_replies, fill)


async def put_through_all(sidecar: Sidecar, proxy: FaultProxy, server: RedisServer, name: str) -> None:
    streams = [Stream(stream.namespace, f"{stream.id}-{name}") for stream in STREAMS]
    async with aiohttp.ClientSession() as session:
        async with under_load(Trial(sidecar.address, session, Settings(**SETTINGS), streams=streams)) as trial:
            for fault in FAULTS:
                await fault(trial, proxy, server)
                await trial.until_recovered()
            await trial.load.stop()
            await trial.stop_reading()
            await trial.until(trial.is_idle, "nothing is queued")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def running() -> Counter[str]:
    return Counter(task.get_coro().__qualname__ for task in asyncio.all_tasks())  # type: ignore[union-attr]


async def test_faults_leave_no_task_and_no_file_behind(
    start: Start, fault_proxy: FaultProxy, tcp_redis: RedisServer
) -> None:
    sidecar = await start(fault_proxy.storage_url, **SETTINGS)
    await put_through_all(sidecar, fault_proxy, tcp_redis, "first")
    tasks, files = running(), open_files()
    for nth in range(1, ROUNDS):
        await put_through_all(sidecar, fault_proxy, tcp_redis, f"round-{nth}")
    async with asyncio.timeout(60):
        while running() - tasks or open_files() > files:
            await asyncio.sleep(0.01)
    assert sidecar.cache.ledger.balanced
    assert sidecar.cache.queue.bytes == 0
