"""Whatever happens between a process and its Redis: nothing twice, nothing lost that was acknowledged, all in order."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis

from eventscache.cache import EventPage, EventsCache
from eventscache.clock import MICROSECONDS
from eventscache.errors import StorageUnavailable
from eventscache.event import Event
from eventscache.storage.messages import Batch, Decision, Query, Quota
from eventscache.storage.options import StorageOptions
from eventscache.storage.redis import RedisStorage
from eventscache.storage.redis.keys import Keys
from eventscache.stream import Namespace, Status, Stream
from eventscache.testing import Writer, error, payloads, success
from tests.support.fault_proxy import FaultProxy
from tests.support.redis_cluster import Cluster
from tests.support.redis_server import RedisServer, wait_until

pytestmark = pytest.mark.slow

# Nothing is limited here, so that all that was acknowledged must be there.
QUOTA = Quota(100_000, MICROSECONDS)
STREAMS = [Stream(namespace, f"stream {nth}") for nth, namespace in enumerate([*Namespace, *Namespace])]
ACK_SECONDS = 30
GENEROUS_SECONDS = 40
SCRIPTS = ("EVALSHA", "EVAL")


class Load:
    """Producers that store events in a cache, one call after the other, until they are stopped."""

    def __init__(self, cache: EventsCache, *, padding_bytes: int = 0) -> None:
        self.cache = cache
        self.stored = dict.fromkeys(STREAMS, 0)
        self.calls = dict.fromkeys(STREAMS, 0)
        self._padding = "x" * padding_bytes
        self._ends = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._produce(stream)) for stream in STREAMS]

    async def stop(self) -> None:
        self._ends = True
        async with asyncio.timeout(GENEROUS_SECONDS):
            await asyncio.gather(*self._tasks)

    async def abandon(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _produce(self, stream: Stream) -> None:
        dice = random.Random(str(stream))
        while not self._ends:
            await self.store(stream, dice.randint(1, 5))
            await asyncio.sleep(0.001 * dice.random())

    async def store(self, stream: Stream, count: int) -> None:
        """Store some events; that this is acknowledged is part of every test."""
        events = [self._event(stream, self.stored[stream] + nth) for nth in range(count)]
        receipt = await self.cache.store([(stream, event) for event in events])
        assert receipt
        assert (receipt.stored, receipt.limited, receipt.dropped) == (count, 0, 0)
        self.stored[stream] += count
        self.calls[stream] += 1

    def _event(self, stream: Stream, number: int) -> Event:
        # Every third is an error, and belongs to both collections.
        return Event.of(stream, uid=str(number), skip=self._padding, error="error" if number % 3 == 0 else "")

    async def progress(self, calls: int = 1) -> None:
        """Return when every producer has made that many more calls, begun before or after now."""
        goals = {stream: done + calls for stream, done in self.calls.items()}
        await self.until(lambda: all(self.calls[stream] >= goal for stream, goal in goals.items()))

    async def until(self, condition: Callable[[], object]) -> None:
        """Return when a condition holds; raise what a producer raised meanwhile."""
        async with asyncio.timeout(GENEROUS_SECONDS):
            while not condition():
                for task in self._tasks:
                    if task.done():
                        task.result()
                await asyncio.sleep(0.001)

    async def _read(self, stream: Stream, query: Query) -> EventPage:
        """Return a page, once the server answers within the short timeout of a test."""
        async with asyncio.timeout(GENEROUS_SECONDS):
            while True:
                with contextlib.suppress(StorageUnavailable):
                    return await self.cache.fetch(stream, query)
                await asyncio.sleep(0.05)

    async def check(self) -> None:
        """All that was stored is there: once, in order, and in the ledger."""
        ledger = self.cache.ledger
        total = sum(self.stored.values())
        assert total
        assert ledger.received == ledger.stored == ledger.admitted_all == total
        assert ledger.limited == ledger.queued == ledger.rejected == ledger.dropped.total() == 0
        assert self.cache.queue.bytes == 0
        for stream, stored in self.stored.items():
            found = await self._read(stream, Query(limit=stored + 1))
            assert [(sequence, event.uid) for sequence, event in found.events] == [
                (nth + 1, str(nth)) for nth in reversed(range(stored))
            ]
            assert (found.total, found.limited) == (stored, 0)
            errors = await self._read(stream, Query(Status.ERROR, limit=stored + 1))
            assert [event.uid for _, event in errors.events] == [
                str(nth) for nth in reversed(range(stored)) if nth % 3 == 0
            ]
            assert errors.limited == 0
        assert ledger.admitted_error == sum(len(range(0, stored, 3)) for stored in self.stored.values())


@asynccontextmanager
async def loaded(url: str, *, timeout_seconds: float = 5, padding_bytes: int = 0) -> AsyncIterator[Load]:
    """Open a cache, and check at the end, without any fault, what the load has left there."""
    # How full Redis is shall be found out by the scripts.
    options = StorageOptions(timeout_seconds=timeout_seconds, max_memory_percent=10**9)
    cache = EventsCache(RedisStorage.from_url(url, options), quota=QUOTA, ack_timeout_seconds=ACK_SECONDS)
    await cache.open()
    load = Load(cache, padding_bytes=padding_bytes)
    load.start()
    try:
        yield load
        await load.progress()
        await load.stop()
        await load.check()
    finally:
        await load.abandon()
        await cache.close(0)


async def test_a_reply_that_is_lost_after_the_script_ran_stores_nothing_twice(fault_proxy: FaultProxy) -> None:
    async with loaded(fault_proxy.storage_url) as load:
        for _ in range(12):
            fault_proxy.drop_replies(len(STREAMS), *SCRIPTS)
            await load.until(lambda: fault_proxy.drops == 0)
        fault_proxy.forward()
    assert len(fault_proxy.dropped) >= 12  # those of a pipeline that followed the first may be lost unseen


async def test_replies_that_are_lost_again_and_again_are_one_batch_still(fault_proxy: FaultProxy) -> None:
    async with loaded(fault_proxy.storage_url) as load:
        for count in (1, 2, 5, 10):
            fault_proxy.drop_replies(count * len(STREAMS), "EVALSHA")
            await load.until(lambda: fault_proxy.drops == 0)
            await load.progress()
        fault_proxy.forward()


async def test_a_server_that_freezes_for_less_than_a_timeout_is_waited_for(
    tcp_redis: RedisServer,
) -> None:
    async with loaded(tcp_redis.storage_url, timeout_seconds=GENEROUS_SECONDS) as load:
        for _ in range(10):
            await load.progress()
            tcp_redis.freeze()
            await load.until(lambda: load.cache.ledger.queued >= len(STREAMS))
            tcp_redis.thaw()
        assert load.cache.queue.sender.storage_available


async def test_what_timed_out_and_is_carried_out_after_its_retries_is_stored_once(tcp_redis: RedisServer) -> None:
    # A frozen server still takes what is sent, and runs all tries of a batch when it comes back.
    async with loaded(tcp_redis.storage_url, timeout_seconds=0.05) as load:
        for _ in range(5):
            await load.progress()
            tcp_redis.freeze()
            await load.until(lambda: not load.cache.queue.sender.storage_available)
            tcp_redis.thaw()
            await load.until(lambda: load.cache.queue.sender.storage_available)


async def test_connections_that_are_cut_store_nothing_twice(fault_proxy: FaultProxy) -> None:
    async with loaded(fault_proxy.storage_url) as load:
        for _ in range(40):
            fault_proxy.reset_all()
            await load.progress()


@asynccontextmanager
async def readers(load: Load) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Read all streams over and over, which must never fail; gives what waits until each was read twice more."""
    reads = dict.fromkeys(STREAMS, 0)

    async def read(stream: Stream) -> None:
        while True:
            known = load.stored[stream]
            found = await load.cache.fetch(stream, Query(limit=3))
            assert found.total >= known
            assert [int(event.uid) + 1 for _, event in found.events] == [sequence for sequence, _ in found.events]
            reads[stream] += 1
            await asyncio.sleep(0.001)

    async def read_on() -> None:
        goals = {stream: done + 2 for stream, done in reads.items()}
        await load.until(
            lambda: any(task.done() for task in tasks) or all(reads[stream] >= goals[stream] for stream in STREAMS)
        )
        for task in tasks:
            if task.done():
                task.result()

    tasks = [asyncio.create_task(read(stream)) for stream in STREAMS]
    try:
        yield read_on
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("command", ["SCRIPT FLUSH", "CLIENT KILL TYPE normal"])
async def test_a_command_of_an_operator_again_and_again_is_noticed_by_no_reader_or_writer(
    tcp_redis: RedisServer, command: str
) -> None:
    with tcp_redis.client() as operator:
        async with loaded(tcp_redis.storage_url) as load, readers(load) as read_on:
            for _ in range(60):
                await asyncio.to_thread(operator.execute_command, *command.split())
                await read_on()


