import pytest

from tests.support.redis_server import RedisServer


@pytest.fixture
def redis_server(each_redis_server: RedisServer) -> RedisServer:
    """Each version in turn: scripts, rights, faults and the driver's connections are what these tests are about."""
    return each_redis_server
