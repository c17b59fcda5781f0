import pytest

from tests.support.fake_clock import FakeClock
from tests.support.redis_server import RedisServer
from tests.support.sidecar import Sidecar, Start


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["memory", "redis"])
async def clocked(request: pytest.FixtureRequest, start: Start, clock: FakeClock) -> Sidecar:
    """Return a sidecar whose live view ticks with `clock`."""
    if request.param == "memory":
        return await start(clock=clock)
    servers: dict[str, RedisServer] = request.getfixturevalue("redis_servers")
    url = servers[max(servers)].storage_url
    return await start(url, clock=clock, prefix=f"eventscache:push-{id(request)}")
