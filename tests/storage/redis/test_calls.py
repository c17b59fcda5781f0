"""How a Redis is called: it fails at once while the server is away, and a write is never left half done."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import fakeredis
import pytest
from redis import exceptions as driver

from eventscache.errors import StorageUnavailable
from eventscache.storage.messages import Admission, Query
from eventscache.storage.options import StorageOptions
from eventscache.storage.redis import RedisStorage
from eventscache.storage.redis.clearing import STREAMS_PER_CALL
from eventscache.storage.redis.node import Node
from eventscache.storage.redis.topology import SingleServer
from eventscache.stream import Namespace, Stream
from eventscache.testing import Writer, payloads, success
from tests.support.fault_proxy import FaultProxy
from tests.support.redis_server import RedisServer

TOKEN = Stream(Namespace.TOKEN, "key")


async def test_a_call_waits_for_a_free_connection_as_long_as_one_try_may_take() -> None:
    node = Node("Redis", 1, 0.01)
    held = asyncio.Event()

    async def hold() -> None:
        async with node.call(ambiguous=True):
            await held.wait()

    holder = asyncio.create_task(hold())
    await asyncio.sleep(0)
    with pytest.raises(StorageUnavailable, match="busy"):
        async with node.call(ambiguous=True):
            pass
    held.set()
    await holder
    async with node.call(ambiguous=True):
        pass


async def test_a_write_whose_caller_is_cancelled_is_finished() -> None:
    servers = SingleServer(fakeredis.FakeAsyncRedis(), 5, 1)
    begun, allowed, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def write() -> None:
        begun.set()
        await allowed.wait()
        finished.set()

    caller = asyncio.create_task(servers.write("key", write))
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    allowed.set()
    await servers.close()  # waits for it
    assert finished.is_set()


@pytest.mark.parametrize(("timeout_seconds", "tries"), [(60, 2), (1e-9, 1)])
async def test_a_read_whose_connection_breaks_late_is_not_tried_again(timeout_seconds: float, tries: int) -> None:
    servers = SingleServer(fakeredis.FakeAsyncRedis(), 5, timeout_seconds)
    tried = 0

    async def break_off() -> None:
        nonlocal tried
        tried += 1
        await asyncio.sleep(0)
        raise driver.ConnectionError("Connection closed by server.")

    with pytest.raises(StorageUnavailable):
        await servers.read("key", break_off)
    assert tried == tries
    await servers.close()


async def test_reads_do_not_notice_a_broken_connection(fault_proxy: FaultProxy) -> None:
    async with RedisStorage.from_url(fault_proxy.storage_url, StorageOptions(timeout_seconds=5)) as storage:
        writer = Writer(storage, TOKEN)
        await writer.insert(success(b"x"))
        for _ in range(20):
            fault_proxy.drop_replies(1, "EVALSHA")
            assert payloads(await writer.fetch()) == [b"x"]
        assert len(fault_proxy.dropped) == 20


async def test_a_silent_server_delays_few_calls_and_the_others_fail_at_once(fault_proxy: FaultProxy) -> None:
    async with RedisStorage.from_url(fault_proxy.storage_url, StorageOptions(timeout_seconds=0.05)) as storage:
        await storage.ping()
        fault_proxy.hang()
        ambiguous = []
        for _ in range(200):
            with pytest.raises(StorageUnavailable) as fault:
                await Writer(storage, TOKEN).insert(success(b"x"))
            ambiguous.append(fault.value.ambiguous)
        # Registering comes first and may be repeated, so no error is ambiguous.
        assert not any(ambiguous)
        assert storage.open_breakers == 1
        fault_proxy.forward()
        while True:
            try:
                await storage.ping()
                break
            except StorageUnavailable:
                await asyncio.sleep(0)
        assert storage.open_breakers == 0


def refuse(proxy: FaultProxy) -> None:
    proxy.refuse()
    proxy.reset_all()


@pytest.mark.parametrize("break_off", [FaultProxy.answer_garbage, refuse])
async def test_a_server_that_ends_each_connection_before_the_login_is_tried_by_few_calls(
    fault_proxy: FaultProxy, break_off: Callable[[FaultProxy], None]
) -> None:
    async with RedisStorage.from_url(fault_proxy.storage_url, StorageOptions(timeout_seconds=20)) as storage:
        await Writer(storage, TOKEN).insert(success(b"x"))
        break_off(fault_proxy)
        before = fault_proxy.accepted
        for _ in range(500):
            with pytest.raises(StorageUnavailable):
                await storage.fetch(TOKEN, Query())
        assert fault_proxy.accepted - before < 100
        fault_proxy.forward()
        while True:
            try:
                await storage.ping()
                break
            except StorageUnavailable:
                await asyncio.sleep(0)


async def test_garbage_from_a_server_is_an_outage(fault_proxy: FaultProxy) -> None:
    async with RedisStorage.from_url(fault_proxy.storage_url, StorageOptions(timeout_seconds=0.2)) as storage:
        fault_proxy.answer_garbage()
        for _ in range(5):
            with pytest.raises(StorageUnavailable):
                await storage.fetch(TOKEN, Query())
        fault_proxy.forward()
        while True:
            try:
                assert (await storage.fetch(TOKEN, Query())).total == 0
                break
            except StorageUnavailable:
                await asyncio.sleep(0)


def count_writes(storage: RedisStorage, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the writes of a storage but for inserts, from now on: each is a round trip."""
    write, counted = storage._topology.write, Counter[str]()

    async def counting_write(*arguments: Any, **named: Any) -> Any:
        counted["writes"] += 1
        return await write(*arguments, **named)

    monkeypatch.setattr(storage._topology, "write", counting_write)
    return counted


