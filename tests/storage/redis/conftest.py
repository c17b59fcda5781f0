"""The Redis of these tests: each version in turn, and a client that looks at its keys."""

import pytest

from tests.support.redis_server import RedisServer


@pytest.fixture
def redis_server(each_redis_server: RedisServer) -> RedisServer:
    """Each version in turn: scripts, rights, errors and the driver's connections are what these tests are about."""
    return each_redis_server


@pytest.fixture
def admin(redis_server: RedisServer):
    with redis_server.client(decode_responses=False) as client:
        client.flushall()
        yield client
        client.flushall()
