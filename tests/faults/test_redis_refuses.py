"""A Redis that answers and is of no use: full, a replica, paused, busy, without rights, out of clients."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from eventscache.storage.options import StorageOptions
from eventscache.storage.redis.keys import Keys
from tests.support import redis_rights
from tests.support.redis_server import RedisServer
from tests.support.sidecar import Log
from tests.support.trial import PATIENT, SETTINGS, STREAMS, Try

USER, PASSWORD = redis_rights.USER, redis_rights.PASSWORD
# What an operator or a fault does to a server, what ends it, and the status that readers get meanwhile.
REFUSALS: dict[str, tuple[list[str], list[str], int]] = {
    "full": (["CONFIG SET maxmemory 1"], ["CONFIG SET maxmemory 0"], 200),
    "a replica": (["REPLICAOF 127.0.0.1 1"], ["REPLICAOF NO ONE"], 200),
    "without replicas": (["CONFIG SET min-replicas-to-write 1"], ["CONFIG SET min-replicas-to-write 0"], 200),
    "paused": (["CLIENT PAUSE 600000 WRITE"], ["CLIENT UNPAUSE"], 503),
    "without a right": ([f"ACL SETUSER {USER} -evalsha"], [f"ACL SETUSER {USER} +evalsha"], 503),
    "with a user that is off": (
        [f"ACL SETUSER {USER} off", f"CLIENT KILL USER {USER}"],
        [f"ACL SETUSER {USER} on"],
        503,
    ),
    "with another password": (
        [f"ACL SETUSER {USER} resetpass >another-secret", f"CLIENT KILL USER {USER}"],
        [f"ACL SETUSER {USER} resetpass >{PASSWORD}"],
        503,
    ),
}
SIZE = SETTINGS["size"]
MANY_EVICTIONS = 100
MOST_LOGINS = 20  # while hundreds of requests come: each connection that was open may try once, then one a second


def run_all(operator: redis.Redis, commands: list[str]) -> None:
    for command in commands:
        operator.execute_command(*command.split())  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_redis_that_refuses_harms_no_client_and_is_told(
    on_trial: Try, tcp_redis: RedisServer, log: Log, refusal: str
) -> None:
    begin, end, read = REFUSALS[refusal]
    with tcp_redis.client() as operator:
        async with on_trial(tcp_redis.storage_url) as trial:
            run_all(operator, begin)
            try:
                await trial.until_outage()
                await trial.until_read(read)
            finally:
                run_all(operator, end)
        assert trial.ledger.all_dropped
        logins: Any = operator.info("commandstats").get("cmdstat_hello", {})
        assert logins.get("failed_calls", 0) + logins.get("rejected_calls", 0) <= MOST_LOGINS
        operator.config_resetstat()
    assert not [line for line in log.lines if PASSWORD in line or "another-secret" in line]
    assert log.faults == [] or all("Redis refuses" in line or "too full" in line for line in log.faults)


async def test_a_redis_that_a_foreign_script_keeps_busy_is_waited_for(on_trial: Try, tcp_redis: RedisServer) -> None:
    with tcp_redis.client() as operator:
        operator.config_set("lua-time-limit", 20)
        try:
            async with on_trial(tcp_redis.storage_url) as trial:
                busy = asyncio.create_task(asyncio.to_thread(tcp_redis.ask, "EVAL", "while true do end", 0))
                await trial.until_outage()
                await trial.until_read(503)
                operator.script_kill()
                with pytest.raises(redis.ResponseError):
                    await busy
        finally:
            operator.config_set("lua-time-limit", 5000)


@contextlib.contextmanager
def crowded(server: RedisServer, operator: redis.Redis) -> Iterator[None]:
    """Take all places of a server with other clients."""
    usual = str(operator.config_get("maxclients")["maxclients"])
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(server.client()).ping()
        operator.config_set("maxclients", 5)
        run_all(operator, [f"CLIENT KILL USER {USER}"])
        try:
            yield
        finally:
            operator.config_set("maxclients", usual)


async def test_a_redis_without_a_place_for_more_clients_is_waited_for(on_trial: Try, tcp_redis: RedisServer) -> None:
    with tcp_redis.client() as operator:
        async with on_trial(tcp_redis.storage_url) as trial:
            with crowded(tcp_redis, operator):
                await trial.until_outage()
                await trial.until_read(503)


async def test_a_redis_that_evicts_keys_is_worked_with(on_trial: Try, tcp_redis: RedisServer, log: Log) -> None:
    with tcp_redis.client() as operator:
        before = operator.info("stats")["evicted_keys"]
        number = 0

        async def some_are_evicted() -> bool:
            nonlocal number
            number += 1
            operator.set(f"others:{number}", "x" * 50_000)
            return bool(operator.info("stats")["evicted_keys"] - before > MANY_EVICTIONS)

        try:
            operator.config_set("maxmemory-policy", "allkeys-random")
            async with on_trial(tcp_redis.storage_url, max_redis_memory_percent=100) as trial:
                trial.lost_some(more=MANY_EVICTIONS * 2 * SIZE)
                operator.config_set("maxmemory", operator.info("memory")["used_memory"] + 2**20)
                await trial.until(some_are_evicted, "keys are evicted")
                operator.config_set("maxmemory", 0)
        finally:
            operator.config_set("maxmemory", 0)
            operator.config_set("maxmemory-policy", "noeviction")
    assert any("Redis may evict keys" in line for line in log.lines)


async def test_a_stream_whose_keys_are_evicted_admits_a_quota_more_at_most(
    on_trial: Try, tcp_redis: RedisServer
) -> None:
    async with on_trial(tcp_redis.storage_url, **PATIENT) as trial:
        trial.lost_some(more=SIZE)
        await trial.until_stored(2 * SIZE)
        keys = Keys(StorageOptions().prefix)
        for stream in STREAMS:
            tcp_redis.ask("DEL", *keys.all(stream))
        await trial.until_stored(2 * SIZE)
