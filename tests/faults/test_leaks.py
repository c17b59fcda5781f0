"""Faults of all kinds, again and again: what they opened and started is closed and ended."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import aiohttp

from eventscache.config.settings import Settings
from tests.support.fault_proxy import FaultProxy
from tests.support.redis_server import RedisServer
from tests.support.sidecar import Start
from tests.support.trial import SETTINGS, Trial, under_load

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
    proxy.reset_all()
    await trial.until_answered(5)


async def lose_a_reply(trial: Trial, proxy: FaultProxy, _: RedisServer) -> None:
    proxy.drop_replies(1)
    await trial.until_answered(5)


async def refuse(trial: Trial, proxy: FaultProxy, _: RedisServer) -> None:
    proxy.refuse()
    proxy.reset_all()
    await trial.until_not_ready()
    proxy.forward()
    await trial.until_ready()


async def fill(trial: Trial, _: FaultProxy, server: RedisServer) -> None:
    server.ask("CONFIG", "SET", "maxmemory", 1)
    await trial.until_outage()
    server.ask("CONFIG", "SET", "maxmemory", 0)


LONG: tuple[Fault, ...] = (freeze, hang, garble, fill)
SHORT: tuple[Fault, ...] = (cut, lose_a_reply, refuse)
ROUNDS = 25
A_FEW = 12  # connections come and go; if each of the short faults left one task or file, that would be far more


async def test_faults_leave_no_task_and_no_file_behind(
    start: Start, fault_proxy: FaultProxy, tcp_redis: RedisServer
) -> None:
    sidecar = await start(fault_proxy.storage_url, **SETTINGS)
    async with (
        aiohttp.ClientSession() as session,
        under_load(Trial(sidecar.address, session, Settings(**SETTINGS))) as trial,
    ):

        async def put_through(faults: Iterable[Fault]) -> None:
            for fault in faults:
                await fault(trial, fault_proxy, tcp_redis)
                if fault in LONG:
                    await trial.until_recovered()
            await trial.until_recovered()

        await put_through((*LONG, *SHORT))
        tasks, files = len(asyncio.all_tasks()), open_files()
        await put_through(LONG)
        await put_through(SHORT * ROUNDS)
        await trial.load.stop()
        await trial.stop_reading()
        await trial.until(trial.is_idle, "nothing is queued")
        async with asyncio.timeout(60):
            while len(asyncio.all_tasks()) > tasks + A_FEW or open_files() > files + A_FEW:
                await asyncio.sleep(0.01)
    assert sidecar.cache.ledger.balanced
    assert sidecar.cache.queue.bytes == 0


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
