"""The published suite, over every backend of this package."""

import fakeredis
import pytest

from eventscache.conformance.suites.reading import ReadingSuite
from eventscache.storage.base import Storage
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Page, Query
from eventscache.storage.options import StorageOptions
from eventscache.storage.plugins import storage_from_url
from eventscache.storage.redis import RedisStorage
from eventscache.stream import Stream
from eventscache.testing import StorageConformance
from tests.support.otlp_collector import require_opentelemetry
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


class TestTraced(StorageConformance):
    """The memory storage with a span for each call."""

    def storage(self, options: StorageOptions) -> Storage:
        require_opentelemetry()
        from opentelemetry.sdk.trace import TracerProvider

        from eventscache.telemetry.traced_storage import TracedStorage
        from eventscache.telemetry.tracing import Tracing

        class TracedMemory(TracedStorage):
            multiprocess = MemoryStorage.multiprocess

        tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
        return TracedMemory(MemoryStorage(options), Tracing(tracer, 1.0))


class MemoryThatIgnoresBytes(MemoryStorage):
    """Gives all events to a reader that asks for those with some bytes, as a storage may."""

    async def fetch(self, stream: Stream, query: Query) -> Page:
        return await super().fetch(stream, query._replace(containing=b""))


class TestIgnoredBytes(ReadingSuite):
    def storage(self, options: StorageOptions) -> Storage:
        return MemoryThatIgnoresBytes(options)
