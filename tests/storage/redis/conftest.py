"""A client for looking at the keys of an empty Redis."""

import pytest

from tests.support.redis_server import RedisServer


@pytest.fixture
def admin(redis_server: RedisServer):
    with redis_server.client(decode_responses=False) as client:
        client.flushall()
        yield client
        client.flushall()
