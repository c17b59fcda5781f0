"""The entries of `eventscache.read_tokens`, and of the file of read tokens."""

from collections.abc import Mapping
from typing import Any, Final

import yaml

from eventscache.access.entries import parse_entries
from eventscache.access.read_tokens import ReadToken
from eventscache.access.scalars import scalar_text
from eventscache.access.some_streams import SomeStreams
from eventscache.access.tokens import PUBLISHED_TOKENS
from eventscache.errors import ConfigError, InvalidEvent
from eventscache.stream import Namespace, check_id

_FORM = "must be a list of entries with token, ids and perhaps namespaces; in a variable, as JSON"
_KEYS: Final = frozenset({"token", "ids", "namespaces"})
_MOST_ID_BYTES = 65_536  # of a pattern; the bound of ids is a setting of its own


def parse_read_tokens(value: Any) -> tuple[ReadToken, ...]:
    """Return the read tokens of a list of entries, or of its JSON.

    Raises `ConfigError`, which names the entry at fault by its number, and quotes nothing of it: it may be a token.
    """
    tokens: dict[str, ReadToken] = {}
    for number, read_token in parse_entries(value, _parse_entry, _FORM):
        if read_token.token in tokens:
            first = [*tokens].index(read_token.token) + 1
            raise ConfigError(f"entry {number}: its token is that of entry {first}; each entry needs its own")
        tokens[read_token.token] = read_token
    return tuple(tokens.values())


def parse_read_token_file(content: bytes) -> tuple[ReadToken, ...]:
    """Return the read tokens of a file: the same list, as YAML or JSON. An empty list takes all of them away.

    Raises `ConfigError`; a file without a list, such as an empty one, is an error.
    """
    try:
        value = yaml.safe_load(content.decode("utf-8-sig"))
    except (ValueError, RecursionError, yaml.YAMLError):
        raise ConfigError("neither YAML nor JSON") from None
    return parse_read_tokens(value)


def _parse_entry(entry: Any) -> ReadToken:
    if not isinstance(entry, Mapping):
        raise ConfigError("must have token, ids and perhaps namespaces")
    if not _KEYS.issuperset(entry):
        raise ConfigError("has a key that is none of token, ids, namespaces")
    return ReadToken(
        _parse_token(entry.get("token")),
        SomeStreams(parse_ids(entry.get("ids")), parse_namespaces(entry.get("namespaces"))),
    )


def _parse_token(value: Any) -> str:
    if value is None:
        raise ConfigError("its token is missing")
    try:
        token = scalar_text(value).strip()
    except ConfigError as fault:
        raise ConfigError(f"its token {fault}") from None
    if not token:
        raise ConfigError("its token is empty")
    if token in PUBLISHED_TOKENS:
        raise ConfigError("its token is one that Jitsu publishes, so everybody knows it")
    if "${" in token:
        raise ConfigError("its token holds ${, and no placeholder is filled there")
    return token


def parse_ids(value: Any) -> tuple[str, ...]:
    """Return patterns of ids, of a list or of a text with commas between them. Raises `ConfigError`."""
    ids = _texts("ids", value)
    if not ids:
        raise ConfigError("names no ids; write '*' for all")
    for pattern in ids:
        try:
            check_id(pattern, _MOST_ID_BYTES)
        except InvalidEvent as fault:
            raise ConfigError(f"ids: {fault}") from None
    return ids


def parse_namespaces(value: Any) -> tuple[Namespace, ...]:
    """Return namespaces, in their order; both for None. Raises `ConfigError`."""
    if value is None:
        return tuple(Namespace)
    given = _texts("namespaces", value)
    if not given or not set(Namespace).issuperset(given):
        raise ConfigError("namespaces can be only token and destination")
    return tuple(namespace for namespace in Namespace if namespace in given)


def _texts(name: str, value: Any) -> tuple[str, ...]:
    """Return the texts of a list, or of a text with commas between them, each once and without empty ones."""
    entries = value.split(",") if isinstance(value, str) else [] if value is None else value
    if not isinstance(entries, list):
        raise ConfigError(f"{name} must be a list")
    try:
        texts = [scalar_text(entry).strip() for entry in entries]
    except ConfigError as fault:
        raise ConfigError(f"{name}: each {fault}") from None
    return tuple(dict.fromkeys(text for text in texts if text))
