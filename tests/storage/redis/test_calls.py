"""How a Redis is called: failing fast while it is away, never leaving a write half way, minding its memory."""

import asyncio
import functools
import itertools
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import fakeredis
import pytest
import redis
import redis.asyncio as aioredis
import structlog
from hypothesis import given
from hypothesis import strategies as st
from redis import exceptions as driver
from redis.asyncio.sentinel import MasterNotFoundError
from redis.crc import key_slot

from eventscache.clock import MICROSECONDS
from eventscache.errors import StorageError, StorageUnavailable
from eventscache.storage.messages import Query, Quota, Unsent
from eventscache.storage.options import StorageOptions
from eventscache.storage.redis import RedisStorage
from eventscache.storage.redis.driver_errors import Sign, translate
from eventscache.storage.redis.keys import KINDS, Keys
from eventscache.storage.redis.node import Breaker, Node
from eventscache.storage.redis.topology import SingleServer
from eventscache.stream import Namespace, Status, Stream
from eventscache.testing import ManualClock, Writer, error, numbered, payloads, success
from eventscache.timestamp import format_time
from tests.support.fault_proxy import FaultProxy
from tests.support.redis_server import RedisServer

TOKEN = Stream(Namespace.TOKEN, "key")


def fails_at_once(breaker: Breaker, now: float) -> bool:
    try:
        breaker.leave(probe=breaker.enter(now))
    except StorageUnavailable:
        return True
    return False


def test_a_breaker_lets_one_call_at_a_time_find_out() -> None:
    breaker = Breaker()
    breaker.note(Sign.GONE, "away", 100.0, probe=breaker.enter(100.0))
    assert fails_at_once(breaker, 100.04)
    probe = breaker.enter(100.05)
    assert probe
    assert fails_at_once(breaker, 100.06), "a second one while the first has not ended"
    breaker.note(Sign.GONE, "still away", 100.07, probe=probe)
    breaker.leave(probe=probe)
    assert breaker.reason == "still away"
    assert fails_at_once(breaker, 100.16)
    probe = breaker.enter(100.17)
    breaker.note(Sign.ANSWERS, "", 100.18, probe=probe)
    breaker.leave(probe=probe)
    assert not breaker.enter(100.18)


def test_a_breaker_waits_a_quarter_of_a_second_at_most_for_a_server_that_is_away() -> None:
    breaker, now = Breaker(), 0.0
    for _ in range(20):
        breaker.note(Sign.GONE, "away", now, probe=breaker.enter(now))
        breaker.leave(probe=True)
        now += 0.25
        assert not fails_at_once(breaker, now)


def test_a_breaker_waits_a_second_and_then_longer_where_it_may_not_enter() -> None:
    breaker, now, pauses = Breaker(), 0.0, []
    for _ in range(8):
        breaker.note(Sign.FORBIDS, "no", now, probe=breaker.enter(now))
        breaker.leave(probe=True)
        pause = next(seconds for seconds in (1, 2, 4, 8, 16, 30) if not fails_at_once(breaker, now + seconds))
        pauses.append(pause)
        now += pause
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


def test_one_silence_or_a_broken_connection_is_no_outage() -> None:
    breaker = Breaker()
    for sign in (Sign.SILENT, Sign.BROKEN, Sign.BROKEN, Sign.BROKEN):
        breaker.note(sign, "?", 0.0, probe=breaker.enter(0.0))
    breaker.note(Sign.ANSWERS, "", 0.0, probe=False)
    breaker.note(Sign.SILENT, "?", 0.0, probe=False)
    assert not fails_at_once(breaker, 0.0)
    breaker.note(Sign.SILENT, "?", 0.0, probe=False)
    assert fails_at_once(breaker, 0.0)


