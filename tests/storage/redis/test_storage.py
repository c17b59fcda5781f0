"""What only the Redis storage has: keys, expiry, flushed scripts, a full server, the registry of streams."""

import asyncio
from typing import Any

import msgspec
import pytest
import redis
from redis.asyncio import Redis

from eventscache.clock import MICROSECONDS
from eventscache.errors import StorageError, StorageUnavailable
from eventscache.storage.messages import Query, Quota, Unsent
from eventscache.storage.options import StorageOptions
from eventscache.storage.redis import RedisStorage, registry
from eventscache.stream import Namespace, Status, Stream
from eventscache.testing import ManualClock, Writer, error, numbered, payloads, success
from tests.support.redis_server import RedisServer

TOKEN = Stream(Namespace.TOKEN, "key")


@pytest.fixture
def driver(redis_server: RedisServer):
    client = redis_server.client(decode_responses=False)
    client.flushall()
    yield client
    client.flushall()
    client.close()


@pytest.fixture
async def storage(redis_server: RedisServer, driver: redis.Redis):
    async with RedisStorage.from_url(redis_server.storage_url, StorageOptions()) as opened:
        yield opened


async def test_five_keys_a_stream_share_one_slot_and_all_expire(storage: RedisStorage, driver: redis.Redis) -> None:
    await Writer(storage, Stream(Namespace.DESTINATION, "a{b}c")).insert(error(b"x"))
    keys = {key.decode() for key in driver.scan_iter()}
    tag = "eventscache:v1:{d.a%7Bb%7Dc}"
    assert keys == {
        f"{tag}:state", f"{tag}:all", f"{tag}:all:at", f"{tag}:error", f"{tag}:error:at", "eventscache:v1:streams:d",
    }  # fmt: skip
    for key in keys:
        assert 0 < driver.ttl(key) <= 604_800


async def test_reading_an_unknown_stream_writes_nothing(storage: RedisStorage, driver: redis.Redis) -> None:
    await storage.fetch(TOKEN, Query())
    await storage.fetch(TOKEN, Query(Status.ERROR))
    await storage.clear(TOKEN)
    await storage.streams(Namespace.TOKEN)
    assert driver.dbsize() == 0


async def test_a_user_without_the_right_to_transactions_can_read(
    redis_server: RedisServer, driver: redis.Redis
) -> None:
    user, address = "poor", redis_server.storage_url.partition("@")[2]
    admin: Any = driver
    admin.execute_command("ACL", "SETUSER", user, "on", f">{user}", "~eventscache:*", "+@all", "-multi", "-exec")
    try:
        scheme = redis_server.storage_url.partition("://")[0]
        async with RedisStorage.from_url(f"{scheme}://{user}:{user}@{address}", StorageOptions()) as storage:
            writer = Writer(storage, TOKEN)
            await writer.insert([*success(b"1"), *error(b"2")])
            assert payloads(await writer.fetch()) == [b"2", b"1"]
            (info,) = await storage.streams(Namespace.TOKEN)
            assert (info.stream, info.total, info.errors) == (TOKEN, 2, 1)
    finally:
        admin.execute_command("ACL", "DELUSER", user)