async def test_a_master_that_is_a_replica_for_a_while_loses_nothing(tcp_redis: RedisServer) -> None:
    async with loaded(tcp_redis.storage_url) as load:
        for _ in range(5):
            await load.progress()
            tcp_redis.ask("REPLICAOF", "127.0.0.1", 1)
            try:
                await load.until(lambda: not load.cache.queue.sender.storage_available)
            finally:
                tcp_redis.ask("REPLICAOF", "NO", "ONE")
            await load.until(lambda: load.cache.queue.sender.storage_available)


async def test_a_foreign_script_that_keeps_redis_busy_loses_nothing(tcp_redis: RedisServer) -> None:
    tcp_redis.ask("CONFIG", "SET", "lua-time-limit", 20)
    try:
        async with loaded(tcp_redis.storage_url) as load:
            for _ in range(3):
                await load.progress()
                busy = asyncio.create_task(asyncio.to_thread(tcp_redis.ask, "EVAL", "while true do end", 0))
                await load.until(lambda: not load.cache.queue.sender.storage_available)
                tcp_redis.ask("SCRIPT", "KILL")
                with pytest.raises(redis.ResponseError):
                    await busy
                await load.until(lambda: load.cache.queue.sender.storage_available)
    finally:
        tcp_redis.ask("CONFIG", "SET", "lua-time-limit", 5000)


