"""A server that refuses what is needed is told: before an event meets it, without a write, with the reason."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from eventscache.errors import StorageRefused, StorageUnavailable
from eventscache.storage.options import StorageOptions
from eventscache.storage.redis import RedisStorage
from eventscache.storage.redis.server_watch import ServerWatch
from eventscache.storage.redis.write_probe import commands_for
from eventscache.stream import Namespace, Stream
from eventscache.testing import Writer, success
from tests.support import redis_rights
from tests.support.redis_cluster import Cluster
from tests.support.redis_sentinel import SentinelTrio
from tests.support.redis_server import RedisServer, wait_until

TOKEN = Stream(Namespace.TOKEN, "key")
BEGINS, ENDS = "Redis refuses commands that are needed", "Redis takes all commands again"
# What an operator or a fault does to a server, what ends it, and what then is said of it.
FAULTS = {
    "a replica": ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "(READONLY): name its master in eventscache.storage"),
    "full": ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "(OOM): raise its maxmemory"),
    "without replicas": (
        "CONFIG SET min-replicas-to-write 1",
        "CONFIG SET min-replicas-to-write 0",
        "(NOREPLICAS): bring them back",
    ),
    "without a right": (
        "ACL SETUSER eventscache -hset",
        "ACL SETUSER eventscache +hset",
        "may not run the command hset (NOPERM): give it the rights in docs/redis.md",
    ),
    "without scripts": (
        "ACL SETUSER eventscache -evalsha",
        "ACL SETUSER eventscache +evalsha",
        "may not run the command evalsha (NOPERM)",
    ),
    "without the right to read": (
        "ACL SETUSER eventscache -lrange",
        "ACL SETUSER eventscache +lrange",
        "may not run the command lrange (NOPERM)",
    ),
    "with other keys": (
        "ACL SETUSER eventscache resetkeys ~others:*",
        "ACL SETUSER eventscache resetkeys ~eventscache:*",
        "may not use the keys of eventscache.prefix (NOPERM)",
    ),
    "with another password": (
        "ACL SETUSER eventscache resetpass >other",
        f"ACL SETUSER eventscache resetpass >{redis_rights.PASSWORD}",
        "refuses the user name or password: correct them in eventscache.storage",
    ),
}


@contextlib.asynccontextmanager
async def watched(url: str) -> AsyncIterator[tuple[RedisStorage, ServerWatch]]:
    """A storage that is not open, so that only the test checks its servers."""
    storage = RedisStorage.from_url(url, StorageOptions(timeout_seconds=5))
    yield storage, storage._watch
    await storage.close()


@contextlib.contextmanager
def log_of_the_watch() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as log:
        yield log
    log[:] = [line for line in log if line["event"] in {BEGINS, ENDS}]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_refusal_is_told_with_its_reason_and_logged_when_it_begins_and_when_it_ends(
    fault: str, redis_server: RedisServer
) -> None:
    begins, ends, said = FAULTS[fault]
    redis_server.ask("FLUSHALL")
    async with watched(redis_server.storage_url) as (storage, watch):
        with log_of_the_watch() as log:
            await watch.check()
            await storage.ready()
            redis_server.ask(*begins.split())
            try:
                if "password" in fault:
                    await storage._topology.client.connection_pool.disconnect()
                with pytest.raises(StorageRefused) as refused:
                    await storage.ready()
                await watch.check()
                await watch.check()
            finally:
                redis_server.ask(*ends.split())
            async with asyncio.timeout(30):
                while True:  # a server that denied access is asked again after a pause
                    with contextlib.suppress(StorageUnavailable):
                        await storage.ready()
                        break
                    await asyncio.sleep(0.05)
            await watch.check()
    assert said in str(refused.value)
    assert [line["event"] for line in log] == [BEGINS, ENDS]
    assert said in log[0]["reason"]
    assert redis_server.ask("DBSIZE") == 0


async def test_a_server_that_cannot_save_its_data_is_told(tmp_path: Path, redis_server: RedisServer) -> None:
    data = tmp_path / "data"
    data.mkdir()
    own = RedisServer(redis_server.binary, tmp_path, options=["--dir", str(data)])
    with own:
        own.ask("CONFIG", "SET", "save", "3600 1")
        async with watched(own.storage_url) as (storage, _):
            await storage.ready()
            shutil.rmtree(data)
            own.ask("BGSAVE")
            with own.client() as client:
                wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", "saving fails")
            with pytest.raises(StorageRefused, match=r"\(MISCONF\): its log says why"):
                await storage.ready()
            data.mkdir()


async def test_a_command_that_the_server_does_not_know_is_told(tmp_path: Path, redis_server: RedisServer) -> None:
    with RedisServer(redis_server.binary, tmp_path, options=["--rename-command", "HSET", ""]) as own:
        async with watched(own.storage_url) as (storage, _):
            for call in (storage.ready, lambda: Writer(storage, TOKEN).insert(success(b"x"))):
                with pytest.raises(StorageRefused, match="Redis does not know the command") as refused:
                    await call()
                assert "probe" not in str(refused.value)


def test_every_command_that_the_papers_give_a_right_to_is_probed() -> None:
    rights = {word[1:] for word in redis_rights.options() if word.startswith("+")}
    not_needed = {"hello", "auth", "select", "ping", "multi", "exec", "discard", "info"}
    of_a_cluster = {"cluster|slots", "command", "asking"}
    assert {command[0].lower() for command in commands_for("key")} == rights - not_needed - of_a_cluster


async def test_a_probe_writes_nothing(redis_server: RedisServer) -> None:
    redis_server.ask("FLUSHALL")
    with redis_server.client() as client:
        before = client.info("persistence")["rdb_changes_since_last_save"]
        async with watched(redis_server.storage_url) as (storage, watch):
            for _ in range(5):
                await storage.ready()
                await watch.check()
        assert client.info("persistence")["rdb_changes_since_last_save"] == before
        assert client.dbsize() == 0


@pytest.mark.parametrize("right", ["multi", "discard"])
async def test_a_user_without_transactions_is_served_and_told(right: str, redis_server: RedisServer) -> None:
    redis_server.ask("ACL", "SETUSER", "eventscache", f"-{right}")
    try:
        async with watched(redis_server.storage_url) as (storage, watch):
            with structlog.testing.capture_logs() as log:
                for _ in range(3):
                    await storage.ready()
                    await watch.check()
                await Writer(storage, TOKEN).insert(success(b"x"))
                assert (await Writer(storage, TOKEN).fetch()).total == 1
        warnings = [line["event"] for line in log]
        assert warnings == ["cannot see whether Redis takes writes: its user needs +multi"] * (right == "multi")
    finally:
        redis_server.ask("ACL", "SETUSER", "eventscache", f"+{right}")
        redis_server.ask("FLUSHALL")


async def test_callers_at_the_same_time_share_a_probe(redis_server: RedisServer) -> None:
    def discarded() -> int:
        with redis_server.client() as client:
            return int(client.info("commandstats").get("cmdstat_discard", {"calls": 0})["calls"])

    async with watched(redis_server.storage_url) as (storage, _):
        before = discarded()
        await asyncio.gather(*(storage.ready() for _ in range(50)))
        assert discarded() - before <= 2


async def test_a_cluster_is_ready_while_one_of_its_servers_is(redis_cluster: Cluster) -> None:
    async with watched(redis_cluster.storage_url) as (storage, watch):
        with log_of_the_watch() as log:
            await storage.ready()
            await watch.check()
            first, *others = redis_cluster.nodes[:3]
            try:
                first.ask("ACL", "SETUSER", "eventscache", "-lpush")
                await watch.check()
                await storage.ready()
                for node in others:
                    node.ask("ACL", "SETUSER", "eventscache", "-lpush")
                with pytest.raises(StorageRefused, match="the command lpush"):
                    await storage.ready()
            finally:
                for node in redis_cluster.nodes:
                    node.ask("ACL", "SETUSER", "eventscache", "+lpush")
            await watch.check()
        assert [line["event"] for line in log] == [BEGINS] * 3 + [ENDS] * 3
        assert len({line["server"] for line in log}) == 3


async def test_a_master_behind_sentinels_is_probed(sentinel_trio: SentinelTrio) -> None:
    async with watched(sentinel_trio.storage_url) as (storage, _):
        await storage.ready()
        master = sentinel_trio.master()
        master.ask("ACL", "SETUSER", "eventscache", "-zadd")
        try:
            with pytest.raises(StorageRefused, match="the command zadd"):
                await storage.ready()
        finally:
            master.ask("ACL", "SETUSER", "eventscache", "+zadd")
        await storage.ready()
