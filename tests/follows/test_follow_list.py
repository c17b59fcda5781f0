"""The list of follows, over storages of two servers."""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import pytest

from eventscache.cache import EventsCache
from eventscache.errors import StorageUnavailable
from eventscache.extras.follows import MOST_FOLLOWS, FieldCondition, Follow
from eventscache.follows.follow_list import KEPT_MS, NAME, FollowList, TooManyFollows
from eventscache.storage.checkpoints import Checkpoints, LocalCheckpoints
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Query, Quota
from eventscache.storage.options import StorageOptions
from eventscache.storage.plugins import storage_from_url
from eventscache.stream import Namespace, Stream
from tests.support.fake_clock import FakeClock
from tests.support.redis_server import RedisServer

KEY, OTHER = Stream(Namespace.TOKEN, "key"), Stream(Namespace.TOKEN, "other")
QUOTA = Quota(2, 60_000_000)


def follow(number: int, until_ms: int, **conditions) -> Follow:
    return Follow(str(number), f"name {number}", until_ms, **conditions)


class Servers:
    """Two servers on one storage, and the time for both."""

    def __init__(self, caches: list[EventsCache], lists: list[FollowList], clock: FakeClock) -> None:
        self.caches, self.lists, self.clock = caches, lists, clock

    def after(self, seconds: float) -> int:
        return self.lists[0].now_ms() + int(seconds * 1000)


@pytest.fixture(params=["memory", "redis"])
async def servers(request: pytest.FixtureRequest, redis_server: RedisServer) -> AsyncIterator[Servers]:
    clock = FakeClock()
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            caches = [EventsCache(MemoryStorage(), quota=QUOTA) for _ in range(2)]
            checkpoints: Sequence[Checkpoints] = [LocalCheckpoints()] * 2
        else:
            options = StorageOptions(prefix=f"eventscache:{secrets.token_hex(8)}")
            storages = [storage_from_url(redis_server.storage_url, options) for _ in range(2)]
            caches = [EventsCache(storage, quota=QUOTA) for storage in storages]
            checkpoints = [storage.checkpoints(NAME) for storage in storages]
        for cache in caches:
            await cache.open()
            stack.push_async_callback(cache.close)
        yield Servers(caches, [FollowList(*both, clock) for both in zip(caches, checkpoints, strict=True)], clock)


async def test_what_one_server_follows_all_follow_after_their_next_poll(servers: Servers) -> None:
    here, there = servers.lists
    wanted = follow(1, servers.after(60), ids=("key",), event_type="buy", fields=(FieldCondition(("user", "id"), "7"),))
    await here.add(wanted)
    assert [*here.active] == [wanted]
    await there.poll()
    assert there.active == there.follows == (wanted,)

    assert await there.end("1")
    assert not await there.end("2")
    await here.poll()
    assert [*here.active] == []
    assert [ended.id for ended in here.follows] == ["1"]


async def test_matching_events_are_kept_past_the_rate_limit(servers: Servers) -> None:
    cache, follows = servers.caches[0], servers.lists[0]
    await follows.add(follow(1, servers.after(60), fields=(FieldCondition(("user",), "ann"),)))
    for number in range(50):
        cache.offer_originals(KEY, [b'{"n":%d,"user":"%s"}' % (number, b"ann" if number % 5 == 0 else b"bob")])
    cache.offer_originals(OTHER, [b'{"n":50,"user":"ann"}'])
    page = await cache.fetch(KEY, Query(extra="follow:1"))
    assert [event.original for _, event in page.events] == [b'{"n":%d,"user":"ann"}' % n for n in range(45, -1, -5)]
    assert len((await cache.fetch(KEY, Query())).events) == 2
    assert (await cache.fetch(OTHER, Query(extra="follow:1"))).total == 1

    servers.clock.time += 61
    await follows.poll()
    cache.offer_originals(KEY, [b'{"n":51,"user":"ann"}'])
    assert (await cache.fetch(KEY, Query(extra="follow:1"))).total == 10
    assert cache.ledger.balanced


async def test_an_hour_after_its_end_the_events_of_a_follow_are_removed(servers: Servers) -> None:
    cache, (here, there) = servers.caches[0], servers.lists
    await here.add(follow(1, servers.after(1), ids=("key",)))
    await here.add(follow(2, servers.after(10_000)))
    cache.offer_originals(KEY, [b"{}"])
    servers.clock.time += 1 + KEPT_MS / 1000 - 0.1
    await here.poll()
    await here.clean()
    assert (await cache.fetch(KEY, Query(extra="follow:1"))).total == 1

    servers.clock.time += 0.2
    await here.clean()
    assert (await cache.fetch(KEY, Query(extra="follow:1"))).total == 0
    assert (await cache.fetch(KEY, Query(extra="follow:2"))).total == 1
    await there.poll()
    assert [kept.id for kept in there.follows] == ["2"]


async def test_no_more_follows_are_active_than_allowed(servers: Servers) -> None:
    here, there = servers.lists
    for number in range(MOST_FOLLOWS):
        await (here, there)[number % 2].add(follow(number, servers.after(60)))
    with pytest.raises(TooManyFollows):
        await here.add(follow(100, servers.after(60)))
    assert await here.end("3")
    await there.add(follow(100, servers.after(60)))
    assert len(there.active) == MOST_FOLLOWS


async def test_the_list_never_grows(servers: Servers) -> None:
    follows = servers.lists[0]
    for number in range(150):
        await follows.add(follow(number, servers.after(60)))
        await follows.end(str(number))
        servers.clock.time += 1
    await follows.poll()
    assert len(follows.follows) <= 100
    assert follows.follows[-1].id == "149"


async def test_while_the_storage_is_away_the_last_list_is_used_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, checkpoints = FakeClock(), LocalCheckpoints()
    cache = EventsCache(MemoryStorage(), quota=QUOTA)
    follows = FollowList(cache, checkpoints, clock)
    await follows.add(follow(1, follows.now_ms() + 5000))

    async def fails(*_: object) -> None:
        raise StorageUnavailable("away", ambiguous=False)

    monkeypatch.setattr(checkpoints, "load", fails)
    await follows.poll()
    assert len(follows.active) == 1
    clock.time += 6
    await follows.poll()
    assert not follows.active


async def test_garbage_in_the_list_is_no_follow() -> None:
    checkpoints = LocalCheckpoints()
    await checkpoints.hold("me", 60)
    await checkpoints.save("me", {b"1": b"garbage", b"2": b'{"id":2}'})
    await checkpoints.hold("me", 0)
    follows = FollowList(EventsCache(MemoryStorage()), checkpoints, FakeClock())
    await follows.poll()
    assert follows.follows == ()
