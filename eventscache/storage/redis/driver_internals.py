"""What this package uses of redis-py beyond its documented interface, in one place, and a check that it exists."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

import redis
from redis import exceptions as driver
from redis.asyncio.cluster import ClusterNode, NodesManager, RedisCluster
from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection

from eventscache.errors import ConfigError

# The texts of redis-py for a connection that the other side ended, or on which it said what is no RESP.
_BROKE = re.compile(
    r"Connection closed by server|Error (?:\S+ )?while (?:reading|writing)|Protocol error|Connection lost"
)
SUPPORTED_VERSIONS = "redis>=8.1,<9"
"""As in `setup.cfg`."""
_CONNECTION_ATTRIBUTES = ("_reader", "_writer")  # of `AbstractConnection`, set by `connect`
_METHODS = (
    (ConnectionPool, "make_connection"),
    (NodesManager, "aclose"),
    (NodesManager, "move_node_to_end_of_cached_nodes"),
    (ClusterNode, "acquire_connection"),
    (ClusterNode, "release"),
    (AbstractConnection, "connect_check_health"),
)


class HandshakeFailed(driver.ConnectionError):
    """A server took a connection, and then said nothing that a Redis says to a login."""


class ClusterClient(RedisCluster):
    """A client of a Cluster that asks the node that failed last for the slots only if no other node tells them.

    All calls wait while it asks. redis-py puts that node at the end too, but then asks in a random order: with a node
    that is frozen, all calls to the others would often wait for its timeout.
    """

    async def initialize(
        self,
        additional_startup_nodes_info: list[tuple[str, int]] | None = None,
        last_failed_node_name: str | None = None,
    ) -> "RedisCluster":
        """Ask for the slots, if they have to be asked for."""
        last = next(reversed(self.nodes_manager.startup_nodes), None)
        return await super().initialize(additional_startup_nodes_info, last_failed_node_name or last)


class DetachableConnection(AbstractConnection):
    """A connection of the driver's that can be taken away from it once it is connected."""

    async def connect_check_health(self, *arguments: Any, **named: Any) -> None:
        """Connect and log in, unless that is done. Raises `HandshakeFailed` if it breaks off before the login."""
        try:
            await super().connect_check_health(*arguments, **named)
        except (driver.InvalidResponse, driver.ConnectionError) as error:
            # Those for a wrong password, too many clients and others have classes or texts of their own.
            if type(error) not in {driver.InvalidResponse, driver.ConnectionError} or not _BROKE.match(str(error)):
                raise
            raise HandshakeFailed(str(error)) from error

    def detach(self) -> asyncio.StreamWriter:
        """Return the writer of the connection; the driver's object has no connection afterwards."""
        writer, self._reader, self._writer = self._writer, None, None
        if writer is None:
            raise driver.ConnectionError("Connection closed")
        return writer


class TcpConnection(DetachableConnection, Connection):
    """A detachable connection to a host and port."""


class TlsConnection(DetachableConnection, SSLConnection):
    """A detachable connection to a host and port over TLS."""


class SocketConnection(DetachableConnection, UnixDomainSocketConnection):
    """A detachable connection to a Unix socket."""


class SentinelConnection(DetachableConnection, SentinelManagedConnection):
    """A detachable connection to the master that Sentinels name."""


class SentinelTlsConnection(DetachableConnection, SentinelManagedSSLConnection):
    """A detachable connection over TLS to the master that Sentinels name."""


async def connect_detached(pool: Any) -> asyncio.StreamWriter:
    """Make a connection outside of the pool, with its login, TLS and Sentinels, and return its writer."""
    connection: DetachableConnection = pool.make_connection()
    await connection.connect()  # type: ignore[no-untyped-call]
    return connection.detach()


class Conversation:
    """Commands on one and the same connection, which is borrowed from the driver."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def send(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Send commands together; return the reply to each, which can be an error."""
        await self._connection.send_packed_command(self._connection.pack_commands(commands))
        replies = []
        for _ in commands:
            try:
                replies.append(await self._connection.read_response())
            except driver.ResponseError as error:
                replies.append(error)
        return replies

    async def hang_up(self) -> None:
        """Disconnect; the driver connects again when it needs the connection."""
        await self._connection.disconnect(nowait=True)


@contextlib.asynccontextmanager
async def conversation(client: Any, cluster_node: Any = None) -> AsyncIterator[Conversation]:
    """Yield a conversation with a node of a Cluster, or with the client's only server.

    One that breaks off ends its connection: a late reply must not be taken for that of another command.
    """
    pool = cluster_node or client.connection_pool
    connection: Any = pool.acquire_connection() if cluster_node else await pool.get_connection()
    conversation = Conversation(connection)
    try:
        yield conversation
    except BaseException:
        await conversation.hang_up()
        raise
    finally:
        released = pool.release(connection)
        if released is not None:  # that of a Cluster's node is no coroutine
            await released


async def close_cluster_nodes(client: Any) -> None:
    """Disconnect a Cluster's client from all nodes.

    After a broken connection the client considers itself closed, and its own `aclose` leaves the others open.
    """
    await client.nodes_manager.aclose()
    await client.nodes_manager.aclose("startup_nodes")


def check_driver() -> None:
    """Raise `ConfigError` if the installed redis-py lacks something that this module uses."""
    connection = Connection()  # connects to nothing yet
    missing = [f"Connection.{name}" for name in _CONNECTION_ATTRIBUTES if not hasattr(connection, name)]
    missing += [f"{owner.__name__}.{name}" for owner, name in _METHODS if not hasattr(owner, name)]
    if missing:
        raise ConfigError(
            f"redis-py {redis.__version__} cannot be used, it has no {', '.join(missing)}: install {SUPPORTED_VERSIONS}"
        )