FAULTS = [
    (driver.AuthenticationError("invalid username-password pair or user is disabled."), Sign.FORBIDS, False),
    (driver.ResponseError("WRONGPASS invalid username-password pair"), Sign.FORBIDS, False),
    (driver.ResponseError("NOAUTH HELLO must be called with the client already authenticated"), Sign.FORBIDS, False),
    (driver.NoPermissionError("this user has no permissions to run the 'evalsha' command"), Sign.ANSWERS, False),
    (driver.ResponseError("OOM command not allowed when used memory > 'maxmemory'."), Sign.ANSWERS, False),
    (driver.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), Sign.ANSWERS, False),
    (driver.ResponseError("BUSY Redis is busy running a script."), Sign.ANSWERS, False),
    (driver.ReadOnlyError("READONLY You can't write against a read only replica."), Sign.ANSWERS, False),
    (driver.BusyLoadingError("LOADING Redis is loading the dataset in memory"), Sign.ANSWERS, False),
    (driver.ClusterDownError("CLUSTERDOWN Hash slot not served"), Sign.ANSWERS, False),
    (driver.ConnectionError("Error 111 connecting to h:1. Connection refused."), Sign.GONE, False),
    (driver.ConnectionError("max number of clients reached"), Sign.GONE, False),
    (driver.TimeoutError("Timeout connecting to server"), Sign.GONE, False),
    (driver.RedisClusterException("Redis Cluster cannot be connected. Please provide at least one"), Sign.GONE, False),
    (driver.ConnectionError("Error connecting to h:1."), Sign.GONE, False),
    (
        driver.ConnectionError("Error Multiple exceptions: [Errno 111] a, [Errno 111] b connecting to h:1."),
        Sign.GONE,
        False,
    ),
    (driver.ConnectionError("Error 1 connecting to /a while b/sock. x."), Sign.GONE, False),
    (driver.MaxConnectionsError("Too many connections"), Sign.GONE, False),
    (MasterNotFoundError("No master found for 'WRONGPASS': h - network:ConnectionError"), Sign.GONE, False),
    (ConnectionRefusedError(111, "Connection refused"), Sign.GONE, False),
    (driver.ConnectionError("The previous master is now a slave"), Sign.ANSWERS, False),
    *(
        (driver.ResponseError(text), Sign.ANSWERS, False)
        for text in (
            "OOM command not allowed when used memory > 'maxmemory'. script: 62e6, on @user_script:1.",
            "NOREPLICAS Not enough good replicas to write.",
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
            "UNKILLABLE Sorry the script already executed write commands against the dataset.",
            "The user executing the script can't run this command or subcommand script: 62e6, on @user_script:1.",
            "@user_script: 1: -OOM command not allowed when used memory > 'maxmemory'.",
            "@user_script: 57: OOM command not allowed when used memory > 'maxmemory'.",
            "Error running script (call to f_62e6): @user_script:1: @user_script: 1: -READONLY You can't write",
            "Error running script (call to f_62e6): @user_script:1: The user executing the script can't",
            "Command # 1 (SET k x) of pipeline caused error: ('NOREPLICAS Not enough good replicas to write.',)",
            'Command # 12 (SET k x) of pipeline caused error: ("MISCONF it\'s currently unable to persist",)',
            "Command # 1 (SET k x) of pipeline caused error: BUSY Redis is busy running a script.",
            'Command # 1 (x) of pipeline caused error: ("Error running script (call to f_6): @user_script:1: OOM ",)',
        )
    ),
    # Names of hosts, users and streams say nothing.
    (driver.ConnectionError("Error 111 connecting to ROOM-5:1. Connect call failed."), Sign.GONE, False),
    (driver.ConnectionError("Error -2 connecting to REDIS-LOADING:1. Name or service not known."), Sign.GONE, False),
    (driver.ConnectionError("Error 13 connecting to /NOAUTH WRONGPASS /sock. Permission denied."), Sign.GONE, False),
    (driver.TimeoutError("Timeout reading from OOM READONLY connecting to:1"), Sign.SILENT, True),
    (driver.ConnectionError("Error while reading from /a connecting to b/sock : (104, 'reset')"), Sign.BROKEN, True),
    (driver.ConnectionError("Error 32 while writing to socket. NOPERM connecting to h."), Sign.BROKEN, True),
    (driver.RedisClusterException("NOAUTH WRONGPASS Connection refused"), Sign.BROKEN, True),
    (driver.TimeoutError("Timeout reading from h:1"), Sign.SILENT, True),
    (driver.ConnectionError("Connection closed by server."), Sign.BROKEN, True),
    (driver.ClusterError("TTL exhausted."), Sign.BROKEN, True),
    (driver.InvalidResponse("Protocol Error"), Sign.BROKEN, True),
    (ConnectionResetError(104, "reset"), Sign.BROKEN, True),
    (AttributeError("'NoneType' object has no attribute 'writelines'"), Sign.BROKEN, True),
]


