"""From a URL to a client of redis-py: one server, a master that Sentinels know, or a Cluster."""

import asyncio
import re
from collections.abc import Callable, Mapping
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

import redis.asyncio
from redis import exceptions as driver
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelManagedConnection, SentinelManagedSSLConnection
from redis.backoff import NoBackoff

from eventscache.errors import ConfigError
from eventscache.storage.options import StorageOptions


class DetachableConnection(AbstractConnection):
    """A connection of the driver's that somebody else goes on with once it is made."""

    def detach(self) -> asyncio.StreamWriter:
        """Return what writes to the connection, and forget it."""
        writer, self._reader, self._writer = self._writer, None, None
        if writer is None:
            raise driver.ConnectionError("Connection closed")
        return writer


class _Connection(DetachableConnection, Connection):
    pass


class _TlsConnection(DetachableConnection, SSLConnection):
    pass


class _SocketConnection(DetachableConnection, UnixDomainSocketConnection):
    pass


class _SentinelConnection(DetachableConnection, SentinelManagedConnection):
    pass


class _SentinelTlsConnection(DetachableConnection, SentinelManagedSSLConnection):
    pass


Client = redis.asyncio.Redis | redis.asyncio.RedisCluster

FORMS = {
    "redis": "redis://[[user]:password@]host[:port][/database]",
    "unix": "unix://[[user]:password@]/path/to/socket[?db=database]",
    "sentinel": "sentinel://master[:password]@host[:port],host[:port]...[/database]",
    "redis+cluster": "redis+cluster://[[user]:password@]host[:port],host[:port]...",
}
_TLS = {"rediss": "redis", "sentinels": "sentinel", "rediss+cluster": "redis+cluster"}
_SENTINEL_PORT, _REDIS_PORT = 26379, 6379
_PORTS = range(1, 65_536)
# Not `urlsplit`: it knows one host only, and of a password with a / in it it makes another host and a path.
_URL = re.compile(r"[^:]+://(?:(?P<login>[^/?#]*)@)?(?P<hosts>[^/?#@]*)(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?")
_SERVER = re.compile(r"(?:\[(?P<ipv6>[^\]]+)\]|(?P<name>[^\[\]:\s]+))(?::(?P<port>[0-9]{1,5}))?")
_DATABASE = re.compile(r"[0-9]{1,9}")


def _file(path: str) -> str:
    with Path(path).open("rb"):  # the driver finds out at the first connection only
        return path


def _flag(text: str) -> bool:
    if text.lower() not in {"true", "false", "1", "0"}:
        raise ValueError
    return text.lower() in {"true", "1"}


def _cert_reqs(text: str) -> str:
    if text not in {"none", "optional", "required"}:
        raise ValueError
    return text


def _database(text: str) -> int:
    if not _DATABASE.fullmatch(text):
        raise ValueError
    return int(text)


_TLS_ARGUMENTS: Mapping[str, Callable[[str], Any]] = {
    "tls_skip_verify": _flag,
    "ssl_ca_certs": _file,
    "ssl_certfile": _file,
    "ssl_keyfile": _file,
    "ssl_cert_reqs": _cert_reqs,
    "ssl_check_hostname": _flag,
}
_SINGLE_ARGUMENTS = {"db": _database}
_SENTINEL_ARGUMENTS = {"username": str, "sentinel_username": str, "sentinel_password": str}


class _Address(NamedTuple):
    """A URL taken apart, nothing of it percent-encoded but the path."""

    user: str
    password: str
    servers: list[tuple[str, int]]
    path: str
    arguments: dict[str, Any]

    @property
    def database(self) -> int:
        """The one that the path names."""
        return _database(self.path.removeprefix("/") or "0")

    @property
    def login(self) -> dict[str, Any]:
        """User and password as the driver wants them."""
        return {"username": self.user or None, "password": self.password or None}


def client_from_url(url: str, options: StorageOptions, connections: int) -> Client:
    """Return a client with at most that many connections to a server. Nothing is contacted yet.

    It makes one try of `options.timeout_seconds` for each call: the one place that tries again is above the
    storage, with the batch's own number. Raises `ConfigError`, whose text holds nothing of the URL but its scheme.
    """
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
    except (ValueError, TypeError, OSError, driver.RedisError, driver.RedisClusterException) as fault:
        # Their texts can hold a piece of the password; that of a missing file cannot.
        reason = f": {fault.strerror}" if isinstance(fault, OSError) else ""
        wanted = FORMS[form].replace(form, scheme, 1)
        raise ConfigError(f"not a usable Redis URL{reason}; it is {wanted}") from None


