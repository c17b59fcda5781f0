"""What something else wrote over our keys is left out, and does no harm to what is left."""

from collections.abc import Callable
from typing import Any

import pytest
import redis

from eventscache.errors import StorageError
from eventscache.storage.messages import Query
from eventscache.storage.options import StorageOptions
from eventscache.storage.redis import RedisStorage
from eventscache.storage.redis.keys import KINDS, Keys
from eventscache.stream import Namespace, Status, Stream
from eventscache.testing import Writer, error, numbered, payloads, success
from eventscache.timestamp import format_time
from tests.support.redis_server import RedisServer

TOKEN = Stream(Namespace.TOKEN, "key")


async def test_an_impossible_time_in_the_registry_is_cut_to_a_valid_one(
    redis_server: RedisServer, admin: redis.Redis
) -> None:
    async with RedisStorage.from_url(redis_server.storage_url, StorageOptions(max_streams=3)) as storage:
        for number, score in enumerate(("inf", "1e17", "1e300")):
            stream = Stream(Namespace.TOKEN, str(number))
            await Writer(storage, stream).insert(success(b"x"))
            admin.hset(f"eventscache:v1:{{t.{number}}}:state", "clock", "no time")
            admin.zadd("eventscache:v1:streams:t", {str(number): score})
        infos = await storage.streams(Namespace.TOKEN)
        assert {info.stream.id for info in infos} == {"0", "1", "2"}
        assert all(format_time(info.last_active_us) for info in infos)
        await Writer(storage, TOKEN).insert(success(b"makes room"))
        assert TOKEN in {info.stream for info in await storage.streams(Namespace.TOKEN)}


POISON: dict[str, Callable[[Any, str], object]] = {
    "another type": lambda admin, key: (admin.delete(key), admin.set(key, "not ours")),
    "another collection": lambda admin, key: (admin.delete(key), admin.sadd(key, "a", "b")),
    "garbage in front": lambda admin, key: admin.type(key) == b"list" and admin.lpush(key, b"\xff garbage", b""),
    "garbage inside": lambda admin, key: admin.type(key) == b"list" and admin.lset(key, 1, b"s99999999999999999:x"),
    "numbers out of range": lambda admin, key: (
        admin.lset(key, 1, b"s" + b"9" * 400 + b":" + b"9" * 400)
        if admin.type(key) == b"list"
        else admin.hset(key, mapping={"clock": "9" * 300 + " 0", "seq": "-1", "all": "9 9 9", "r1": "9" * 99 + " 1 1"})
    ),
    "an event too long": lambda admin, key: admin.type(key) == b"list" and admin.lset(key, 1, b"x" * (16 * 2**20 + 1)),
    "fields of nonsense": lambda admin, key: (
        admin.type(key) == b"hash"
        and admin.hset(
            key, mapping={"clock": b"\xff", "seq": "x", "quota": "0 0", "all": "y", "renewed": "", "r1": "?"}
        )
    ),
    "gone": lambda admin, key: admin.delete(key),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("poison", POISON)
async def test_data_of_something_else_is_left_out_and_breaks_no_read(
    redis_server: RedisServer, admin: redis.Redis, poison: str, kind: str
) -> None:
    async with RedisStorage.from_url(redis_server.storage_url, StorageOptions(timeout_seconds=5)) as storage:
        writer, healthy = Writer(storage, TOKEN), Writer(storage, Stream(Namespace.TOKEN, "healthy"))
        for one in (writer, healthy):
            await one.insert(error(*numbered(4)))
        POISON[poison](admin, Keys("eventscache").key(TOKEN, kind))
        readable = set(numbered(4))
        skipped = 0
        for query in (Query(), Query(Status.ERROR), Query(Status.SUCCESS), Query(before=4), Query(limit=0)):
            page = await storage.fetch(TOKEN, query)
            skipped += page.unreadable
            if kind not in {"all", "error"}:
                assert {entry.event for entry in page.entries} <= readable
        if poison == "another type":
            assert skipped
        assert {info.stream for info in await storage.streams(Namespace.TOKEN)} >= {healthy.stream}
        while await storage.trim(2) == 0:
            pass
        assert (await healthy.fetch()).total == 2

        if poison.startswith("another"):
            with pytest.raises(StorageError, match="WRONGTYPE"):
                await writer.insert(error(b"after"))
        else:
            await writer.insert(error(b"after"))

        await storage.clear(TOKEN, reset=True)
        assert (await writer.insert(error(b"at last"))).all is not None
        assert payloads(await writer.fetch()) == [b"at last"]
        assert payloads(await writer.fetch(status=Status.ERROR)) == [b"at last"]


async def test_a_write_over_a_key_of_another_type_changes_nothing(
    redis_server: RedisServer, admin: redis.Redis
) -> None:
    async with RedisStorage.from_url(redis_server.storage_url, StorageOptions()) as storage:
        for kind in KINDS:
            stream = Stream(Namespace.TOKEN, kind)
            writer = Writer(storage, stream)
            await writer.insert(error(b"before"))
            admin.set(Keys("eventscache").key(stream, kind), "not ours")
            before = {key: admin.dump(key) for key in admin.scan_iter()}
            with pytest.raises(StorageError):
                await writer.insert(error(b"x"))
            assert {key: admin.dump(key) for key in admin.scan_iter()} == before


@pytest.mark.parametrize("poison", [lambda key, admin: admin.set(key, "x"), lambda key, admin: admin.sadd(key, "x")])
async def test_a_registry_that_was_overwritten_is_replaced(
    redis_server: RedisServer, admin: redis.Redis, poison
) -> None:
    key = Keys("eventscache").registry(Namespace.TOKEN)
    poison(key, admin)
    async with RedisStorage.from_url(redis_server.storage_url, StorageOptions()) as storage:
        assert await storage.streams(Namespace.TOKEN) == []
        await Writer(storage, TOKEN).insert(success(b"x"))
        admin.zadd(key, {b"\xff\xfe": 1e30})
        assert [info.stream for info in await storage.streams(Namespace.TOKEN)] == [TOKEN]