@pytest.mark.parametrize(("fault", "sign", "ambiguous"), FAULTS, ids=lambda value: str(value)[:30])
def test_what_the_driver_raises_is_understood(fault: Exception, sign: Sign, ambiguous: bool) -> None:
    said = translate(fault, ambiguous=True)
    assert isinstance(said.error, StorageUnavailable)
    assert (said.sign, said.error.ambiguous) == (sign, ambiguous)
    again = translate(fault, ambiguous=False).error
    assert isinstance(again, StorageUnavailable)
    assert not again.ambiguous


def test_a_reply_that_will_not_change_is_no_outage() -> None:
    error = translate(driver.ResponseError("WRONGTYPE Operation against a key"), ambiguous=True).error
    assert isinstance(error, StorageError)
    assert not isinstance(error, StorageUnavailable)


@pytest.mark.parametrize(
    "text",
    [
        "WRONGTYPE Operation against a key: OOM command not allowed",
        "OOMPH",
        "value is not an integer @user_script: 57: NOAUTH READONLY",
        "Command # 1 (LTRIM eventscache:v1:{t.NOAUTH}:all 0 3) of pipeline caused error: ('WRONGTYPE Operation',)",
        "Command # 1 (SET BUSY OOM READONLY ) of pipeline caused error: ('syntax error',)",
    ],
)
def test_what_a_reply_quotes_says_nothing(text: str) -> None:
    error, sign = translate(driver.ResponseError(text), ambiguous=True)
    assert not isinstance(error, StorageUnavailable)
    assert sign is Sign.ANSWERS


def test_a_cluster_that_refuses_the_login_forbids() -> None:
    fault = driver.RedisClusterException("Redis Cluster cannot be connected. Please provide at least one: invalid")
    fault.__cause__ = driver.AuthenticationError("invalid username-password pair or user is disabled.")
    assert translate(fault, ambiguous=True).sign is Sign.FORBIDS


async def what_is_said(calls: Iterable[Callable[[], Awaitable[object]]]) -> list[Sign]:
    signs = []
    for call in calls:
        with pytest.raises(driver.RedisError) as raised:
            await call()
        error, sign = translate(raised.value, ambiguous=True)
        assert isinstance(error, StorageUnavailable), raised.value
        assert not error.ambiguous
        signs.append(sign)
    return signs


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["CONFIG SET maxmemory 1"], ["CONFIG SET maxmemory 0"]),
        (["CONFIG SET min-replicas-to-write 1"], ["CONFIG SET min-replicas-to-write 0"]),
        (["REPLICAOF 127.0.0.1 1"], ["REPLICAOF NO ONE"]),
        (
            ["CONFIG SET replica-serve-stale-data no", "REPLICAOF 127.0.0.1 1"],
            ["REPLICAOF NO ONE", "CONFIG SET replica-serve-stale-data yes"],
        ),
        (["ACL SETUSER default -set"], ["ACL SETUSER default +set"]),
    ],
    ids=["full", "without replicas", "a replica", "a stale replica", "without the right"],
)
async def test_what_an_operator_can_mend_passes_however_it_is_met(
    redis_server: RedisServer, before: list[str], after: list[str]
) -> None:
    async with aioredis.Redis(unix_socket_path=str(redis_server.socket)) as client:

        def piped(*command: str | int) -> Callable[[], Awaitable[object]]:
            pipeline: Any = client.pipeline(transaction=False)
            pipeline.execute_command(*command)
            execute: Callable[[], Awaitable[object]] = pipeline.execute
            return execute

        called = ("EVAL", "return redis.call('SET', KEYS[1], 'x')", 1, "k")
        handed_on = ("EVAL", "return redis.pcall('SET', KEYS[1], 'x')", 1, "k")
        ways = [("SET", "k", "x"), called, handed_on]
        for command in before:
            redis_server.ask(*command.split())
        try:
            signs = await what_is_said(
                [*(functools.partial(client.execute_command, *way) for way in ways), *(piped(*way) for way in ways)]
            )
        finally:
            for command in after:
                redis_server.ask(*command.split())
    assert set(signs) == {Sign.ANSWERS}


