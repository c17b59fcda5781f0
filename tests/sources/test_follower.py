"""The lease of a source, and what happens around it: one process follows, and goes on after errors."""

import asyncio
from collections.abc import Callable

import pytest
import structlog

from eventscache.cache import EventsCache
from eventscache.errors import StorageUnavailable
from eventscache.sources.base import SourceOptions
from eventscache.sources.feed import Feed
from eventscache.sources.follower import Follower, SourceUnavailable
from eventscache.storage.checkpoints import LocalCheckpoints
from eventscache.storage.lease import LEASE_SECONDS, RENEW_SECONDS, Lease, LeaseLost
from eventscache.storage.memory import MemoryStorage
from tests.support.cache_bench import until
from tests.support.fake_clock import FakeClock

TAKEOVER_SECONDS = 5.0


class Place(Follower):
    """Follows a place that does what a test wants."""

    def __init__(self, faults: list[Exception] | None = None) -> None:
        super().__init__()
        self.faults = faults or []
        self.follows = 0
        self.released = 0

    @classmethod
    def from_config(cls, value: object, options: SourceOptions) -> "Place":
        raise NotImplementedError

    @property
    def place(self) -> str:
        return "a place"

    async def follow(self, feed: Feed) -> None:
        self.follows += 1
        if self.faults:
            raise self.faults.pop(0)
        feed.reached()
        await asyncio.Event().wait()

    async def release(self) -> None:
        self.released += 1


class Checkpoints(LocalCheckpoints):
    """On the clock of a test; they can be away."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(lambda: int(clock.now() * 1_000_000))
        self.away = False

    async def hold(self, owner: str, seconds: float) -> bool:
        if self.away:
            raise StorageUnavailable("away")
        return await super().hold(owner, seconds)


def feed_of(clock: FakeClock, checkpoints: LocalCheckpoints) -> Feed:
    return Feed("place", "a place", EventsCache(MemoryStorage()), checkpoints, clock)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def test_the_lease_is_renewed_in_time_and_lost_when_another_has_it(clock: FakeClock) -> None:
    checkpoints = Checkpoints(clock)
    lease, other = Lease(checkpoints, clock), Lease(checkpoints, clock)
    with pytest.raises(LeaseLost):
        lease.require()
    assert await lease.acquire()
    assert not await other.acquire()
    running = asyncio.create_task(lease.run(asyncio.Event().wait))  # type: ignore[arg-type]
    await clock.advance(10)
    lease.require()
    assert not await other.acquire()
    # It was frozen: another process took over meanwhile, and it must not go on.
    clock.time += LEASE_SECONDS
    with pytest.raises(LeaseLost):
        lease.require()
    assert await other.acquire()
    await clock.end_sleep()
    with pytest.raises(LeaseLost):
        await running
    assert await other.acquire()


async def test_a_storage_that_is_away_for_longer_than_the_lease_ends_it(clock: FakeClock) -> None:
    checkpoints = Checkpoints(clock)
    lease = Lease(checkpoints, clock)
    await lease.acquire()
    running = asyncio.create_task(lease.run(asyncio.Event().wait))  # type: ignore[arg-type]
    checkpoints.away = True
    await clock.advance()
    lease.require()
    await clock.advance()
    await clock.end_sleep()
    with pytest.raises(LeaseLost):
        await running


async def test_the_next_process_takes_over_within_five_seconds_of_a_crash(clock: FakeClock) -> None:
    checkpoints = Checkpoints(clock)
    crashed = Lease(checkpoints, clock)
    assert await crashed.acquire()
    began = clock.time
    place = Place()
    await place.start(feed_of(clock, checkpoints))
    while not place.follows:
        await clock.advance()
    assert clock.time - began <= LEASE_SECONDS + RENEW_SECONDS <= TAKEOVER_SECONDS
    await place.stop()


@pytest.mark.parametrize(
    ("fault", "message", "kind"),
    [
        (lambda: SourceUnavailable("no answer"), "source not followed, trying again", "unavailable"),
        (lambda: StorageUnavailable("away"), "source not followed, trying again", ""),
        (lambda: RuntimeError("a bug"), "source failed, trying again", "internal"),
    ],
)
async def test_after_errors_it_goes_on_and_each_state_is_logged_once(
    clock: FakeClock, fault: Callable[[], Exception], message: str, kind: str
) -> None:
    place = Place([fault() for _ in range(4)])
    feed = feed_of(clock, Checkpoints(clock))
    with structlog.testing.capture_logs() as log:
        await place.start(feed)
        while place.follows < 5:
            await clock.advance()
        await until(lambda: feed.counts.following)
    assert [entry["event"] for entry in log] == [message, "source followed"]
    assert {name: count for name, count in feed.counts.errors.items() if count} == ({kind: 4} if kind else {})
    assert place.released == 4
    await place.stop()
    await place.stop()
    assert not feed.counts.following
    assert await Lease(feed.lease._checkpoints, clock).acquire()  # it was given back