async def test_a_redis_that_is_full_for_a_while_has_never_half_of_a_batch(tcp_redis: RedisServer) -> None:
    with tcp_redis.client() as operator:
        async with loaded(tcp_redis.storage_url, padding_bytes=2000) as load:
            for _ in range(3):
                await load.progress()
                operator.config_set("maxmemory", operator.info("memory")["used_memory"] + 500_000)
                try:
                    await load.until(
                        lambda: has_whole_batches(operator) and not load.cache.queue.sender.storage_available
                    )
                    assert has_whole_batches(operator)
                    for stream in STREAMS:
                        await load.cache.fetch(stream, Query())
                finally:
                    operator.config_set("maxmemory", 0)
                await load.until(lambda: has_whole_batches(operator) and load.cache.queue.sender.storage_available)


def has_whole_batches(operator: redis.Redis) -> bool:
    """Check that each stream has, in one look, as many events as stamps, and as many as its numbers say."""
    # By a script: a full Redis rejects MULTI.
    look = """
        return {redis.call('HGET', KEYS[1], 'seq'), redis.call('LLEN', KEYS[2]), redis.call('LLEN', KEYS[3]),
                redis.call('LLEN', KEYS[4]), redis.call('LLEN', KEYS[5])}
    """
    for stream in STREAMS:
        keys = Keys(StorageOptions().prefix).all(stream)
        sequence, everything, stamps, errors, error_stamps = operator.eval(look, len(keys), *keys)
        assert everything == stamps == int(sequence)
        assert errors == error_stamps == len(range(0, everything, 3))
    return True


async def cancelled(task: asyncio.Task[Any], dice: random.Random) -> bool:
    """Cancel a task after some turns of the loop, and tell whether that was before it ended by itself."""
    if dice.random() < 0.7:
        for _ in range(dice.randint(0, 5)):
            await asyncio.sleep(0)
    else:
        await asyncio.sleep(dice.random() * 0.002)
    task.cancel()
    await asyncio.wait([task])
    return task.cancelled()


async def test_a_write_whose_caller_is_cancelled_is_carried_out_whole_or_not_at_all(tcp_redis: RedisServer) -> None:
    answered: dict[Stream, set[int]] = {stream: set() for stream in STREAMS}
    cut = 0

    async def write(storage: RedisStorage, stream: Stream) -> None:
        nonlocal cut
        dice = random.Random(str(stream))
        writer = Writer(storage, stream, QUOTA)
        for number in range(150):
            batch = writer.batch(error(*(b"%d" % (3 * number + nth) for nth in range(3))))
            task = asyncio.create_task(storage.insert(batch))
            was_cut = await cancelled(task, dice)
            cut += was_cut
            if was_cut and dice.random() < 0.5:
                continue
            # Another try, while the one that was cancelled may be under way.
            admission = await (storage.insert(batch) if was_cut else task)
            assert admission.all == admission.error == Decision(3, admission.all.retry_after_us if admission.all else 0)
            answered[stream].add(number)

    async with asyncio.timeout(GENEROUS_SECONDS):
        async with RedisStorage.from_url(tcp_redis.storage_url, StorageOptions(timeout_seconds=20)) as storage:
            await asyncio.gather(*(write(storage, stream) for stream in STREAMS))
        async with RedisStorage.from_url(tcp_redis.storage_url, StorageOptions()) as storage:
            for stream in STREAMS:
                page = await storage.fetch(stream, Query(limit=1000))
                assert (await storage.fetch(stream, Query(Status.ERROR, limit=1000))) == page
                there = [int(event) for event in reversed(payloads(page))]
                numbers = there[::3]
                assert there == [first + nth for first in numbers for nth in range(3)]
                assert numbers == sorted({*numbers})
                assert {3 * number for number in answered[stream]} <= {*numbers}
    assert cut > 20


