"""What only the memory storage has: its bound in bytes, and its own expiry."""

import sys

import pytest

from eventscache.clock import MICROSECONDS
from eventscache.errors import TooManyStreams
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import WRITER_HORIZON_US, Extra, Offer, Query, Quota
from eventscache.storage.options import StorageOptions
from eventscache.stream import Namespace, Status, Stream
from eventscache.testing import ManualClock, Writer, error, numbered, payloads, success

QUOTA = Quota(100, 60 * MICROSECONDS)
MIB = 1024 * 1024


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def writer(storage: MemoryStorage, name: str, namespace: Namespace = Namespace.TOKEN) -> Writer:
    return Writer(storage, Stream(namespace, name), QUOTA)


async def names(storage: MemoryStorage, namespace: Namespace = Namespace.TOKEN) -> list[str]:
    return [info.stream.id for info in await storage.streams(namespace)]


async def test_the_least_recently_active_stream_is_evicted_when_the_bytes_are_used_up(clock: ManualClock) -> None:
    storage = MemoryStorage(StorageOptions(now=clock, memory_bytes=MIB))
    for name, namespace in (("a", Namespace.TOKEN), ("b", Namespace.DESTINATION), ("c", Namespace.TOKEN)):
        clock.advance(1)
        await writer(storage, name, namespace).insert(success(b"x" * 300_000))
    clock.advance(1)
    await writer(storage, "a").insert(success(b"small"))
    await writer(storage, "d").insert(success(b"x" * 300_000))
    assert await names(storage) == ["d", "a", "c"]
    assert await names(storage, Namespace.DESTINATION) == []


async def test_a_single_stream_stays_within_the_bytes_too(clock: ManualClock) -> None:
    storage = MemoryStorage(StorageOptions(now=clock, memory_bytes=MIB))
    huge = writer(storage, "huge")
    for number in range(50):
        await huge.insert(error(b"%d" % number + b"x" * 60_000))
    page = await huge.fetch(limit=100)
    assert 0 < len(page.entries) < 20
    assert page.entries[0].event.startswith(b"49x")
    assert sum(len(entry.event) for entry in page.entries) < MIB
    # Events that were trimmed early still count for the limiter.
    answer = await huge.insert(success(*numbered(100)))
    assert answer.all is not None
    assert answer.all.admitted == 50


async def test_an_active_stream_is_not_evicted_when_the_clock_steps_back(clock: ManualClock) -> None:
    storage = MemoryStorage(StorageOptions(now=clock, memory_bytes=MIB))
    await writer(storage, "idle").insert(success(b"x" * 600_000))
    clock.advance(-3600 * MICROSECONDS)
    await writer(storage, "active", Namespace.DESTINATION).insert(success(b"x" * 600_000))
    assert await names(storage) == []
    assert await names(storage, Namespace.DESTINATION) == ["active"]


async def test_streams_that_are_not_trusted_leave_first_when_the_bytes_are_used_up(clock: ManualClock) -> None:
    storage = MemoryStorage(StorageOptions(now=clock, memory_bytes=MIB))
    large = success(b"x" * 300_000)
    await writer(storage, "trusted").insert(large)
    await writer(storage, "stranger").insert(large, trusted=False)
    await writer(storage, "late", Namespace.DESTINATION).insert(large, trusted=False)
    await writer(storage, "stranger").insert(success(b"y"), trusted=False)
    await writer(storage, "new").insert(large)
    assert await names(storage) == ["new", "stranger", "trusted"]
    assert await names(storage, Namespace.DESTINATION) == []
    await writer(storage, "newer").insert(large)
    assert await names(storage) == ["newer", "new", "trusted"]
    # When only trusted ones are left, the least recently active of these leaves.
    await writer(storage, "newest").insert(large)
    assert await names(storage) == ["newest", "newer", "new"]


async def test_a_stream_becomes_trusted_by_a_trusted_batch(clock: ManualClock) -> None:
    storage = MemoryStorage(StorageOptions(now=clock, memory_bytes=MIB))
    large = success(b"x" * 300_000)
    for name in ("a", "b", "c"):
        await writer(storage, name).insert(large, trusted=False)
    await writer(storage, "a").insert(success(b"y"))
    await writer(storage, "a").insert(success(b"z"), trusted=False)
    await writer(storage, "d").insert(large)
    assert await names(storage) == ["d", "a", "c"]


