"""From a URL to a client of redis-py: one server, a master that Sentinels know, or a Cluster."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import redis.asyncio
from redis import exceptions as driver
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from eventscache.errors import ConfigError
from eventscache.storage.base import StorageOptions

Client = redis.asyncio.Redis | redis.asyncio.RedisCluster

FORMS = {
    "redis": "redis://[[user]:password@]host[:port][/database]",
    "unix": "unix://[[user]:password@]/path/to/socket[?db=database]",
    "sentinel": "sentinel://master[:password]@host[:port],host[:port]...[/database]",
    "redis+cluster": "redis+cluster://[[user]:password@]host[:port],host[:port]...",
}
_TLS = {"rediss": "redis", "sentinels": "sentinel", "rediss+cluster": "redis+cluster"}
_SENTINEL_PORT, _REDIS_PORT = 26379, 6379


def _file(path: str) -> str:
    with Path(path).open("rb"):  # the driver finds out at the first connection only
        return path


def _flag(text: str) -> bool:
    if text.lower() not in {"true", "false", "1", "0"}:
        raise ValueError
    return text.lower() in {"true", "1"}


_TLS_ARGUMENTS: Mapping[str, Callable[[str], Any]] = {
    "tls_skip_verify": _flag,
    "ssl_ca_certs": _file,
    "ssl_certfile": _file,
    "ssl_keyfile": _file,
    "ssl_cert_reqs": str,
    "ssl_check_hostname": _flag,
}
_SINGLE_ARGUMENTS = {"db": int}
_SENTINEL_ARGUMENTS = {"username": str, "sentinel_username": str, "sentinel_password": str}


class _Address(NamedTuple):
    """A URL that names several servers, taken apart."""

    user: str
    password: str
    servers: list[tuple[str, int]]
    path: str
    arguments: dict[str, Any]


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
    make = {"sentinel": _sentinel, "redis+cluster": _cluster}.get(form, _single)
    try:
        return make(url, scheme in _TLS, common)
    except (ValueError, TypeError, OSError, driver.RedisError, driver.RedisClusterException) as fault:
        # Their texts can hold a piece of the password; that of a missing file cannot.
        reason = f": {fault.strerror}" if isinstance(fault, OSError) else ""
        wanted = FORMS[form].replace(form, scheme, 1)
        raise ConfigError(f"not a usable Redis URL{reason}; it is {wanted}") from None


def _single(url: str, tls: bool, common: dict[str, Any]) -> Client:
    arguments = _arguments(urlsplit(url).query, _SINGLE_ARGUMENTS)
    settings = _tls_settings(arguments) if tls else {}
    database = {"db": arguments["db"]} if "db" in arguments else {}
    kwargs: dict[str, Any] = {**parse_url(url.partition("?")[0]), **database, **settings, **common}
    pool: Any = redis.asyncio.ConnectionPool(**kwargs)
    return redis.asyncio.Redis(connection_pool=pool)


def _sentinel(url: str, tls: bool, common: dict[str, Any]) -> Client:
    address = _parse(url, _SENTINEL_PORT, _SENTINEL_ARGUMENTS)
    if not address.user:
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
        "db": int(address.path.strip("/") or 0),
    }
    sentinel: Any = Sentinel(  # type: ignore[no-untyped-call]
        address.servers, sentinel_kwargs={**shared, **to_sentinels}, **shared, **to_redis
    )
    client: redis.asyncio.Redis = sentinel.master_for(address.user)
    return client


def _cluster(url: str, tls: bool, common: dict[str, Any]) -> Client:
    address = _parse(url, _REDIS_PORT, {})
    if address.path.strip("/") not in {"", "0"}:
        raise ValueError
    settings: dict[str, Any] = {
        **common,
        "username": address.user or None,
        "password": address.password or None,
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


def _parse(url: str, port: int, more: Mapping[str, Callable[[str], Any]]) -> _Address:
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    arguments = _arguments(parts.query, more)
    servers = [_server(host.strip(), port) for host in hosts.split(",") if host.strip()]
    if not servers:
        raise ValueError
    return _Address(unquote(user), unquote(password), servers, parts.path, arguments)


def _arguments(query: str, more: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    known = {**_TLS_ARGUMENTS, **more}
    given = dict(parse_qsl(query, strict_parsing=bool(query)))
    if given.keys() - known.keys():
        raise ValueError
    return {name: known[name](text) for name, text in given.items()}


def _server(host: str, port: int) -> tuple[str, int]:
    name, colon, given = host.rpartition(":")
    if colon and not (host.startswith("[") and host.endswith("]")):
        return unquote(name.strip("[]")), int(given)
    return unquote(host.strip("[]")), port


def _tls_settings(arguments: Mapping[str, Any]) -> dict[str, Any]:
    settings = {name: value for name, value in arguments.items() if name.startswith("ssl_")}
    if arguments.get("tls_skip_verify"):
        settings |= {"ssl_cert_reqs": "none", "ssl_check_hostname": False}
    return settings
