"""Makes a client of redis-py from a URL: for one server, for the master that Sentinels name, or for a Cluster."""

from typing import Any
from urllib.parse import unquote

import redis.asyncio
from redis import exceptions as driver
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff

from eventscache.errors import ConfigError
from eventscache.storage.options import StorageOptions
from eventscache.storage.redis.driver_internals import (
    ClusterClient,
    SentinelConnection,
    SentinelTlsConnection,
    SocketConnection,
    TcpConnection,
    TlsConnection,
    check_driver,
)
from eventscache.storage.redis.url import RedisUrl, database_number, encoding_hint, parse_url

Client = redis.asyncio.Redis | redis.asyncio.RedisCluster

_FORMS = {
    "redis": "redis://[[user]:password@]host[:port][/database]",
    "unix": "unix://[[user]:password@]/path/to/socket[?db=database]",
    "sentinel": "sentinel://master[:password]@host[:port],host[:port]...[/database]",
    "redis+cluster": "redis+cluster://[[user]:password@]host[:port],host[:port]...",
}
_TLS = {"rediss": "redis", "sentinels": "sentinel", "rediss+cluster": "redis+cluster"}
_SENTINEL_PORT, _REDIS_PORT = 26379, 6379
_SINGLE_ARGUMENTS = {"db": database_number}
_SENTINEL_ARGUMENTS = {"username": str, "sentinel_username": str, "sentinel_password": str}


def client_from_url(url: str, options: StorageOptions, connections: int) -> Client:
    """Return a client with at most that many connections to each server. Nothing is contacted yet.

    It tries each call once, for `options.timeout_seconds`: only the caller of the storage tries again, with the same
    batch number. Raises `ConfigError` if the driver or the URL cannot be used; its text names no part of the URL but
    the scheme.
    """
    check_driver()
    scheme = url.partition(":")[0]
    form = _TLS.get(scheme, scheme)
    common: dict[str, Any] = {
        "socket_timeout": options.timeout_seconds,
        "socket_connect_timeout": options.timeout_seconds,
        "max_connections": connections,
        "retry": Retry(NoBackoff(), 0),
    }
    make = {"sentinel": _sentinel, "redis+cluster": _cluster, "unix": _socket}.get(form, _single)
    try:
        return make(url, scheme in _TLS, common)
    except (ValueError, TypeError, OSError, driver.RedisError, driver.RedisClusterException) as error:
        # Their texts can hold a part of the password, except for that of a missing file.
        reason = f": {error.strerror}" if isinstance(error, OSError) else ""
        expected = _FORMS[form].replace(form, scheme, 1)
        raise ConfigError(f"not a usable Redis URL{reason}; it is {expected}{encoding_hint(url)}") from None


async def disconnect(client: redis.asyncio.Redis) -> None:
    """Close all connections of a client that is not one of a Cluster; they are opened again when they are needed."""
    pool: Any = client.connection_pool
    await pool.disconnect()
    if isinstance(pool, SentinelConnectionPool):
        await pool.sentinel_manager.aclose()


def _single(url: str, tls: bool, common: dict[str, Any]) -> Client:
    address = parse_url(url, tls=tls, port=_REDIS_PORT, arguments=_SINGLE_ARGUMENTS)
    [(host, port)] = address.servers
    settings = {"connection_class": TlsConnection if tls else TcpConnection, **address.tls}
    return _pooled(address, address.database, {"host": host, "port": port, **settings, **common})


def _socket(url: str, tls: bool, common: dict[str, Any]) -> Client:
    address = parse_url(url, tls=tls, port=_REDIS_PORT, arguments=_SINGLE_ARGUMENTS)
    path = unquote(address.path)
    if address.servers or not path or path.endswith("/") or "\0" in path:
        raise ValueError
    return _pooled(address, 0, {"path": path, "connection_class": SocketConnection, **common})


def _pooled(address: RedisUrl, default_database: int, settings: dict[str, Any]) -> Client:
    number = address.arguments.get("db", default_database)
    pool: Any = redis.asyncio.ConnectionPool(**settings, **address.login, db=number)
    return redis.asyncio.Redis(connection_pool=pool)


def _sentinel(url: str, tls: bool, common: dict[str, Any]) -> Client:
    address = parse_url(url, tls=tls, port=_SENTINEL_PORT, arguments=_SENTINEL_ARGUMENTS)
    if not address.user or not address.servers:
        raise ValueError
    arguments = address.arguments
    to_sentinels = {
        "username": arguments.pop("sentinel_username", None),
        "password": arguments.pop("sentinel_password", None),
    }
    shared = {**common, **({"ssl": True} if tls else {}), **address.tls}
    to_redis = {
        "username": arguments.get("username"),
        "password": address.password or None,
        "db": address.database,
        "connection_class": SentinelTlsConnection if tls else SentinelConnection,
    }
    sentinel: Any = Sentinel(  # type: ignore[no-untyped-call]
        address.servers, sentinel_kwargs={**shared, **to_sentinels}, **shared, **to_redis
    )
    client: redis.asyncio.Redis = sentinel.master_for(address.user)
    return client


def _cluster(url: str, tls: bool, common: dict[str, Any]) -> Client:
    address = parse_url(url, tls=tls, port=_REDIS_PORT, arguments={})
    if address.database or not address.servers:
        raise ValueError
    settings: dict[str, Any] = {
        **common,
        **address.login,
        "ssl": tls,
        **address.tls,
        # If one node is away, the streams of the others must stay available.
        "require_full_coverage": False,
        # Else redis-py closes all connections, even those in use, after a number of moved slots.
        "reinitialize_steps": 0,
    }
    return ClusterClient(startup_nodes=[ClusterNode(host, port) for host, port in address.servers], **settings)