async def test_a_stream_that_is_not_trusted_takes_no_bytes_from_those_that_are(clock: ManualClock) -> None:
    storage = MemoryStorage(StorageOptions(now=clock, memory_bytes=MIB))
    for name in ("a", "b", "c"):
        await writer(storage, name).insert(success(b"x" * 300_000))
    stranger = writer(storage, "stranger")
    for number in range(50):
        await stranger.insert(error(b"%d" % number + b"x" * 60_000), trusted=False)
    assert await names(storage) == ["stranger", "c", "b", "a"]
    (entry,) = (await stranger.fetch()).entries
    assert entry.event.startswith(b"49x")
    # One that is new finds room as long as others leave for it, and is an error else.
    await writer(storage, "another").insert(success(b"x" * 60_000), trusted=False)
    assert await names(storage) == ["another", "c", "b", "a"]
    await writer(storage, "full").insert(success(b"x" * (MIB - storage._bytes + 59_000)))
    assert await names(storage) == ["full", "c", "b", "a"]
    with pytest.raises(TooManyStreams, match="memory is full"):
        await stranger.insert(success(b"x"), trusted=False)


async def test_all_bytes_are_free_again_when_all_streams_are_gone(clock: ManualClock) -> None:
    storage = MemoryStorage(StorageOptions(now=clock, ttl_seconds=1))
    for name in ("a", "b"):
        await writer(storage, name).insert([*success(*numbered(150)), *error(*numbered(150))])
    await storage.clear(Stream(Namespace.TOKEN, "a"))
    await storage.trim(10)
    clock.advance(1000 * MICROSECONDS)
    await storage.trim(10)
    assert storage._bytes == 0


async def test_an_idle_stream_expires_for_readers_and_is_trimmed(clock: ManualClock) -> None:
    storage = MemoryStorage(StorageOptions(now=clock, ttl_seconds=1000))
    old = writer(storage, "old")
    await old.insert(success(*numbered(100)))
    assert await storage.trim(100) == 1000
    clock.advance(400 * MICROSECONDS)
    await writer(storage, "new").insert(success(b"x"))
    assert await storage.trim(100) == 600
    clock.advance(600 * MICROSECONDS)
    assert (await old.fetch()).entries == []
    assert await names(storage) == ["new"]
    assert await storage.trim(100) == 400
    assert (await old.insert(success(*numbered(1)))).all is not None
    assert (await old.fetch()).entries[0].sequence == 1


async def test_a_short_expiry_does_not_reset_the_limiter(clock: ManualClock) -> None:
    storage = MemoryStorage(StorageOptions(now=clock, ttl_seconds=1))
    busy = writer(storage, "busy")
    await busy.insert(success(*numbered(100)))
    clock.advance(59 * MICROSECONDS)
    answer = await busy.insert(success(b"x"))
    assert answer.all is not None
    assert answer.all.admitted == 0


async def test_the_answers_of_idle_writers_are_forgotten(clock: ManualClock) -> None:
    storage = MemoryStorage(StorageOptions(now=clock))
    for _ in range(100):
        clock.advance(WRITER_HORIZON_US // 10)
        await writer(storage, "a").insert(success(b"x"))
    assert len(storage._streams[Namespace.TOKEN]["a"].state._answers) <= 10


async def test_its_estimate_of_its_size_is_not_too_low(clock: ManualClock) -> None:
    storage = MemoryStorage(StorageOptions(now=clock))
    for number in range(200):
        await writer(storage, f"key {number}").insert(error(*(b"%d" % number * 10 for number in range(100))))
    for number in range(0, 200, 2):  # the events are removed, the admission logs stay
        await storage.clear(Stream(Namespace.TOKEN, f"key {number}"))

    def size(value: object, counted: set[int]) -> int:
        if id(value) in counted or isinstance(value, type | Status | Namespace) or callable(value):
            return 0
        counted.add(id(value))
        total = sys.getsizeof(value)
        if isinstance(value, dict):
            return total + sum(size(key, counted) + size(content, counted) for key, content in value.items())
        if hasattr(value, "__slots__") and not isinstance(value, tuple):
            return total + sum(size(getattr(value, name), counted) for name in value.__slots__ if hasattr(value, name))
        if hasattr(value, "__iter__") and not isinstance(value, str | bytes):
            return total + sum(size(content, counted) for content in value)
        return total

    assert size(storage._streams, set()) <= storage._bytes


async def test_it_returns_its_events_without_copies(clock: ManualClock) -> None:
    storage = MemoryStorage(StorageOptions(now=clock))
    payload = b"x" * 1000
    await writer(storage, "a").insert(success(payload))
    page = await storage.fetch(Stream(Namespace.TOKEN, "a"), Query())
    assert payloads(page)[0] is payload


async def test_extra_collections_keep_to_the_bound_too(clock: ManualClock) -> None:
    storage = MemoryStorage(StorageOptions(now=clock, memory_bytes=MIB))
    key = writer(storage, "key")
    for number in range(100):
        offers = [Offer(b"x" * 50_000, Status.SUCCESS, to_all=False)]
        await key.insert(offers, extras={f"type:{number}": Extra(QUOTA, 100, (0,))})
    assert storage._bytes <= MIB
    assert (await storage.fetch(key.stream, Query(extra="type:99"))).total <= 1
    await storage.clear(key.stream, reset=True)
    (stored,) = storage._streams[Namespace.TOKEN].values()
    assert storage._bytes == stored.bytes