async def test_connections_are_waited_for_as_long_as_one_try_may_take() -> None:
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


async def test_reads_do_not_notice_a_broken_connection(fault_proxy: FaultProxy) -> None:
    async with RedisStorage.from_url(fault_proxy.storage_url, StorageOptions(timeout_seconds=5)) as storage:
        writer = Writer(storage, TOKEN)
        await writer.insert(success(b"x"))
        for _ in range(20):
            fault_proxy.drop_replies(1, "EVALSHA")
            assert payloads(await writer.fetch()) == [b"x"]
        assert len(fault_proxy.dropped) == 20


async def test_a_black_hole_is_found_out_once_and_not_by_every_call(fault_proxy: FaultProxy) -> None:
    async with RedisStorage.from_url(fault_proxy.storage_url, StorageOptions(timeout_seconds=0.05)) as storage:
        await storage.ping()
        fault_proxy.hang()
        ambiguous = []
        for _ in range(200):
            with pytest.raises(StorageUnavailable) as fault:
                await Writer(storage, TOKEN).insert(success(b"x"))
            ambiguous.append(fault.value.ambiguous)
        # Registering comes first, and may be repeated: nothing that matters was left in doubt.
        assert not any(ambiguous)
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


async def test_a_server_that_is_too_full_is_not_written_to_but_read(tcp_redis: RedisServer) -> None:
    storage = RedisStorage.from_url(tcp_redis.storage_url, StorageOptions(timeout_seconds=5, max_memory_percent=90))
    look = storage._memory_guard.look  # not open: nobody else looks
    writer = Writer(storage, TOKEN)
    await writer.insert(success(b"before"))
    for number in range(10):
        tcp_redis.ask("SET", f"of-someone-else-{number}", "x" * 10_000)
    with tcp_redis.client() as client:
        used = int(client.info("memory")["used_memory"])
    try:
        with structlog.testing.capture_logs() as log:
            tcp_redis.ask("CONFIG", "SET", "maxmemory", used * 20)
            await look()
            await writer.insert(success(b"room enough"))
            tcp_redis.ask("CONFIG", "SET", "maxmemory", used + used // 20)
            await look()
            await look()
        assert [line["event"] for line in log] == ["Redis is too full to be written to", "Redis is nearly full"]
        assert log[1]["shared"]
        with pytest.raises(StorageUnavailable, match="of its memory") as fault:
            await writer.insert(success(b"refused"))
        assert not fault.value.ambiguous
        assert payloads(await writer.fetch()) == [b"room enough", b"before"]
    finally:
        tcp_redis.ask("CONFIG", "SET", "maxmemory", 0)
    await look()
    await writer.insert(success(b"after"))
    await storage.close()


async def test_a_server_that_evicts_is_warned_of_once(tcp_redis: RedisServer) -> None:
    storage = RedisStorage.from_url(tcp_redis.storage_url, StorageOptions(timeout_seconds=5))
    tcp_redis.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        with structlog.testing.capture_logs() as log:
            await storage._memory_guard.look()
            await storage._memory_guard.look()
        assert [line["policy"] for line in log] == ["allkeys-lru"]
    finally:
        tcp_redis.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
        await storage.close()


awkward = st.text(
    st.sampled_from("#:{}%\n\0*?[],/a\N{PILE OF POO}e\u0301\u00e9\ud800 "), min_size=1, max_size=40
) | st.text(min_size=1, max_size=128)


@given(st.lists(st.tuples(st.sampled_from(Namespace), awkward), min_size=2, max_size=5, unique=True))
def test_streams_stay_apart_and_each_in_one_slot(names: list[tuple[Namespace, str]]) -> None:
    keys = Keys("eventscache")
    named = [keys.all(Stream(*name)) for name in names]
    assert len({key for of_one in named for key in of_one}) == len(KINDS) * len(names)
    for of_one in named:
        assert len({key_slot(key.encode()) for key in of_one}) == 1
        assert all(key.isascii() and key.isprintable() and " " not in key for key in of_one)


@pytest.fixture
def admin(redis_server: RedisServer):
    with redis_server.client(decode_responses=False) as client:
        client.flushall()
        yield client
        client.flushall()


async def test_a_time_in_the_registry_that_cannot_be_is_cut_to_one_that_can(
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
async def test_what_something_else_wrote_is_left_out_and_harms_no_read(
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
async def test_a_registry_that_was_written_over_is_made_anew(
    redis_server: RedisServer, admin: redis.Redis, poison
) -> None:
    key = Keys("eventscache").registry(Namespace.TOKEN)
    poison(key, admin)
    async with RedisStorage.from_url(redis_server.storage_url, StorageOptions()) as storage:
        assert await storage.streams(Namespace.TOKEN) == []
        await Writer(storage, TOKEN).insert(success(b"x"))
        admin.zadd(key, {b"\xff\xfe": 1e30})
        assert [info.stream for info in await storage.streams(Namespace.TOKEN)] == [TOKEN]


def promised(count: int, length: int, *, errors: bool, limited: bool) -> float:
    """Return the bytes that the papers say a stream takes at most, for an id of three letters."""
    collection = 450 + count * (1.04 * length + 40)
    return 700 + 5 * 3 + collection * (1 + errors) + (2_500 if limited else 0)


@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize("errors", [False, True])
@pytest.mark.parametrize(("count", "length"), [*itertools.product((1, 10, 100, 1_000), (50, 100, 500, 3_000, 20_000))])
async def test_a_stream_takes_no_more_memory_than_the_papers_say(
    redis_server: RedisServer, admin: redis.Redis, count: int, length: int, errors: bool, limited: bool
) -> None:
    clock, kind = ManualClock(), error if errors else success
    options = StorageOptions(timeout_seconds=60, now=clock)
    async with RedisStorage.from_url(redis_server.storage_url, options) as storage:
        writers = [Writer(storage, TOKEN, Quota(count, 3600 * MICROSECONDS)) for _ in range(3)]
        for start in range(0, count, 50):
            events = [b"%06d".ljust(length, b"x") % number for number in range(start, min(count, start + 50))]
            await writers[start % 3].insert(kind(*events))
        for second in range(60 if limited else 0):
            clock.advance(MICROSECONDS)
            await writers[second % 3].insert(kind(b"refused"), all=Unsent(surplus=10**6), error=Unsent(surplus=10**6))
    used = sum(admin.memory_usage(key, samples=0) or 0 for key in Keys("eventscache").all(TOKEN))
    assert used <= promised(count, length + 2, errors=errors, limited=limited)
    assert promised(count, length + 2, errors=errors, limited=limited) <= 1.3 * used + 3_000, "nobody is frightened"
