"""The parts of a Redis URL: login, servers, path and arguments."""

import re
from collections.abc import Callable, Mapping
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

_PORTS = range(1, 65_536)
# Not `urlsplit`, which knows one host only and ends the host at a / in a password.
_URL = re.compile(r"[^:]+://(?:(?P<login>[^/?#]*)@)?(?P<hosts>[^/?#@]*)(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?")
_SERVER = re.compile(r"(?:\[(?P<ipv6>[^\]]+)\]|(?P<name>[^\[\]:\s]+))(?::(?P<port>[0-9]{1,5}))?")
_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_DATABASE = re.compile(r"[0-9]{1,9}")


def _file(path: str) -> str:
    with Path(path).open("rb"):  # check it now: the driver opens it at the first connection only
        return path


def _flag(text: str) -> bool:
    if text.lower() not in {"true", "false", "1", "0"}:
        raise ValueError
    return text.lower() in {"true", "1"}


def _cert_reqs(text: str) -> str:
    if text not in {"none", "optional", "required"}:
        raise ValueError
    return text


def database_number(text: str) -> int:
    """Return the number of a database."""
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


def split_url(url: str) -> tuple[str, str, str, str] | None:
    """Return login, servers, path and query of a URL as they are written, or None if it is malformed."""
    parts = _URL.fullmatch(url)
    if not parts or _BAD_ESCAPE.search(parts["login"] or ""):
        return None
    login, hosts, path, query = (part or "" for part in parts.group("login", "hosts", "path", "query"))
    return login, hosts, path, query


def encoding_hint(url: str) -> str:
    """Return what to do about a malformed URL if the reason can be a password that is not percent-encoded."""
    login, at, _ = url.partition("://")[2].rpartition("@")
    if at and (re.search("[/?#]", login) or _BAD_ESCAPE.search(login)):
        return "; in a user name or password, write / as %2F, ? as %3F, # as %23, @ as %40 and % as %25"
    return ""


class RedisUrl(NamedTuple):
    """The parts of a URL, decoded except for the path."""

    user: str
    password: str
    servers: list[tuple[str, int]]
    path: str
    arguments: dict[str, Any]

    @property
    def database(self) -> int:
        """The database that the path names, or 0."""
        return database_number(self.path.removeprefix("/") or "0")

    @property
    def login(self) -> dict[str, Any]:
        """User and password as arguments for the driver."""
        return {"username": self.user or None, "password": self.password or None}

    @property
    def tls(self) -> dict[str, Any]:
        """The arguments that concern TLS, for the driver."""
        settings = {name: value for name, value in self.arguments.items() if name.startswith("ssl_")}
        if self.arguments.get("tls_skip_verify"):
            settings |= {"ssl_cert_reqs": "none", "ssl_check_hostname": False}
        return settings


def parse_url(url: str, *, tls: bool, port: int, arguments: Mapping[str, Callable[[str], Any]]) -> RedisUrl:
    """Take a URL apart; raise `ValueError` if it is malformed or has an argument that is not known.

    `port` is for servers without one. `arguments` has a parser for each argument that the URL may have, besides those
    of TLS.
    """
    parts = split_url(url)
    if not parts:
        raise ValueError
    login, hosts, path, query = parts
    user, _, password = login.partition(":")
    servers = [_server(host.strip(), port) for host in hosts.split(",") if host.strip()]
    known = {**arguments, **(_TLS_ARGUMENTS if tls else {})}
    return RedisUrl(unquote(user), unquote(password), servers, path, _arguments(query, known))


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
