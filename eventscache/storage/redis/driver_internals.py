"""What this package uses of redis-py beyond its documented interface, in one place, and a check that it exists."""

import asyncio
from typing import Any

import redis
from redis import exceptions as driver
from redis.asyncio.cluster import NodesManager
from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection

from eventscache.errors import ConfigError

SUPPORTED_VERSIONS = "redis>=8.1,<9"
"""As in `setup.cfg`."""
_CONNECTION_ATTRIBUTES = ("_reader", "_writer")  # of `AbstractConnection`, set by `connect`
_METHODS = ((ConnectionPool, "make_connection"), (NodesManager, "aclose"))


class DetachableConnection(AbstractConnection):
    """A connection of the driver's that can be taken away from it once it is connected."""

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
