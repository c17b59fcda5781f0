"""The servers behind a client, however many there are: who serves a key, and how one is called."""

import abc
import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from redis import exceptions as driver
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.sentinel import SentinelConnectionPool

from eventscache.errors import StorageError, StorageUnavailable
from eventscache.storage.redis.connect import Client, DetachableConnection
from eventscache.storage.redis.node import Node
from eventscache.storage.redis.pipelined_connection import PipelinedConnection

T = TypeVar("T")
Call = Callable[[], Awaitable[T]]


class Topology(abc.ABC):
    """Calls servers by the rules: bounded, failing fast, and never leaving a write half way."""

    def __init__(self, client: Client, calls: int, timeout_seconds: float) -> None:
        self.client: Any = client
        self.pipe: PipelinedConnection | None = None  # that inserts go through
        self.read_pipe: PipelinedConnection | None = None  # another one, as what is read can be long
        self._calls = calls
        self._timeout_seconds = timeout_seconds
        self._nodes: dict[str, Node] = {}
        self._writes: set[asyncio.Task[Any]] = set()

    @abc.abstractmethod
    def node_of(self, key: str) -> Node:
        """Return the server that serves a key, as far as is known."""

    @abc.abstractmethod
    async def each_node(self) -> list[tuple[Node, Callable[..., Awaitable[Any]]]]:
        """Return all primaries, and for each how a command is sent to it."""

    def by_node(self, things: Iterable[T], key_of: Callable[[T], str]) -> list[list[T]]:
        """Return things grouped by the server that serves their key."""
        groups: dict[str, list[T]] = {}
        for thing in things:
            groups.setdefault(self.node_of(key_of(thing)).name, []).append(thing)
        return [*groups.values()]

    async def renew(self) -> None:  # noqa: B027 - a Cluster's client does so itself
        """Let go of idle connections: they may lead to a server that is the right one no more."""

    async def close(self) -> None:
        """Wait for the writes under way, as long as one may take, and disconnect."""
        if self._writes:
            await asyncio.wait(self._writes, timeout=self._timeout_seconds)
        await self.client.aclose()

    def _node(self, name: str) -> Node:
        node = self._nodes.get(name)
        if node is None:
            node = self._nodes[name] = Node(name, self._calls, self._timeout_seconds)
        return node

    async def read(self, key: str, call: Call[T]) -> T:
        """Run a call that changes nothing; one that met a broken connection is tried again, once."""
        try:
            return await self._run(self.node_of(key), call, ambiguous=False)
        except StorageUnavailable as fault:
            if not isinstance(fault.__cause__, driver.ConnectionError):
                raise
        return await self._run(self.node_of(key), call, ambiguous=False)

    async def read_at_once(self, key: str, commands: Sequence[tuple[Any, ...]]) -> list[Any] | None:
        """Run short commands that change nothing in one transaction, on the server of a key.

        Return a reply to each, some of them errors; None if there is no pipe, or if none of them was run, as for a
        user who may not use transactions.
        """
        pipe = self.read_pipe
        if pipe is None:
            return None
        try:
            return await self.read(key, lambda: pipe.transaction(*commands))
        except StorageUnavailable:
            raise
        except StorageError:
            return None

    async def read_many(self, key: str, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Run commands that change nothing, on the server of a key; return a reply to each, some of them errors.

        In one transaction if possible: the driver's pipeline takes several times as long.
        """

        def pipelined() -> Any:
            pipeline = self.client.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            return pipeline.execute(raise_on_error=False)

        replies = await self.read_at_once(key, commands)
        return await self.read(key, pipelined) if replies is None else replies

    async def write(self, key: str, call: Call[T], *, ambiguous: bool = True, frees: bool = False) -> T:
        """Run a call to its end, even if the caller is cancelled meanwhile.

        `ambiguous` says whether it matters if a call that got no answer was carried out; one that `frees` memory is
        welcome on a server that is too full.
        """
        node = self.node_of(key)
        if not frees:
            node.require_room()
        running: Coroutine[Any, Any, T] = self._run(node, call, ambiguous=ambiguous)
        task = asyncio.ensure_future(running)
        self._writes.add(task)
        task.add_done_callback(self._written)
        return await asyncio.shield(task)

    async def insert(self, key: str, call: Callable[[Any], Awaitable[T]]) -> T:
        """Run a call that writes, as `write` does, on the client or the pipe that it is given."""
        pipe = self.pipe
        if pipe is None:
            return await self.write(key, lambda: call(self.client))
        node = self.node_of(key)
        node.require_room()
        return await self._run(node, lambda: call(pipe), ambiguous=True)

    def _written(self, task: "asyncio.Task[Any]") -> None:
        self._writes.discard(task)
        if not task.cancelled():
            task.exception()  # who was cancelled does not ask for it any more

    async def _run(self, node: Node, call: Call[T], *, ambiguous: bool) -> T:
        try:
            async with node.call(ambiguous=ambiguous):
                return await call()
        except StorageUnavailable as fault:
            if isinstance(fault.__cause__, (driver.TimeoutError, driver.ReadOnlyError, driver.ConnectionError)):
                await self.renew()
            raise

    async def ping(self) -> None:
        """Return if a server answers; raise what the last of them had to say otherwise."""
        fault: StorageUnavailable | None = None
        for node, send in await self.each_node():
            try:
                async with node.call(ambiguous=False):
                    await send("PING")
                    return
            except StorageUnavailable as unavailable:
                fault = unavailable
        raise fault or StorageUnavailable("no server is known", ambiguous=False)


class SingleServer(Topology):
    """One server, or the one that Sentinels call master."""

    def __init__(self, client: Client, calls: int, timeout_seconds: float) -> None:
        super().__init__(client, calls, timeout_seconds)
        pool = self.client.connection_pool
        if issubclass(pool.connection_class, DetachableConnection):  # a client of somebody else's has others
            self.pipe, self.read_pipe = (
                PipelinedConnection(pool, timeout_seconds),
                PipelinedConnection(pool, timeout_seconds),
            )

    def node_of(self, key: str) -> Node:  # noqa: ARG002
        """See `Topology.node_of`."""
        return self._node("Redis")

    def by_node(self, things: Iterable[T], key_of: Callable[[T], str]) -> list[list[T]]:  # noqa: ARG002
        """See `Topology.by_node`."""
        group = [*things]
        return [group] if group else []

    async def each_node(self) -> list[tuple[Node, Callable[..., Awaitable[Any]]]]:
        """See `Topology.each_node`."""
        return [(self._node("Redis"), self.client.execute_command)]

    def _pipes(self) -> list[PipelinedConnection]:
        return [pipe for pipe in (self.pipe, self.read_pipe) if pipe]

    async def renew(self) -> None:
        """See `Topology.renew`."""
        for pipe in self._pipes():
            await pipe.renew()
        await self.client.connection_pool.disconnect(inuse_connections=False)

    async def close(self) -> None:
        """See `Topology.close`."""
        for pipe in self._pipes():
            await pipe.close()
        await super().close()
        pool = self.client.connection_pool
        await pool.disconnect()
        if isinstance(pool, SentinelConnectionPool):
            await pool.sentinel_manager.aclose()


class Cluster(Topology):
    """The primaries of a Redis Cluster, each with its own slots."""

    def node_of(self, key: str) -> Node:
        """See `Topology.node_of`."""
        try:
            return self._node(self.client.get_node_from_key(key).name)
        except driver.SlotNotCoveredError:  # nothing was learned yet, or nobody serves it
            return self._node("Redis Cluster")

    async def each_node(self) -> list[tuple[Node, Callable[..., Awaitable[Any]]]]:
        """See `Topology.each_node`."""
        if not self.client.get_primaries():
            async with self._node("Redis Cluster").call(ambiguous=False):
                await self.client.initialize()
        return [(self._node(primary.name), self._sender(primary)) for primary in self.client.get_primaries()]

    async def close(self) -> None:
        """See `Topology.close`."""
        await super().close()
        # After a broken connection redis-py believes that it is closed, and leaves the others open.
        await self.client.nodes_manager.aclose()
        await self.client.nodes_manager.aclose("startup_nodes")

    def _sender(self, primary: Any) -> Callable[..., Awaitable[Any]]:
        async def send(*command: Any) -> Any:
            return await self.client.execute_command(*command, target_nodes=primary)

        return send


def topology_of(client: Client | Redis, calls: int, timeout_seconds: float) -> Topology:
    """Return the servers behind a client; at most `calls` are made to each at a time."""
    kind = Cluster if isinstance(client, RedisCluster) else SingleServer
    return kind(client, calls, timeout_seconds)
