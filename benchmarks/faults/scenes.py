"""What a measured sidecar stores in: one Redis, one behind a proxy, one behind Sentinels, a Cluster."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.servers import LOAD_CORE, pinned
from tests.support.fault_proxy import FaultProxy
from tests.support.redis_cluster import Cluster
from tests.support.redis_sentinel import SentinelTrio
from tests.support.redis_server import NEWEST, RedisServer, binary_of, free_port, short_folder


class Scene:
    """The servers of one measurement; which of them there are depends on its kind."""

    def __init__(
        self,
        url: str,
        servers: list[RedisServer],
        *,
        proxy: FaultProxy | None = None,
        trio: SentinelTrio | None = None,
        cluster: Cluster | None = None,
    ) -> None:
        self.url = url
        self.servers = servers
        self._proxy, self._trio, self._cluster = proxy, trio, cluster

    @property
    def server(self) -> RedisServer:
        """The first Redis."""
        return self.servers[0]

    @property
    def proxy(self) -> FaultProxy:
        """The proxy before it."""
        assert self._proxy
        return self._proxy

    @property
    def trio(self) -> SentinelTrio:
        """The Sentinels, and their servers."""
        assert self._trio
        return self._trio

    @property
    def cluster(self) -> Cluster:
        """The Cluster."""
        assert self._cluster
        return self._cluster

    async def ask(self, *command: str | int) -> object:
        """Run a command on the first Redis."""
        return await asyncio.to_thread(self.server.ask, *command)


@contextmanager
def _started(make: Callable[[str, Path], Any]) -> Iterator[Any]:
    with short_folder() as folder:
        servers = make(binary_of(NEWEST), folder)
        with pinned(LOAD_CORE):
            servers.start()
        try:
            yield servers
        finally:
            servers.stop()


@asynccontextmanager
async def single() -> AsyncIterator[Scene]:
    """Start one Redis."""
    with _started(lambda binary, folder: RedisServer(binary, folder, port=free_port())) as server:
        yield Scene(server.storage_url, [server])


@asynccontextmanager
async def proxied() -> AsyncIterator[Scene]:
    """Start one Redis behind a proxy that can do what networks do."""
    async with AsyncExitStack() as stack:
        scene = await stack.enter_async_context(single())
        proxy = await stack.enter_async_context(FaultProxy(scene.server))
        yield Scene(proxy.storage_url, scene.servers, proxy=proxy)


@asynccontextmanager
async def sentinels() -> AsyncIterator[Scene]:
    """Start a master, a replica, and three Sentinels."""
    with _started(SentinelTrio) as trio:
        yield Scene(trio.storage_url, trio.servers, trio=trio)


@asynccontextmanager
async def cluster() -> AsyncIterator[Scene]:
    """Start a Cluster of three nodes without replicas."""
    with _started(Cluster) as nodes:
        yield Scene(nodes.storage_url, nodes.nodes, cluster=nodes)


MakeScene = Callable[[], AbstractAsyncContextManager[Scene]]
