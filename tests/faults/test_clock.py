"""A storage whose clock jumps: an hour forward and an hour back."""

from collections.abc import AsyncIterator

import pytest

from eventscache.clock import MICROSECONDS
from eventscache.storage.base import Storage
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Quota
from eventscache.storage.options import StorageOptions
from eventscache.storage.redis import RedisStorage
from eventscache.stream import Namespace, Stream
from eventscache.testing import ManualClock, Writer, numbered, success
from tests.support.redis_server import RedisServer

HOUR_US = 3600 * MICROSECONDS
QUOTA = Quota(20, 60 * MICROSECONDS)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["memory", "redis"])
async def storage(request: pytest.FixtureRequest, clock: ManualClock, tcp_redis: RedisServer) -> AsyncIterator[Storage]:
    options = StorageOptions(now=clock, timeout_seconds=20)
    made = (
        MemoryStorage(options) if request.param == "memory" else RedisStorage.from_url(tcp_redis.storage_url, options)
    )
    async with made:
        yield made


async def admitted(writer: Writer, count: int) -> int:
    admission = await writer.insert(success(*numbered(count)))
    return admission.all.admitted if admission.all else 0


async def test_a_clock_that_steps_forward_admits_one_quota_more(storage: Storage, clock: ManualClock) -> None:
    writer = Writer(storage, Stream(Namespace.TOKEN, "key"), QUOTA)
    assert await admitted(writer, QUOTA.size + 5) == QUOTA.size
    clock.advance(HOUR_US)
    assert await admitted(writer, 2 * QUOTA.size) == QUOTA.size
    clock.advance(1)
    assert await admitted(writer, QUOTA.size) == 0


async def test_a_clock_that_steps_forward_and_back_admits_no_more_than_each_step_alone(
    storage: Storage, clock: ManualClock
) -> None:
    writer = Writer(storage, Stream(Namespace.TOKEN, "key"), QUOTA)
    total = await admitted(writer, 100)
    for step_us in (HOUR_US, -HOUR_US, -HOUR_US, HOUR_US):
        clock.advance(step_us)
        total += await admitted(writer, 100)
    assert total <= 3 * QUOTA.size  # one of them at first, and one for each step forward
