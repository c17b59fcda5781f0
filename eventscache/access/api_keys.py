"""Jitsu's API keys: which token may send events, to which stream, from which origins."""

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from yarl import URL

from eventscache.access.scalars import scalar_text
from eventscache.errors import ConfigError, InvalidEvent
from eventscache.stream import MAX_ID_BYTES, check_id

_WEB_ADDRESS = re.compile("https?://", re.IGNORECASE)
_BETWEEN_SECRETS = re.compile(r"[\s,]+")
# What is meant as an address, a file or JSON, and must never be taken for a secret.
_NO_SECRET = re.compile(
    r".*://.*|(?:https?|file):.*|[/~{\[].*|\.{1,2}/.*|.*\$\{.*|.*\.(?:json|ya?ml)", re.DOTALL | re.IGNORECASE
)
_FORMS = "secrets with commas between them, a list of secrets or keys, an http(s):// or file:// address, a path or JSON"


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
    """The setting `api_keys`: the keys themselves, or the URL of a list of them.

    `faults` says of each key that was left out, or given twice, why; it holds no secret.
    """

    keys: tuple[ApiKey, ...] = ()
    url: str = ""
    faults: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"KeyList(keys={self.keys!r}{', url=...' if self.url else ''})"


class ApiKeys:
    """The current keys, by either secret.

    `configured` is true also while the list at a URL is empty or could not be read yet, and if no key of a list can be
    used: then no token is known, and all are rejected. Without `configured` keys, any token may be accepted.
    """

    def __init__(self, listed: KeyList) -> None:
        self.list(listed)

    def list(self, listed: KeyList) -> None:
        """Use the keys of the setting from now on."""
        self.configured = any(listed)
        self.replace(listed.keys)

    def replace(self, keys: Iterable[ApiKey]) -> None:
        """Use these keys from now on instead of all earlier ones; of two with one secret the later counts (Jitsu's)."""
        keys = tuple(keys)
        self._clients = {key.client_secret: key for key in keys if key.client_secret}
        self._servers = {key.server_secret: key for key in keys if key.server_secret}

    def client(self, token: str) -> ApiKey | None:
        """Return the key with that client secret, or None."""
        return self._clients.get(token)

    def server(self, token: str) -> ApiKey | None:
        """Return the key with that server secret, or None."""
        return self._servers.get(token)


def spellings(write_key: str) -> tuple[str, ...]:
    """Return the texts that may be the secret in a write key, in their order: the whole, and what is behind a colon.

    Jitsu 2's keys are `ID:SECRET`, and a second colon ends the secret there.
    """
    key_id, _, behind = write_key.partition(":")
    return (write_key, behind, behind.partition(":")[0]) if key_id and behind else (write_key,)


def parse_api_keys(value: Any, max_id_bytes: int = MAX_ID_BYTES) -> KeyList:
    """Return the setting `api_keys` of Jitsu's file, in any of its forms.

    A text is the address of a list, the path of one, a list in JSON, or secrets. Raises `ConfigError` if the form is
    not recognised or no key can be used; neither the message nor the faults hold a secret.
    """
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        value = value[0]  # as in Jitsu, where a list of one text is that text
    if isinstance(value, list | dict):
        listed = parse_listed(value, max_id_bytes)
    else:
        listed = _parse_text(scalar_text(value).strip(), max_id_bytes)
    if listed.faults and not listed.keys:
        raise ConfigError(listed.faults[0])
    return listed if any(listed) else KeyList(faults=("it holds no key, so every token is rejected",))


def parse_listed(content: Any, max_id_bytes: int = MAX_ID_BYTES) -> KeyList:
    """Return the keys of a list, of `{"tokens": [...]}` as Jitsu's configurator answers, or of a single key.

    A key that cannot be used is left out, and told in `faults`. Raises `ConfigError` if this is none of these; the
    message holds no secret.
    """
    if isinstance(content, dict):
        fields = _fields(content)
        if fields.keys() & {"client_secret", "server_secret"}:
            content = [content]
        elif "tokens" in fields or not fields:  # Jitsu's configurator leaves out an empty list
            content = [] if fields.get("tokens") is None else fields["tokens"]
    if not isinstance(content, list):
        raise ConfigError(f"there is no list of tokens; it must be {_FORMS}")
    keys: list[ApiKey] = []
    faults: list[str] = []
    for number, entry in enumerate(content):
        try:
            keys.append(_parse_entry(entry, max_id_bytes))
        except ConfigError as fault:
            faults.append(f"entry {number}{fault}")
    return KeyList(tuple(keys), faults=(*faults, *_repeated(keys)))


