"""Jitsu's API keys: which token may send events, to which stream, from which origins."""

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from eventscache.errors import ConfigError


class ApiKey(NamedTuple):
    """One entry of Jitsu's `api_keys`; `origins` are patterns, and without any every origin is allowed."""

    id: str
    client_secret: str = ""
    server_secret: str = ""
    origins: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"ApiKey(id={self.id!r}, origins={self.origins!r})"

    def allows(self, origin: str) -> bool:
        """Whether a page of that origin may send events, by Jitsu's rules.

        Scheme and port are cut from the origin, not from a pattern: `https://shop.example` allows nothing. `*x` is the
        end of a host, else `x*` is its beginning, else it is the host. A `*` elsewhere is a plain character.
        """
        if not self.origins:
            return True
        host = origin.partition("://")[2] or origin
        name, colon, port = host.rpartition(":")
        if colon and (not port or (port.isascii() and port.isdigit())):
            host = name
        return any(_matches(host, pattern) for pattern in self.origins)


def _matches(host: str, pattern: str) -> bool:
    if pattern.startswith("*"):
        return host.endswith(pattern[1:])
    return host.startswith(pattern[:-1]) if pattern.endswith("*") else host == pattern


class KeyList(NamedTuple):
    """The setting `api_keys`: the keys themselves, or the URL of a list of them."""

    keys: tuple[ApiKey, ...] = ()
    url: str = ""

    def __repr__(self) -> str:
        return f"KeyList(keys={self.keys!r}{', url=...' if self.url else ''})"


class ApiKeys:
    """The current keys, by either secret.

    `configured` is true also while the list at a URL is empty or could not be read yet: then no token is known, and all
    are rejected. Without `configured` keys, any token may be accepted.
    """

    def __init__(self, listed: KeyList) -> None:
        self.configured = bool(listed.keys or listed.url)
        self.replace(listed.keys)

    def replace(self, keys: Iterable[ApiKey]) -> None:
        """Use these keys from now on instead of all earlier ones."""
        keys = tuple(keys)
        self._clients = {key.client_secret: key for key in keys if key.client_secret}
        self._servers = {key.server_secret: key for key in keys if key.server_secret}

    def client(self, token: str) -> ApiKey | None:
        """Return the key with that client secret, or None."""
        return self._clients.get(token)

    def server(self, token: str) -> ApiKey | None:
        """Return the key with that server secret, or None."""
        return self._servers.get(token)


def parse_api_keys(value: Any) -> KeyList:
    """Return the setting `api_keys` of Jitsu's file: one secret, a list of secrets or of objects, or a URL of a list.

    Raises `ConfigError`; the message holds no secret.
    """
    if isinstance(value, str) and value.startswith(("file://", "http://", "https://")):
        return KeyList(url=value)
    if isinstance(value, list):
        return KeyList(parse_keys(value))
    return KeyList(parse_keys([part.strip() for part in str(value).split(",") if part.strip()]))


def parse_keys(entries: list[Any]) -> tuple[ApiKey, ...]:
    """Return the keys of a list of secrets or objects. Raises `ConfigError`; the message holds no secret."""
    keys = tuple(_parse_entry(entry, number) for number, entry in enumerate(entries))
    secrets = [secret for key in keys for secret in (key.client_secret, key.server_secret) if secret]
    if len(set(secrets)) < len(secrets):
        raise ConfigError("two keys share a secret")
    return keys


def _parse_entry(entry: Any, number: int) -> ApiKey:
    if isinstance(entry, str) and entry:
        return ApiKey(_derive_id(entry, ""), client_secret=entry)
    if not isinstance(entry, dict):
        raise ConfigError(f"entry {number} is neither a secret nor an object")
    strings = {name: entry.get(name) or "" for name in ("id", "client_secret", "server_secret")}
    for name, value in strings.items():
        if not isinstance(value, str):
            raise ConfigError(f"entry {number}: {name} must be a string")
    origins = entry.get("origins") or []
    if not isinstance(origins, list) or not all(isinstance(origin, str) for origin in origins):
        raise ConfigError(f"entry {number}: origins must be a list of strings")
    client, server = strings["client_secret"], strings["server_secret"]
    if not client and not server:
        raise ConfigError(f"entry {number} has neither client_secret nor server_secret")
    return ApiKey(strings["id"] or _derive_id(client, server), client, server, tuple(origins))


def _derive_id(client_secret: str, server_secret: str) -> str:
    """Return the id that Jitsu gives to a key without one."""
    return hashlib.md5((client_secret + server_secret).encode(), usedforsecurity=False).hexdigest()
