"""A stream takes no more of Redis' memory than the documentation says."""

import itertools

import pytest
import redis

from eventscache.clock import MICROSECONDS
from eventscache.storage.messages import Extra, Offer, Quota, Unsent
from eventscache.storage.options import StorageOptions
from eventscache.storage.redis import RedisStorage
from eventscache.storage.redis.keys import Keys
from eventscache.stream import Namespace, Status, Stream
from eventscache.testing import ManualClock, Writer, error, success
from tests.support.redis_server import RedisServer

TOKEN = Stream(Namespace.TOKEN, "key")


def documented_bytes(count: int, length: int, *, errors: bool, limited: bool) -> float:
    """Return the bytes that a stream takes at most by the documentation, for an id of three letters."""
    collection = 450 + count * (1.04 * length + 40)
    return 700 + 5 * 3 + collection * (1 + errors) + (2_500 if limited else 0)


@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize("errors", [False, True])
@pytest.mark.parametrize(("count", "length"), [*itertools.product((1, 10, 100, 1_000), (50, 100, 500, 3_000, 20_000))])
async def test_a_stream_takes_no_more_memory_than_documented(
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
            await writers[second % 3].insert(kind(b"limited"), all=Unsent(surplus=10**6), error=Unsent(surplus=10**6))
    used = sum(admin.memory_usage(key, samples=0) or 0 for key in Keys("eventscache").all(TOKEN))
    assert used <= documented_bytes(count, length + 2, errors=errors, limited=limited)
    assert documented_bytes(count, length + 2, errors=errors, limited=limited) <= 1.3 * used + 3_000, (
        "the documentation does not exaggerate"
    )


def documented_bytes_of_extras(collections: int, count: int, length: int) -> float:
    """Return the bytes that extra collections take besides, for names of up to 40 letters."""
    return 250 + collections * (240 + count * (1.15 * length + 190))


@pytest.mark.parametrize(
    ("name", "collections", "count"),
    [
        *(("type:{:020}", *case) for case in ((1, 1), (1, 5), (5, 5), (50, 5), (50, 1), (20, 100))),
        *(("group:{:032}", *case) for case in ((1, 1), (1, 3), (100, 3))),
        ("scope:{:020}", 2, 1000),
    ],
)
@pytest.mark.parametrize("length", [50, 500, 3_000, 20_000])
async def test_extra_collections_take_no_more_memory_than_documented(
    redis_server: RedisServer, admin: redis.Redis, name: str, collections: int, count: int, length: int
) -> None:
    quota = Quota(count, 3600 * MICROSECONDS)
    async with RedisStorage.from_url(redis_server.storage_url, StorageOptions(timeout_seconds=60)) as storage:
        writer = Writer(storage, TOKEN, Quota(1, MICROSECONDS))
        for number in range(collections):
            offers = [Offer(b"%06d".ljust(length, b"x") % index, Status.SUCCESS, False) for index in range(count)]
            await writer.insert(offers, extras={name.format(number): Extra(quota, collections, range(count))})
    keys = Keys("eventscache")
    used = sum(admin.memory_usage(key, samples=0) or 0 for key in set(keys.all(TOKEN)) - set(keys.lists(TOKEN)))
    documented = documented_bytes_of_extras(collections, count, length + 2)
    assert used <= documented
    assert documented <= 2 * used + 3_000, "the documentation does not exaggerate"
