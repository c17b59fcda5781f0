"""The memory of the servers is watched, and a full one is not written to."""

import pytest
import structlog

from eventscache.errors import StorageUnavailable
from eventscache.storage.options import StorageOptions
from eventscache.storage.redis import RedisStorage
from eventscache.stream import Namespace, Stream
from eventscache.testing import Writer, payloads, success
from tests.support.redis_server import RedisServer

TOKEN = Stream(Namespace.TOKEN, "key")


async def test_a_server_that_is_too_full_is_read_but_not_written_to(tcp_redis: RedisServer) -> None:
    storage = RedisStorage.from_url(tcp_redis.storage_url, StorageOptions(timeout_seconds=5, max_memory_percent=90))
    check = storage._watch.check  # the storage is not open, so nothing else checks
    writer = Writer(storage, TOKEN)
    await writer.insert(success(b"before"))
    for number in range(10):
        tcp_redis.ask("SET", f"of-someone-else-{number}", "x" * 10_000)
    with tcp_redis.client() as client:
        used = int(client.info("memory")["used_memory"])
    try:
        with structlog.testing.capture_logs() as log:
            tcp_redis.ask("CONFIG", "SET", "maxmemory", used * 20)
            await check()
            await writer.insert(success(b"enough memory"))
            tcp_redis.ask("CONFIG", "SET", "maxmemory", used + used // 20)
            await check()
            await check()
        assert [line["event"] for line in log] == ["Redis is too full to be written to", "Redis is nearly full"]
        assert log[1]["shared"]
        with pytest.raises(StorageUnavailable, match="of its memory") as fault:
            await writer.insert(success(b"not stored"))
        assert not fault.value.ambiguous
        assert payloads(await writer.fetch()) == [b"enough memory", b"before"]
    finally:
        tcp_redis.ask("CONFIG", "SET", "maxmemory", 0)
    await check()
    await writer.insert(success(b"after"))
    await storage.close()


async def test_a_server_that_evicts_keys_is_logged_once(tcp_redis: RedisServer) -> None:
    storage = RedisStorage.from_url(tcp_redis.storage_url, StorageOptions(timeout_seconds=5))
    tcp_redis.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        with structlog.testing.capture_logs() as log:
            await storage._watch.check()
            await storage._watch.check()
        assert [line["policy"] for line in log] == ["allkeys-lru"]
    finally:
        tcp_redis.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
        await storage.close()
