"""The published suite, over every backend of this package."""

import fakeredis
import pytest

from eventscache.storage.base import Storage
from eventscache.storage.options import StorageOptions
from eventscache.storage.plugins import storage_from_url
from eventscache.storage.redis import RedisStorage
from eventscache.testing import StorageConformance
from tests.support.redis_server import RedisServer


class TestMemory(StorageConformance):
    def storage(self, options: StorageOptions) -> Storage:
        return storage_from_url("memory://", options)


class TestFakeRedis(StorageConformance):
    @pytest.fixture(autouse=True)
    def _server(self) -> None:
        self.server = fakeredis.FakeServer()

    def storage(self, options: StorageOptions) -> Storage:
        return RedisStorage(fakeredis.FakeAsyncRedis(server=self.server), options)


class TestRedis(StorageConformance):
    @pytest.fixture(autouse=True)
    def _server(self, each_redis_server: RedisServer) -> None:
        self.server = each_redis_server

    def storage(self, options: StorageOptions) -> Storage:
        return storage_from_url(self.server.storage_url, options)
