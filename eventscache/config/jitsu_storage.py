"""The Redis that Jitsu uses, by the `meta.storage.redis` section of its file, as a storage URL."""

import re
from ipaddress import IPv6Address
from typing import Any
from urllib.parse import quote, unquote

from eventscache.access.scalars import scalar_text
from eventscache.config.sources import Found, Sources
from eventscache.config.values import Parser, parse_boolean, whole_number
from eventscache.errors import ConfigError
from eventscache.storage.redis.url import split_url

_SECTION = "meta.storage.redis"
_REDIS_PORT = 6379
_NO_NAME = re.compile("[@/?#]")
_SENTINEL = {"sentinel", "sentinels"}
_WITH_DATABASE = {"redis", "rediss", *_SENTINEL}
_TLS = {"rediss", "sentinels", "rediss+cluster"}
_OTHERS = {"unix", "redis+cluster"}
_HAS_PORT = re.compile(r"(?:\[[^\]]*\]|[^:]*):[0-9]+")


def find_jitsu_storage(sources: Sources) -> tuple[str, str]:
    """Return the URL of the Redis that Jitsu uses, else of the memory storage, and the source of that URL.

    What the file says counts; without a host there, `REDIS_URL` is the host. Raises `ConfigError`, whose text holds no
    secret.
    """
    found = sources.in_file(f"{_SECTION}.host")
    source = f"file {_SECTION}"
    if not found and (url := sources.environ.get("REDIS_URL")):
        source = "environment REDIS_URL"
        found = Found(url, source, "REDIS_URL")
    if not found:
        return "memory://", "default"
    try:
        host = scalar_text(found.value).strip("\"' \t\r\n")
        return _Section(sources).url(host), source
    except ConfigError as fault:
        raise fault if str(fault).startswith(_SECTION) else found.error(fault, secret=True) from None


class _Section:
    """What stands beside `host`: each counts where the host, if it is a URL, does not say."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._password = self._value("password", scalar_text, "")
        self._port = self._value("port", whole_number(0, 65_535), 0)
        self._database = self._value("database", whole_number(0, 1_000_000), 0)
        self._master = self._value("sentinel_master_name", scalar_text, "")
        self._skip_verify = self._value("tls_skip_verify", parse_boolean, False)

    def _value(self, name: str, parse: Parser, default: Any) -> Any:
        found = self._sources.in_file(f"{_SECTION}.{name}")
        if not found:
            return default
        try:
            return parse(found.value)
        except ConfigError as fault:
            raise found.error(fault, secret=True) from None

    def url(self, host: str) -> str:
        """Return the URL for a host that is a name, `name:port`, a list of Sentinels or a whole URL."""
        if "://" not in host and not _NO_NAME.search(host):
            plain = host if self._master else _with_port(_bracketed(host), self._port or _REDIS_PORT)
            host = f"{'sentinel' if self._master else 'redis'}://{plain}"
        scheme = host.partition("://")[0].lower()
        if scheme not in _WITH_DATABASE | _TLS | _OTHERS:
            raise ConfigError("must be a name, a name:port, or a redis://, rediss:// or sentinel:// URL")
        parts = split_url(host)
        if not parts:
            return host  # the storage says what is wrong with it
        login, hosts, path, query = parts
        user, _, password = login.partition(":")
        if scheme in _SENTINEL and not user:
            user = quote(self._master, safe="")
        password = password or quote(self._password, safe="")
        if self._port and hosts:
            hosts = ",".join(_with_port(name.strip(), self._port) for name in hosts.split(","))
        if scheme in _WITH_DATABASE and not path.strip("/"):
            path = f"/{self._database}"
        arguments = [query] if query else []
        if scheme in _SENTINEL and password and "sentinel_password=" not in query:
            arguments.append(f"sentinel_password={quote(unquote(password), safe='')}")
        if scheme in _TLS and self._skip_verify and "tls_skip_verify=" not in query:
            arguments.append("tls_skip_verify=true")
        login = f"{user}:{password}@" if password else f"{user}@" if user else ""
        return f"{scheme}://{login}{hosts}{path}{'?' if arguments else ''}{'&'.join(arguments)}"


def _bracketed(host: str) -> str:
    """Return a host name; an IPv6 address in brackets, since its colons would be taken for that of a port."""
    try:
        return f"[{IPv6Address(host)}]"
    except ValueError:
        return host


def _with_port(host: str, port: int) -> str:
    """Return a host with its own port, else with that one."""
    return host if _HAS_PORT.fullmatch(host) else f"{host}:{port}"