@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize("streams", [1000, 2000])
async def test_many_streams_are_cleared_with_a_call_for_each_hundred(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, streams: int
) -> None:
    async with RedisStorage.from_url(redis_server.storage_url, StorageOptions(timeout_seconds=60)) as storage:
        names = [Stream(Namespace.TOKEN, f"key {number}") for number in range(streams)]
        await storage.insert_many([Writer(storage, stream).batch(success(b"x")) for stream in names])
        await storage.clear(TOKEN)  # so that the server knows the script
        counted = count_writes(storage, monkeypatch)
        assert await storage.clear_many(names) == streams
        assert counted["writes"] == streams / STREAMS_PER_CALL


@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize("new", [1, 16, 64])
async def test_new_streams_evict_others_with_few_calls_however_many_they_are(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, new: int
) -> None:
    options = StorageOptions(timeout_seconds=60, max_streams=256)
    async with RedisStorage.from_url(redis_server.storage_url, options) as storage:
        names = [Stream(Namespace.TOKEN, f"key {number}") for number in range(256 + 64 + new)]
        batches = [Writer(storage, stream).batch(success(b"x")) for stream in names]
        for first in range(0, 256 + 64, 64):  # the last ones evict some: the server knows the scripts then
            await storage.insert_many(batches[first : first + 64])
        counted = count_writes(storage, monkeypatch)
        assert all(isinstance(answer, Admission) for answer in await storage.insert_many(batches[-new:]))
        # To register, to evict, to unregister; several batches of different writers are one more pipeline.
        assert counted["writes"] == 3 + (new > 1)
        assert len(await storage.streams(Namespace.TOKEN)) == 256


@pytest.mark.usefixtures("admin")
async def test_streams_are_cleared_on_a_server_that_does_not_know_the_script(redis_server: RedisServer) -> None:
    async with RedisStorage.from_url(redis_server.storage_url, StorageOptions(timeout_seconds=60)) as storage:
        names = [Stream(Namespace.TOKEN, f"key {number}") for number in range(150)]
        await storage.insert_many([Writer(storage, stream).batch(success(b"x")) for stream in names])
        redis_server.ask("SCRIPT", "FLUSH")
        assert await storage.clear_many(names) == 150