def _single(url: str, tls: bool, common: dict[str, Any]) -> Client:
    address = _parse(url, tls, _REDIS_PORT, _SINGLE_ARGUMENTS)
    [(host, port)] = address.servers
    settings = {"connection_class": _TlsConnection if tls else _Connection, **_tls_settings(address.arguments)}
    return _pooled(address, address.database, {"host": host, "port": port, **settings, **common})


def _socket(url: str, tls: bool, common: dict[str, Any]) -> Client:
    address = _parse(url, tls, _REDIS_PORT, _SINGLE_ARGUMENTS)
    path = unquote(address.path)
    if address.servers or not path or path.endswith("/") or "\0" in path:
        raise ValueError
    return _pooled(address, 0, {"path": path, "connection_class": _SocketConnection, **common})


def _pooled(address: _Address, database: int, settings: dict[str, Any]) -> Client:
    database = address.arguments.get("db", database)
    pool: Any = redis.asyncio.ConnectionPool(**settings, **address.login, db=database)
    return redis.asyncio.Redis(connection_pool=pool)


def _sentinel(url: str, tls: bool, common: dict[str, Any]) -> Client:
    address = _parse(url, tls, _SENTINEL_PORT, _SENTINEL_ARGUMENTS)
    if not address.user or not address.servers:
        raise ValueError
    arguments = address.arguments
    to_sentinels = {
        "username": arguments.pop("sentinel_username", None),
        "password": arguments.pop("sentinel_password", None),
    }
    shared = {**common, **({"ssl": True} if tls else {}), **_tls_settings(arguments)}
    to_redis = {
        "username": arguments.get("username"),
        "password": address.password or None,
        "db": address.database,
        "connection_class": _SentinelTlsConnection if tls else _SentinelConnection,
    }
    sentinel: Any = Sentinel(  # type: ignore[no-untyped-call]
        address.servers, sentinel_kwargs={**shared, **to_sentinels}, **shared, **to_redis
    )
    client: redis.asyncio.Redis = sentinel.master_for(address.user)
    return client


def _cluster(url: str, tls: bool, common: dict[str, Any]) -> Client:
    address = _parse(url, tls, _REDIS_PORT, {})
    if address.database or not address.servers:
        raise ValueError
    settings: dict[str, Any] = {
        **common,
        **address.login,
        "ssl": tls,
        **_tls_settings(address.arguments),
        # A node that is away must not take the others' streams along.
        "require_full_coverage": False,
        # Closing all connections at every so many moved slots would break those in use.
        "reinitialize_steps": 0,
    }
    return redis.asyncio.RedisCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in address.servers], **settings
    )


def _parse(url: str, tls: bool, port: int, more: Mapping[str, Callable[[str], Any]]) -> _Address:
    parts = _URL.fullmatch(url)
    if not parts:
        raise ValueError
    login, hosts, path, query = (part or "" for part in parts.group("login", "hosts", "path", "query"))
    user, _, password = login.partition(":")
    servers = [_server(host.strip(), port) for host in hosts.split(",") if host.strip()]
    arguments = _arguments(query, {**more, **(_TLS_ARGUMENTS if tls else {})})
    return _Address(unquote(user), unquote(password), servers, path, arguments)


def _arguments(query: str, known: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    given = dict(parse_qsl(query, strict_parsing=bool(query)))
    if given.keys() - known.keys():
        raise ValueError
    return {name: known[name](text) for name, text in given.items()}


def _server(text: str, port: int) -> tuple[str, int]:
    server = _SERVER.fullmatch(text)
    if not server:
        raise ValueError
    host = unquote(server["ipv6"] or server["name"])
    if server["ipv6"]:
        IPv6Address(host)
    if server["port"]:
        port = int(server["port"])
    if port not in _PORTS:
        raise ValueError
    return host, port


def _tls_settings(arguments: Mapping[str, Any]) -> dict[str, Any]:
    settings = {name: value for name, value in arguments.items() if name.startswith("ssl_")}
    if arguments.get("tls_skip_verify"):
        settings |= {"ssl_cert_reqs": "none", "ssl_check_hostname": False}
    return settings
