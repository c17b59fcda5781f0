"""The servers behind a client: which of them serves a key, and how it is called."""

import abc
import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple, TypeVar

from redis import exceptions as driver
from redis.asyncio import Redis, RedisCluster

from eventscache.errors import StorageError, StorageUnavailable
from eventscache.storage.redis.connect import Client, disconnect
from eventscache.storage.redis.driver_internals import (
    Conversation,
    DetachableConnection,
    close_cluster_nodes,
    conversation,
)
from eventscache.storage.redis.node import Node
from eventscache.storage.redis.pipelined_connection import PipelinedConnection
from eventscache.storage.redis.refusals import CommandRefused

_SOON_SHARE = 0.2  # of the time that a try may take

T = TypeVar("T")
Call = Callable[[], Awaitable[T]]


class Primary(NamedTuple):
    """A server that takes writes: how this process sees it, and how it is reached."""

    node: Node
    send: Callable[..., Awaitable[Any]]
    """Sends it one command, and returns the reply."""
    conversation: Callable[[], AbstractAsyncContextManager[Conversation]]
    serves: Callable[[str], bool]
    """Whether it serves a key, as far as that is known."""


class Topology(abc.ABC):
    """Calls servers with a bound on time and number, fails at once while they are away, and completes every write."""

    def __init__(self, client: Client, max_calls: int, timeout_seconds: float) -> None:
        self.client: Any = client
        self.insert_connection: PipelinedConnection | None = None
        self.read_connection: PipelinedConnection | None = None  # a separate one: long replies do not delay inserts
        self._max_calls = max_calls
        self._timeout_seconds = timeout_seconds
        self._nodes: dict[str, Node] = {}
        self._writes: set[asyncio.Task[Any]] = set()

    @abc.abstractmethod
    def node_of(self, key: str) -> Node:
        """Return the server that serves a key, or a placeholder while that is unknown."""

    @abc.abstractmethod
    async def primaries(self) -> list[Primary]:
        """Return all primaries."""

    def group_by_node(self, values: Iterable[T], key_of: Callable[[T], str]) -> list[list[T]]:
        """Return values grouped by the server that serves their key."""
        groups: dict[str, list[T]] = {}
        for value in values:
            groups.setdefault(self.node_of(key_of(value)).name, []).append(value)
        return [*groups.values()]

    async def reconnect(self) -> None:  # noqa: B027 - the client of a Cluster does it itself
        """Replace idle connections: they may lead to a server that is no longer the right one."""

    async def close(self) -> None:
        """Wait for the writes in progress, at most as long as one may take, and disconnect."""
        if self._writes:
            await asyncio.wait(self._writes, timeout=self._timeout_seconds)
        await self.client.aclose()

    @property
    def nodes_away(self) -> int:
        """How many servers are not called now, because they failed."""
        return sum(node.is_away for node in self._nodes.values())

    @property
    def nodes_refusing(self) -> int:
        """How many servers answer, but take no events now."""
        return sum(node.refuses for node in self._nodes.values())

    def _node(self, name: str) -> Node:
        node = self._nodes.get(name)
        if node is None:
            node = self._nodes[name] = Node(name, self._max_calls, self._timeout_seconds)
        return node

    async def read(self, key: str, call: Call[T]) -> T:
        """Run a call that changes nothing; once more if its connection broke soon, as one that was idle does."""
        began = time.monotonic()
        try:
            return await self._run(self.node_of(key), call, ambiguous=False)
        except StorageUnavailable as error:
            late = time.monotonic() - began > _SOON_SHARE * self._timeout_seconds
            if late or not isinstance(error.__cause__, driver.ConnectionError):
                raise
        return await self._run(self.node_of(key), call, ambiguous=False)

    async def read_in_transaction(self, key: str, commands: Sequence[tuple[Any, ...]]) -> list[Any] | None:
        """Run short commands that change nothing in one transaction, on the server of a key.

        Return a reply to each, which can be an error. Return None if there is no pipelined connection, or if none of
        the commands was run, for example because the user may not use transactions.
        """
        connection = self.read_connection
        if connection is None:
            return None
        try:
            return await self.read(key, lambda: connection.transaction(*commands))
        except CommandRefused:
            return None
        except StorageUnavailable:
            raise
        except StorageError:
            return None

    async def read_many(self, key: str, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Run commands that change nothing, on the server of a key; return a reply to each, which can be an error.

        Uses a transaction if possible, because the driver's pipeline takes several times as long.
        """

        def run_pipeline() -> Any:
            pipeline = self.client.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            return pipeline.execute(raise_on_error=False)

        replies = await self.read_in_transaction(key, commands)
        return await self.read(key, run_pipeline) if replies is None else replies

    async def write(self, key: str, call: Call[T], *, ambiguous: bool = True, frees_memory: bool = False) -> T:
        """Run a call to its end, even if the caller is cancelled meanwhile.

        `ambiguous` says whether it matters if a call without an answer was carried out. A call that `frees_memory` is
        allowed on a server that is too full.
        """
        node = self.node_of(key)
        if not frees_memory:
            node.require_writable()
        running: Coroutine[Any, Any, T] = self._run(node, call, ambiguous=ambiguous)
        task = asyncio.ensure_future(running)
        self._writes.add(task)
        task.add_done_callback(self._on_write_done)
        return await asyncio.shield(task)

    async def insert(self, key: str, call: Callable[[Any], Awaitable[T]]) -> T:
        """Run a call that writes, like `write`; the call gets the client or the pipelined connection to use."""
        connection = self.insert_connection
        if connection is None:
            return await self.write(key, lambda: call(self.client))
        node = self.node_of(key)
        node.require_writable()
        return await self._run(node, lambda: call(connection), ambiguous=True)

    def _on_write_done(self, task: "asyncio.Task[Any]") -> None:
        self._writes.discard(task)
        if not task.cancelled():
            task.exception()  # mark it as retrieved: a cancelled caller does not do so

    async def _run(self, node: Node, call: Call[T], *, ambiguous: bool) -> T:
        try:
            async with node.call(ambiguous=ambiguous):
                return await call()
        except CommandRefused as refused:
            if not (ambiguous and refused.inside_script):
                raise
            node.forbidden = str(refused)  # until the next probe: each try would do the first half again
            raise StorageUnavailable(str(refused), ambiguous=True) from refused
        except StorageUnavailable as error:
            if isinstance(error.__cause__, (driver.TimeoutError, driver.ReadOnlyError, driver.ConnectionError)):
                await self.reconnect()
            raise

    async def ping(self) -> None:
        """Return if one of the servers answers, else raise the error of the last one."""
        error: StorageUnavailable | None = None
        for primary in await self.primaries():
            try:
                async with primary.node.call(ambiguous=False):
                    await primary.send("PING")
                    return
            except StorageUnavailable as unavailable:
                error = unavailable
        raise error or StorageUnavailable(
            "no server of the Redis Cluster is known: check the addresses in eventscache.storage", ambiguous=False
        )


class SingleServer(Topology):
    """One server, or the one that Sentinels name as the master."""

    def __init__(self, client: Client, max_calls: int, timeout_seconds: float) -> None:
        super().__init__(client, max_calls, timeout_seconds)
        pool = self.client.connection_pool
        if issubclass(pool.connection_class, DetachableConnection):  # not so for a client that was made elsewhere
            self.insert_connection = PipelinedConnection(pool, timeout_seconds)
            self.read_connection = PipelinedConnection(pool, timeout_seconds)

    def node_of(self, key: str) -> Node:  # noqa: ARG002
        """See `Topology.node_of`."""
        return self._node("Redis")

    def group_by_node(self, values: Iterable[T], key_of: Callable[[T], str]) -> list[list[T]]:  # noqa: ARG002
        """See `Topology.group_by_node`."""
        group = [*values]
        return [group] if group else []

    async def primaries(self) -> list[Primary]:
        """See `Topology.primaries`."""
        return [
            Primary(
                self._node("Redis"),
                self.client.execute_command,
                functools.partial(conversation, self.client),
                lambda _: True,
            )
        ]

    def _pipelined(self) -> list[PipelinedConnection]:
        return [connection for connection in (self.insert_connection, self.read_connection) if connection]

    async def reconnect(self) -> None:
        """See `Topology.reconnect`."""
        for connection in self._pipelined():
            connection.reconnect()
        await self.client.connection_pool.disconnect(inuse_connections=False)

    async def close(self) -> None:
        """See `Topology.close`."""
        for connection in self._pipelined():
            await connection.close()
        await super().close()
        await disconnect(self.client)


class Cluster(Topology):
    """The primaries of a Redis Cluster, each of which serves its own slots."""

    def node_of(self, key: str) -> Node:
        """See `Topology.node_of`."""
        try:
            return self._node(self.client.get_node_from_key(key).name)
        except driver.SlotNotCoveredError:  # the slots are not known yet, or no server serves this one
            return self._node("Redis Cluster")

    async def primaries(self) -> list[Primary]:
        """See `Topology.primaries`."""
        if not self.client.get_primaries():
            async with self._node("Redis Cluster").call(ambiguous=False):
                await self.client.initialize()
        return [self._primary(primary) for primary in self.client.get_primaries()]

    async def close(self) -> None:
        """See `Topology.close`."""
        await super().close()
        await close_cluster_nodes(self.client)

    def _primary(self, cluster_node: Any) -> Primary:
        async def send(*command: Any) -> Any:
            return await self.client.execute_command(*command, target_nodes=cluster_node)

        node = self._node(cluster_node.name)
        return Primary(
            node,
            send,
            functools.partial(conversation, self.client, cluster_node),
            lambda key: self.node_of(key) is node,
        )


def topology_of(client: Client | Redis, max_calls: int, timeout_seconds: float) -> Topology:
    """Return the topology of a client, which makes at most `max_calls` at a time to each server."""
    kind = Cluster if isinstance(client, RedisCluster) else SingleServer
    return kind(client, max_calls, timeout_seconds)