async def test_a_write_that_has_begun_is_carried_out_although_its_caller_is_cancelled(tcp_redis: RedisServer) -> None:
    stream, dice = STREAMS[0], random.Random(1)
    events = {b"%d" % number for number in range(200)}
    async with asyncio.timeout(GENEROUS_SECONDS):
        async with RedisStorage.from_url(tcp_redis.storage_url, StorageOptions(timeout_seconds=20)) as storage:
            await Writer(storage, stream, QUOTA).insert()
            for event in events:
                task = asyncio.create_task(Writer(storage, stream, QUOTA).insert(success(event)))
                await asyncio.sleep(0)
                await cancelled(task, dice)
        async with RedisStorage.from_url(tcp_redis.storage_url, StorageOptions(timeout_seconds=20)) as storage:
            page = await storage.fetch(stream, Query(limit=1000))
    assert sorted(payloads(page)) == sorted(events)


async def test_calls_that_are_cancelled_never_give_their_replies_to_others(tcp_redis: RedisServer) -> None:
    checked = cut = 0
    streams = [Stream(Namespace.TOKEN, str(nth)) for nth in range(20)]

    async def call(storage: RedisStorage, stream: Stream, dice: random.Random) -> None:
        nonlocal checked
        kind = dice.choice(["fetch", "fetch", "insert", "streams", "ping"])
        if kind == "fetch":
            assert payloads(await storage.fetch(stream, Query())) == [stream.id.encode()]
        elif kind == "insert":
            admission = await storage.insert(Batch(stream, QUOTA, "writer", 1))
            assert admission.all == Decision(1, admission.all.retry_after_us if admission.all else 0)
            assert admission.error is None
        elif kind == "streams":
            assert {info.stream for info in await storage.streams(Namespace.TOKEN)} == {*streams}
        else:
            await storage.ping()
        checked += 1

    async def call_on(storage: RedisStorage, stream: Stream) -> None:
        nonlocal cut
        dice = random.Random(str(stream))
        for _ in range(150):
            task = asyncio.create_task(call(storage, stream, dice))
            was_cut = dice.random() < 0.7 and await cancelled(task, dice)
            cut += was_cut  # not in one: others count while this one awaits
            if not was_cut:
                await task

    async with (
        asyncio.timeout(GENEROUS_SECONDS),
        RedisStorage.from_url(tcp_redis.storage_url, StorageOptions(timeout_seconds=20, pool_size=4)) as storage,
    ):
        for stream in streams:
            await storage.insert(Batch(stream, QUOTA, "writer", 1, success(stream.id.encode())))
        await asyncio.gather(*(call_on(storage, stream) for stream in streams))
        before = checked
        await asyncio.gather(*(call(storage, stream, random.Random(nth)) for nth in range(20) for stream in streams))
        assert checked == before + 400
    assert cut > 100


async def test_a_reader_that_is_cancelled_ends(tcp_redis: RedisServer) -> None:
    async with RedisStorage.from_url(tcp_redis.storage_url, StorageOptions(timeout_seconds=20)) as storage:
        await Writer(storage, STREAMS[0]).insert(success(b"x"))

        async def read_on() -> None:
            while True:
                await storage.fetch(STREAMS[0], Query())

        dice = random.Random(1)
        async with asyncio.timeout(GENEROUS_SECONDS):
            for _ in range(300):
                assert await cancelled(asyncio.create_task(read_on()), dice)


async def test_a_cluster_is_left_without_connections_after_one_of_them_broke(redis_cluster: Cluster) -> None:
    url = "redis+cluster://" + ",".join(f"{host}:{port}" for host, port in redis_cluster.addresses)
    storage = RedisStorage.from_url(url, StorageOptions(timeout_seconds=20))
    for stream in STREAMS:
        await Writer(storage, stream).insert(success(b"x"))
    tag = Keys(StorageOptions().prefix).key(STREAMS[0], "all")
    broken = next(node for node in redis_cluster.nodes if tag in str(node.ask("KEYS", "*")))
    broken.ask("CLIENT", "KILL", "TYPE", "normal")
    with pytest.raises(StorageUnavailable):
        await Writer(storage, STREAMS[0]).insert(success(b"x"))

    await storage.close()

    def none_is_left() -> bool:
        return all(str(node.ask("CLIENT", "LIST", "TYPE", "normal")).count("id=") == 1 for node in redis_cluster.nodes)

    await asyncio.to_thread(wait_until, none_is_left, "all connections are closed")
