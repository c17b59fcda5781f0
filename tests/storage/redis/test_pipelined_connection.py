"""The pipelined connection: each call gets its own reply or none, and a broken connection is replaced."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis
from redis import exceptions as driver

from eventscache.storage.options import StorageOptions
from eventscache.storage.redis import RedisStorage, pipelined_connection
from eventscache.storage.redis.connect import client_from_url
from eventscache.storage.redis.driver_internals import connect_detached
from eventscache.storage.redis.pipelined_connection import PipelinedConnection, _pack
from tests.support.fault_proxy import FaultProxy
from tests.support.redis_server import RedisServer

ECHO = "return ARGV[1]"
KEY = "eventscache:sent"
GENEROUS_SECONDS = 30


def connection_to(url: str, timeout_seconds: float = GENEROUS_SECONDS) -> PipelinedConnection:
    client: Any = client_from_url(url, StorageOptions(timeout_seconds=timeout_seconds), 4)
    return PipelinedConnection(client.connection_pool, timeout_seconds)


@pytest.fixture
async def connection(redis_server: RedisServer) -> AsyncIterator[PipelinedConnection]:
    made = connection_to(redis_server.storage_url)
    yield made
    await made.close()


async def echo(connection: PipelinedConnection, text: str) -> bytes:
    reply: bytes = await connection.eval(ECHO, 0, text)
    return reply


@pytest.mark.parametrize("url", ["redis://h", "rediss://h", "unix:///s", "sentinel://m@h", "sentinels://m@h"])
async def test_every_topology_with_one_server_has_one(url: str) -> None:
    assert RedisStorage.from_url(url, StorageOptions())._topology.insert_connection is not None


async def test_a_cluster_has_none() -> None:
    assert RedisStorage.from_url("redis+cluster://h", StorageOptions())._topology.insert_connection is None


@pytest.mark.parametrize("lengths", [(), (1,), (300,), (300, 300), (3, 300, 2, 2), (0, 256, 257, 10_000, 1)])
def test_commands_are_packed_as_the_driver_would(lengths: tuple[int, ...]) -> None:
    client: Any = client_from_url("redis://h", StorageOptions(), 1)
    command = ("EVALSHA", "digest", 2, "k\u00e9y", b"\xff\0", "", 10**16, *(b"x" * length for length in lengths))
    assert _pack(command) == b"".join(client.connection_pool.make_connection().pack_command(*command))


async def test_concurrent_calls_get_their_own_replies(connection: PipelinedConnection) -> None:
    texts = [f"{number}" * (number % 50 + 1) for number in range(500)]
    assert await asyncio.gather(*(echo(connection, text) for text in texts)) == [text.encode() for text in texts]


async def test_the_reply_to_a_cancelled_call_goes_to_no_other_call(connection: PipelinedConnection) -> None:
    dice = random.Random(3)
    await echo(connection, "")

    async def call(number: int) -> None:
        task = asyncio.create_task(echo(connection, str(number)))
        for _ in range(dice.randint(0, 4)):
            await asyncio.sleep(0)
        if dice.random() < 0.5:
            task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            assert task.result() == str(number).encode()

    await asyncio.gather(*(call(number) for number in range(500)))


async def test_a_call_that_was_sent_is_carried_out_although_its_caller_is_cancelled(
    connection: PipelinedConnection,
) -> None:
    await connection.eval("return redis.call('DEL', KEYS[1])", 1, KEY)
    task = asyncio.create_task(connection.eval("return redis.call('LPUSH', KEYS[1], 'x')", 1, KEY))
    await asyncio.sleep(0)
    task.cancel()
    assert await connection.eval("return redis.call('LLEN', KEYS[1])", 1, KEY) == 1


async def test_closing_waits_for_the_calls_in_progress(redis_server: RedisServer) -> None:
    connection = connection_to(redis_server.storage_url)
    await echo(connection, "")
    calls = [asyncio.create_task(echo(connection, str(number))) for number in range(50)]
    await asyncio.sleep(0)
    await connection.close()
    assert [await call for call in calls] == [str(number).encode() for number in range(50)]


async def test_errors_are_those_of_the_driver(connection: PipelinedConnection) -> None:
    with pytest.raises(driver.NoScriptError):
        await connection.evalsha("f" * 40, 0)
    with pytest.raises(driver.ResponseError, match="my fault"):
        await connection.eval("return redis.error_reply('my fault')", 0)
    nested = await connection.eval("return {1, redis.error_reply('inside')}", 0)
    assert nested[0] == 1
    assert isinstance(nested[1], driver.ResponseError)
    assert await echo(connection, "goes on") == b"goes on"


async def test_a_transaction_runs_as_a_whole_and_returns_the_error_of_each_command(
    connection: PipelinedConnection,
) -> None:
    await connection.eval("return redis.call('DEL', KEYS[1])", 1, KEY)
    push, length, wrong = ("LPUSH", KEY, "x", "y"), ("LLEN", KEY), ("HGETALL", KEY)
    (pushed, long, failed, again), other = await asyncio.gather(
        connection.transaction(push, length, wrong, length), echo(connection, "beside")
    )
    assert (pushed, long, again, other) == (2, 2, 2, b"beside")
    assert "WRONGTYPE" in str(failed)
    with pytest.raises(driver.ResponseError, match="EXECABORT"):
        await connection.transaction(push, ("LPUSH", KEY))
    assert await connection.transaction(length) == [2]


async def test_a_connection_that_the_server_closed_is_replaced(
    connection: PipelinedConnection, redis_server: RedisServer
) -> None:
    assert await echo(connection, "1") == b"1"
    with redis.Redis.from_url(redis_server.url) as admin:
        admin.client_kill_filter(_type="normal", skipme=True)
    async with asyncio.timeout(GENEROUS_SECONDS):
        while True:
            try:
                assert await echo(connection, "2") == b"2"
                break
            except driver.ConnectionError:
                await asyncio.sleep(0)


async def test_a_late_reply_fails_all_waiting_calls_and_is_never_given_to_another(fault_proxy: FaultProxy) -> None:
    connection = connection_to(fault_proxy.storage_url, 0.1)
    assert await echo(connection, "before") == b"before"
    fault_proxy.hang()
    outcomes = await asyncio.gather(*(echo(connection, str(number)) for number in range(5)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [driver.TimeoutError] * 5
    fault_proxy.forward()
    async with asyncio.timeout(GENEROUS_SECONDS):
        while True:
            try:
                assert await echo(connection, "after") == b"after"
                break
            except (driver.TimeoutError, driver.ConnectionError):
                await asyncio.sleep(0)
    await connection.close()


async def test_callers_wait_for_the_same_connection_and_no_longer_than_for_a_call(fault_proxy: FaultProxy) -> None:
    connection = connection_to(fault_proxy.storage_url, 0.2)
    fault_proxy.hang()
    outcomes = await asyncio.gather(*(echo(connection, str(number)) for number in range(5)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [driver.TimeoutError] * 5
    assert fault_proxy.accepted == 1
    fault_proxy.forward()
    await connection.close()


async def test_calls_under_way_are_answered_although_others_use_a_new_connection(fault_proxy: FaultProxy) -> None:
    connection = connection_to(fault_proxy.storage_url)
    assert await echo(connection, "before") == b"before"
    fault_proxy.hang()
    call = asyncio.create_task(echo(connection, "under way"))
    await asyncio.sleep(0)
    connection.reconnect()  # and waits for nothing
    fault_proxy.forward()
    assert await echo(connection, "after") == b"after"
    assert await call == b"under way"
    await connection.close()


async def test_a_reply_that_trickles_is_late(fault_proxy: FaultProxy) -> None:
    connection = connection_to(fault_proxy.storage_url, 1)
    assert await echo(connection, "before") == b"before"
    fault_proxy.throttle(1000)
    with pytest.raises(driver.TimeoutError):
        async with asyncio.timeout(GENEROUS_SECONDS):  # all of it would take two minutes
            await echo(connection, "x" * 120_000)
    fault_proxy.forward()
    await connection.close()


async def test_a_long_reply_may_take_longer_than_a_call_while_it_arrives(fault_proxy: FaultProxy) -> None:
    connection = connection_to(fault_proxy.storage_url, 1)
    fault_proxy.throttle(300_000)
    assert len(await connection.eval("return string.rep('x', 600000)", 0)) == 600_000
    fault_proxy.forward()
    await connection.close()


async def test_a_server_that_is_no_redis_is_an_error_and_disconnected(fault_proxy: FaultProxy) -> None:
    connection = connection_to(fault_proxy.storage_url)
    assert await echo(connection, "before") == b"before"
    fault_proxy.answer_garbage()
    with pytest.raises((driver.InvalidResponse, driver.ConnectionError)):
        await echo(connection, "lost")
    fault_proxy.forward()
    assert await echo(connection, "after") == b"after"
    await connection.close()


async def test_a_server_that_sends_replies_without_calls_is_disconnected(fault_proxy: FaultProxy) -> None:
    connection = connection_to(fault_proxy.storage_url)
    assert await echo(connection, "before") == b"before"
    fault_proxy.answer_garbage(b"$2\r\n11\r\n$2\r\n22\r\n")
    assert await echo(connection, "11") == b"11"
    fault_proxy.forward()
    assert await echo(connection, "after") == b"after"
    await connection.close()


async def test_concurrent_first_calls_share_one_connection(tcp_redis: RedisServer) -> None:
    connection = connection_to(tcp_redis.storage_url)
    assert len({*await asyncio.gather(*(echo(connection, str(number)) for number in range(20)))}) == 20
    with redis.Redis.from_url(tcp_redis.url) as admin:
        ours = [client for client in admin.client_list() if client["cmd"] == "eval"]
    assert len(ours) == 1
    await connection.close()


async def test_a_connection_that_breaks_before_its_first_call_is_an_error_at_once(
    connection: PipelinedConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = connection._connect

    async def connect_and_break() -> Any:
        made = await connect()
        made.connection_lost(None)  # as when the server closes it before those who wait have their turn
        return made

    monkeypatch.setattr(connection, "_connect", connect_and_break)
    for call in (connection.eval(ECHO, 0, "a"), connection.transaction(("ECHO", "a"))):
        with pytest.raises(driver.ConnectionError, match="Connection closed by server"):
            await call
    monkeypatch.undo()
    assert await echo(connection, "b") == b"b"


async def test_a_connection_that_broke_while_it_was_made_is_an_error_at_once(
    connection: PipelinedConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(pool: Any) -> asyncio.StreamWriter:
        writer = await connect_detached(pool)
        writer.transport.abort()
        while True:  # until its own protocol was told
            await asyncio.sleep(0)
            if writer.transport.is_closing():
                return writer

    monkeypatch.setattr(pipelined_connection, "connect_detached", broken)
    with pytest.raises(driver.ConnectionError, match="Connection closed"):
        await echo(connection, "a")
    monkeypatch.undo()
    assert await echo(connection, "b") == b"b"