def parse_json(text: str, max_id_bytes: int = MAX_ID_BYTES) -> KeyList:
    """Return the keys of a text in JSON. Raises `ConfigError` as `parse_listed` does, or if it is not JSON."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError("not JSON") from None
    return parse_listed(content, max_id_bytes)


def server_keys(value: Any, max_id_bytes: int = MAX_ID_BYTES) -> KeyList:
    """Return a key for each secret of Jitsu's old `server.s2s_auth`. Raises `ConfigError` as `parse_api_keys` does."""
    listed = parse_api_keys(value, max_id_bytes)
    if listed.url:
        raise ConfigError("must be secrets, not an address")
    keys = [key if key.server_secret else _make_key("", "", key.client_secret, (), max_id_bytes) for key in listed.keys]
    return KeyList(tuple(keys), faults=listed.faults)


def check_address(address: str) -> str:
    """Return an http(s):// address if a request can be sent to it, else raise `ConfigError`, which does not hold it."""
    try:
        url = URL(address)
        usable = bool(_WEB_ADDRESS.match(address) and url.host and url.port)
    except ValueError:
        usable = False
    if not usable or not address.isprintable() or " " in address:
        raise ConfigError("not a usable address; it is http(s)://host[:port]/path")
    return address


def _parse_text(text: str, max_id_bytes: int) -> KeyList:
    if _WEB_ADDRESS.match(text):
        return KeyList(url=check_address(text))
    if text.startswith("/"):
        return KeyList(url=f"file://{text}")
    if text.startswith("file://") and text != "file://":
        return KeyList(url=text)
    if text.startswith(("{", "[")):
        return parse_json(text, max_id_bytes)
    secrets = [secret for secret in _BETWEEN_SECRETS.split(text) if secret]
    if not secrets or any(map(_NO_SECRET.fullmatch, secrets)):
        raise ConfigError(f"the form is not recognised; it must be {_FORMS}")
    return parse_listed(secrets, max_id_bytes)


def _parse_entry(entry: Any, max_id_bytes: int) -> ApiKey:
    """Return one key; the message of a `ConfigError` goes on after the number of the entry."""
    if not isinstance(entry, dict):
        try:
            secret = scalar_text(entry)
        except ConfigError:
            raise ConfigError(" is neither a secret nor an object") from None
        if _NO_SECRET.fullmatch(secret.strip()):
            raise ConfigError(" is no secret; an address, a path or JSON must be the only entry")
        return _make_key("", secret, "", (), max_id_bytes)
    fields = _fields(entry)
    key_id, client, server = (_field(fields, name) for name in ("id", "client_secret", "server_secret"))
    return _make_key(key_id, client, server, _origins(fields.get("origins")), max_id_bytes)


def _make_key(key_id: str, client: str, server: str, origins: tuple[str, ...], max_id_bytes: int) -> ApiKey:
    if not client.strip() and not server.strip():
        raise ConfigError(" has neither client_secret nor server_secret")
    try:
        # Jitsu derives the id before it trims.
        key_id = check_id(key_id or _derive_id(client, server), max_id_bytes)
    except InvalidEvent as fault:
        raise ConfigError(f": {fault}") from None
    return ApiKey(key_id, client.strip(), server.strip(), origins)


def _fields(entry: dict[Any, Any]) -> dict[str, Any]:
    """Return the fields of an object by their names in small letters, which is how Jitsu reads them."""
    return {str(name).lower(): value for name, value in entry.items()}


def _field(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    try:
        return "" if value is None else scalar_text(value)
    except ConfigError as fault:
        raise ConfigError(f": {name} {fault}") from None


def _origins(value: Any) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    listed = value.split(",") if isinstance(value, str) else value
    try:
        if isinstance(listed, list):  # an empty one of them stays, and allows nothing: without any, all are allowed
            return tuple(scalar_text(origin).strip() for origin in listed)
    except ConfigError:
        pass
    raise ConfigError(": origins must be a list of strings")


def _repeated(keys: Iterable[ApiKey]) -> list[str]:
    """Return what to say of keys whose secret another key has too."""
    faults: list[str] = []
    for kind in ("client_secret", "server_secret"):
        owners: dict[str, ApiKey] = {}
        for key in keys:
            secret = getattr(key, kind)
            if secret and secret in owners:
                faults.append(f"two keys have one {kind}: {key.id} counts for it, not {owners[secret].id}")
            owners[secret] = key
    return faults


def _derive_id(client_secret: str, server_secret: str) -> str:
    """Return the id that Jitsu gives to a key without one."""
    secrets = (client_secret + server_secret).encode(errors="surrogatepass")
    return hashlib.md5(secrets, usedforsecurity=False).hexdigest()