async def test_listing_the_newest_of_very_many_streams_reads_a_bounded_number(
    storage: RedisStorage, driver: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_READ_BEYOND_LIMIT", 3)
    writers = [Writer(storage, Stream(Namespace.TOKEN, f"key{number}")) for number in range(20)]
    for writer in writers:
        await writer.insert(success(b"x"))
    driver.config_resetstat()
    infos = await storage.streams(Namespace.TOKEN, 2)
    assert len({info.stream for info in infos}) == 2
    assert [info.total for info in infos] == [1, 1]
    assert driver.info("commandstats")["cmdstat_llen"]["calls"] == 2 * (2 + 3)


async def test_every_key_has_an_expiry_after_every_operation(redis_server: RedisServer, driver: redis.Redis) -> None:
    clock = ManualClock()
    options = StorageOptions(now=clock, ttl_seconds=1)
    async with RedisStorage.from_url(redis_server.storage_url, options) as storage:
        writer = Writer(storage, TOKEN, Quota(2, MICROSECONDS))
        for step in (success(b"1"), error(b"2"), [], success(*numbered(5))):
            await writer.insert(step, all=Unsent(surplus=1))
            await storage.clear(TOKEN)
            await writer.insert(error(b"3"))
            for key in driver.scan_iter():
                # Even with a short setting, a key lives as long as the limiter needs it.
                assert 300 < driver.ttl(key) <= 347, key
            clock.advance(MICROSECONDS)


async def test_an_expiry_is_renewed_after_an_eighth_of_it_and_when_it_changes(
    redis_server: RedisServer, driver: redis.Redis
) -> None:
    clock = ManualClock()
    key = "eventscache:v1:{t.key}:all"
    async with RedisStorage.from_url(redis_server.storage_url, StorageOptions(now=clock, ttl_seconds=8000)) as storage:
        writer = Writer(storage, TOKEN)
        await writer.insert(success(b"1"))
        driver.expire(key, 5000)
        clock.advance(999 * MICROSECONDS)
        await writer.insert(success(b"2"))
        assert driver.ttl(key) <= 5000
        clock.advance(MICROSECONDS)
        await writer.insert(success(b"3"))
        assert driver.ttl(key) > 7900
    async with RedisStorage.from_url(
        redis_server.storage_url, StorageOptions(now=clock, ttl_seconds=90_000)
    ) as storage:
        await Writer(storage, TOKEN).insert(success(b"4"))
        assert driver.ttl(key) > 80_000


async def test_time_is_that_of_the_server(storage: RedisStorage, driver: redis.Redis) -> None:
    seconds, microseconds = driver.time()
    writer = Writer(storage, TOKEN)
    await writer.insert(success(b"x"))
    (entry,) = (await writer.fetch()).entries
    assert 0 <= entry.admitted_us - (seconds * MICROSECONDS + microseconds) < 60 * MICROSECONDS
    (info,) = await storage.streams(Namespace.TOKEN)
    assert info.last_active_us == entry.admitted_us


async def test_flushed_scripts_are_loaded_again(storage: RedisStorage, driver: redis.Redis) -> None:
    writer = Writer(storage, TOKEN)
    for event in (b"1", b"2", b"3"):
        driver.script_flush()
        await writer.insert(success(event))
        driver.script_flush()
        await writer.fetch()
    assert payloads(await writer.fetch()) == [b"3", b"2", b"1"]


async def test_flushed_scripts_are_loaded_again_by_batches_sent_together(
    storage: RedisStorage, driver: redis.Redis
) -> None:
    writers = [Writer(storage, Stream(Namespace.TOKEN, f"key {number}")) for number in range(5)]
    for event in (b"1", b"2"):
        driver.script_flush()
        await storage.insert_many([writer.batch(success(event)) for writer in writers])
    for writer in writers:
        assert payloads(await writer.fetch()) == [b"2", b"1"]


async def test_a_lost_state_continues_after_its_admission_logs(redis_server: RedisServer, driver: redis.Redis) -> None:
    clock = ManualClock()
    async with RedisStorage.from_url(redis_server.storage_url, StorageOptions(now=clock)) as storage:
        writer = Writer(storage, TOKEN)
        await writer.insert(success(*numbered(10)))
        driver.delete("eventscache:v1:{t.key}:state")
        clock.advance(-3600 * MICROSECONDS)
        limited = await writer.insert(success(b"x"))
        assert limited.all is not None
        assert (limited.all.admitted, limited.all.retry_after_us) == (0, 60 * MICROSECONDS)
        clock.advance(60 * MICROSECONDS)
        await writer.insert(success(b"y"))
        assert [entry.sequence for entry in (await writer.fetch(limit=2)).entries] == [11, 10]


async def test_a_lost_admission_log_breaks_no_read(storage: RedisStorage, driver: redis.Redis) -> None:
    writer = Writer(storage, TOKEN)
    await writer.insert(success(*numbered(5)))
    driver.ltrim("eventscache:v1:{t.key}:all:at", 0, 2)
    assert payloads(await writer.fetch()) == numbered(5)[:1:-1]
    assert payloads(await writer.fetch(status=Status.SUCCESS, limit=1)) == [b"event 4"]


async def test_a_full_redis_changes_nothing_and_still_reads(storage: RedisStorage, driver: redis.Redis) -> None:
    writer = Writer(storage, TOKEN)
    await writer.insert(error(*numbered(3)))
    before = await writer.fetch(), {key: driver.dump(key) for key in driver.scan_iter()}
    driver.config_set("maxmemory", 1)
    try:
        batch = writer.batch(error(*numbered(3)))
        with pytest.raises(StorageUnavailable) as fault:
            await storage.insert(batch)
        assert not fault.value.ambiguous
        with pytest.raises(StorageUnavailable):
            await Writer(storage, Stream(Namespace.TOKEN, "new")).insert(success(b"x"))
        assert (await writer.fetch(), {key: driver.dump(key) for key in driver.scan_iter()}) == before
    finally:
        driver.config_set("maxmemory", 0)
    assert (await storage.insert(batch)).all is not None


async def test_a_key_of_another_type_is_an_error_and_no_outage(storage: RedisStorage, driver: redis.Redis) -> None:
    driver.set("eventscache:v1:{t.key}:state", "not ours")
    with pytest.raises(StorageError) as fault:
        await Writer(storage, TOKEN).insert(success(b"x"))
    assert not isinstance(fault.value, StorageUnavailable)


async def test_a_server_without_a_connection_is_unavailable_and_nothing_is_ambiguous(tmp_path) -> None:
    async with RedisStorage.from_url(f"unix://{tmp_path}/none.sock", StorageOptions()) as storage:
        with pytest.raises(StorageUnavailable, match="no connection to Redis"):
            await storage.ping()
        with pytest.raises(StorageUnavailable):
            await Writer(storage, TOKEN).insert(success(b"x"))
    async with RedisStorage.from_url("redis://127.0.0.1:1/0", StorageOptions()) as storage:
        with pytest.raises(StorageUnavailable) as raised:
            await Writer(storage, TOKEN).insert(success(b"x"))
        assert not raised.value.ambiguous


async def test_a_redis_that_does_not_answer_is_ambiguous(redis_server: RedisServer, driver: redis.Redis) -> None:
    options = StorageOptions(timeout_seconds=0.05)
    async with RedisStorage.from_url(redis_server.storage_url, options) as storage:
        writer = Writer(storage, TOKEN)
        await writer.insert(success(b"1"))
        batch = writer.batch(success(b"2"))
        driver.client_pause(60_000, all=False)
        try:
            with pytest.raises(StorageUnavailable) as fault:
                await storage.insert(batch)
            assert fault.value.ambiguous
        finally:
            driver.client_unpause()
        while True:  # the same batch, until it is confirmed: stored once
            try:
                await storage.insert(batch)
                break
            except StorageUnavailable:
                await asyncio.sleep(0)
        assert payloads(await writer.fetch()) == [b"2", b"1"]


async def test_the_error_for_a_wrong_password_does_not_contain_it(
    redis_server: RedisServer, driver: redis.Redis
) -> None:
    driver.config_set("requirepass", "right")
    try:
        for login in ("", ":the-secret@", "eventscache:the-secret@", "nobody:the-secret@"):
            url = f"unix://{login}{redis_server.socket}"
            async with RedisStorage.from_url(url, StorageOptions()) as storage:
                with pytest.raises(StorageUnavailable, match=r"^Redis refuses the user name or password: correct"):
                    await storage.ping()
        async with RedisStorage.from_url(f"unix://:right@{redis_server.socket}", StorageOptions()) as storage:
            await storage.ping()
    finally:
        driver.config_set("requirepass", "")


async def test_old_writers_are_forgotten(redis_server: RedisServer, driver: redis.Redis) -> None:
    clock = ManualClock()

    def writers() -> int:
        return len(list(driver.hscan_iter("eventscache:v1:{t.key}:state", match="w:*")))

    async with RedisStorage.from_url(redis_server.storage_url, StorageOptions(now=clock)) as storage:
        for _ in range(150):
            clock.advance(MICROSECONDS)
            await Writer(storage, TOKEN).insert(success(b"x"))
        assert writers() <= 100
        clock.advance(300 * MICROSECONDS)
        await Writer(storage, TOKEN).insert(success(b"x"))
        assert writers() == 1


async def test_a_small_hash_stays_small(storage: RedisStorage, driver: redis.Redis) -> None:
    batch = Writer(storage, TOKEN, Quota(100, 3600 * MICROSECONDS)).batch(error(*numbered(150)))
    await storage.insert(msgspec.structs.replace(batch, writer="x" * 12, number=10**10))
    assert driver.object("encoding", "eventscache:v1:{t.key}:state") in {b"listpack", b"ziplist"}


async def test_the_trim_misses_no_idle_stream_while_others_are_active(
    redis_server: RedisServer, driver: redis.Redis
) -> None:
    streams = [Stream(Namespace.TOKEN, f"key {number}") for number in range(1200)]
    async with RedisStorage.from_url(redis_server.storage_url, StorageOptions()) as storage:
        for stream in streams:
            await Writer(storage, stream).insert(success(*numbered(4)))
        await storage.trim(2)
        async with RedisStorage.from_url(redis_server.storage_url, StorageOptions()) as other:
            for stream in streams[:300]:
                await Writer(other, stream).insert(success(b"x"))
        while await storage.trim(2) == 0:
            pass
        totals = {info.stream: info.total for info in await storage.streams(Namespace.TOKEN)}
        assert {totals[stream] for stream in streams[300:]} == {2}


async def test_evicted_streams_leave_no_keys_behind(redis_server: RedisServer, driver: redis.Redis) -> None:
    async with RedisStorage.from_url(redis_server.storage_url, StorageOptions(max_streams=2)) as storage:
        for number in range(20):
            await Writer(storage, Stream(Namespace.TOKEN, f"key {number}")).insert(error(b"x"))
        assert driver.dbsize() == 2 * 5 + 1


async def test_a_flood_of_new_ids_evicts_no_active_stream(redis_server: RedisServer, driver: redis.Redis) -> None:
    async with RedisStorage.from_url(redis_server.storage_url, StorageOptions(max_streams=5)) as storage:
        hot = Writer(storage, TOKEN)
        admitted = 0
        for number in range(60):
            admission = await hot.insert(success(b"x"))
            assert admission.all is not None
            admitted += admission.all.admitted
            await Writer(storage, Stream(Namespace.TOKEN, f"new {number}")).insert(success(b"x"))
            assert driver.zcard("eventscache:v1:streams:t") <= 5
        assert admitted == 10, "its limiter was lost"
        (newest,) = await storage.streams(Namespace.TOKEN, limit=1)
        assert newest.stream.id == "new 59"
        await hot.insert(success(b"x"))
        (newest,) = await storage.streams(Namespace.TOKEN, limit=1)
        assert newest.stream == TOKEN


async def test_a_late_eviction_keeps_the_events_that_a_stream_got_meanwhile(
    redis_server: RedisServer, driver: redis.Redis
) -> None:
    options = StorageOptions(max_streams=1)
    async with (
        RedisStorage.from_url(redis_server.storage_url, options) as one,
        RedisStorage.from_url(redis_server.storage_url, options) as two,
    ):
        await Writer(one, TOKEN).insert(success(b"old"))
        oldest = driver.zrange("eventscache:v1:streams:t", 0, 0, withscores=True)
        await Writer(two, TOKEN).insert(success(b"new"))
        # Another process decided by the old activity, and carries the eviction out late.
        activity = await one._registry._eviction._evict_streams([(TOKEN, int(oldest[0][1]))])
        assert activity[TOKEN] > int(oldest[0][1])
        assert (await one.fetch(TOKEN, Query())).total == 2


async def test_all_keys_of_a_stream_get_the_same_expiry_after_a_clear(
    redis_server: RedisServer, driver: redis.Redis
) -> None:
    async with RedisStorage.from_url(redis_server.storage_url, StorageOptions()) as storage:
        writer = Writer(storage, TOKEN)
        await writer.insert(error(b"1"))
        keys = [key.decode() for key in driver.scan_iter("*{t.key}*")]
        for key in keys:
            driver.expire(key, 5000)
        await storage.clear(TOKEN)
        await writer.insert(error(b"2"))
        assert {driver.ttl(key) > 600_000 for key in keys} == {True}


async def test_a_stream_that_another_process_evicted_is_registered_again(
    redis_server: RedisServer, driver: redis.Redis
) -> None:
    one, two, three = (Stream(Namespace.TOKEN, name) for name in ("one", "two", "three"))
    options = StorageOptions(max_streams=2)
    async with (
        RedisStorage.from_url(redis_server.storage_url, options) as first,
        RedisStorage.from_url(redis_server.storage_url, options) as second,
    ):
        await Writer(first, one).insert(success(b"x"))
        await Writer(second, two).insert(success(b"x"))
        await Writer(second, three).insert(success(b"x"))
        await Writer(first, one).insert(success(b"y"))
        assert {info.stream.id for info in await first.streams(Namespace.TOKEN)} == {"one", "three"}
        assert len(list(driver.scan_iter("*:state"))) == 2


async def test_a_client_that_was_made_elsewhere_works(redis_server: RedisServer, driver: redis.Redis) -> None:
    storage = RedisStorage(Redis.from_url(redis_server.storage_url))
    await Writer(storage, TOKEN).insert(success(b"x"))
    await storage.close()
    await storage.close()
