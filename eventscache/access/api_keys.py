"""Jitsu's API keys: which token may send events, to which stream, from which pages."""

import fnmatch
import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from eventscache.errors import ConfigError


class ApiKey(NamedTuple):
    """One entry of Jitsu's `api_keys`; `origins` are patterns, none means any."""

    id: str
    client_secret: str = ""
    server_secret: str = ""
    origins: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"ApiKey(id={self.id!r}, origins={self.origins!r})"

    def allows(self, origin: str) -> bool:
        """Whether a page of that origin may send events; Jitsu's patterns are `*abc.com`, `abc*` and `*`."""
        host = origin.partition("://")[2] or origin
        return not self.origins or any(
            fnmatch.fnmatchcase(text, pattern) for pattern in self.origins for text in (origin, host)
        )


class KeyList(NamedTuple):
    """The keys that the configuration lists, or the address where they are to be read."""

    keys: tuple[ApiKey, ...] = ()
    url: str = ""

    def __repr__(self) -> str:
        return f"KeyList(keys={self.keys!r}{', url=...' if self.url else ''})"


class ApiKeys:
    """The keys as they are now, found by either secret.

    `configured` stays true when a list that is read from elsewhere is empty or has not been read: then no token is
    known, which is not the same as any token being welcome.
    """

    def __init__(self, listed: KeyList) -> None:
        self.configured = bool(listed.keys or listed.url)
        self.replace(listed.keys)

    def replace(self, keys: Iterable[ApiKey]) -> None:
        """Know these keys from now on, and no others."""
        keys = tuple(keys)
        self._clients = {key.client_secret: key for key in keys if key.client_secret}
        self._servers = {key.server_secret: key for key in keys if key.server_secret}

    def client(self, token: str) -> ApiKey | None:
        """Return the key with that client secret."""
        return self._clients.get(token)

    def server(self, token: str) -> ApiKey | None:
        """Return the key with that server secret."""
        return self._servers.get(token)


def parse_setting(value: Any) -> KeyList:
    """Return what Jitsu's `api_keys` says: one secret, a list of secrets or of objects, or where the list is.

    Raises `ConfigError`; the message holds no secret.
    """
    if isinstance(value, str) and value.startswith(("file://", "http://", "https://")):
        return KeyList(url=value)
    if isinstance(value, list):
        return KeyList(parse_keys(value))
    return KeyList(parse_keys([part.strip() for part in str(value).split(",") if part.strip()]))


def parse_keys(entries: list[Any]) -> tuple[ApiKey, ...]:
    """Return the keys of a list of secrets or objects. Raises `ConfigError`."""
    keys = tuple(_parse_key(entry, place) for place, entry in enumerate(entries))
    secrets = [secret for key in keys for secret in (key.client_secret, key.server_secret) if secret]
    if len(set(secrets)) < len(secrets):
        raise ConfigError("two keys share a secret")
    return keys


def _parse_key(entry: Any, place: int) -> ApiKey:
    if isinstance(entry, str) and entry:
        return ApiKey(_derived_id(entry, ""), client_secret=entry)
    if not isinstance(entry, dict):
        raise ConfigError(f"entry {place} is neither a secret nor an object")
    texts = {name: entry.get(name) or "" for name in ("id", "client_secret", "server_secret")}
    origins = entry.get("origins") or []
    if not all(isinstance(text, str) for text in texts.values()):
        raise ConfigError(f"entry {place}: id, client_secret and server_secret must be texts")
    if not isinstance(origins, list) or not all(isinstance(origin, str) for origin in origins):
        raise ConfigError(f"entry {place}: origins must be a list of texts")
    client, server = texts["client_secret"], texts["server_secret"]
    if not client and not server:
        raise ConfigError(f"entry {place} has neither client_secret nor server_secret")
    return ApiKey(texts["id"] or _derived_id(client, server), client, server, tuple(origins))


def _derived_id(client_secret: str, server_secret: str) -> str:
    """Return the id that Jitsu gives to a key without one."""
    return hashlib.md5((client_secret + server_secret).encode(), usedforsecurity=False).hexdigest()
