"""Reloaders of API keys, from a file or Jitsu's configurator, and of tokens, from files."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import structlog
import yaml

from eventscache.access.api_keys import ApiKeys, KeyList, parse_json, parse_listed
from eventscache.access.download import Download
from eventscache.access.read_token_entries import parse_read_token_file
from eventscache.access.read_tokens import ReadToken, ReadTokens
from eventscache.access.reloader import ReloadedFile, Reloader
from eventscache.access.tokens import Tokens, parse_tokens
from eventscache.errors import ConfigError
from eventscache.logs import hide_secrets
from eventscache.stream import MAX_ID_BYTES

_log = structlog.get_logger()

_LOGGED_FAULTS = 10


class ApiKeyReloader(Reloader):
    """Keeps `keys` as the list at `url` has them: a list of entries, or `{"tokens": [...]}` as Jitsu's configurator.

    `url` is `file://`, read as JSON or YAML, or `http(s)://`, requested with `If-Modified-Since` and read as JSON. A
    key that cannot be used is left out and logged.
    """

    def __init__(self, url: str, keys: ApiKeys, reload_seconds: float, max_id_bytes: int = MAX_ID_BYTES) -> None:
        super().__init__("API keys", hide_secrets(url), reload_seconds)
        self._keys = keys
        self._max_id_bytes = max_id_bytes
        self._read: Callable[[], Awaitable[KeyList | None]] = self._fetch
        if url.startswith("file://"):
            self._read = ReloadedFile(Path(url.removeprefix("file://")), self._parse_yaml).read
        self._download = Download(url)
        self._digest = b""

    async def reload(self) -> int | None:
        """Replace the keys if the list changed."""
        listed = await self._read()
        if listed is None:
            return None
        self._keys.replace(listed.keys)
        log_faults(listed.faults, self.source)
        return len(listed.keys)

    async def _fetch(self) -> KeyList | None:
        """Return the keys at the address, or None if they did not change. A list of thousands is read in a thread."""
        content = await self._download.fetch()
        digest = hashlib.sha256(content).digest() if content is not None else self._digest
        if content is None or digest == self._digest:
            return None
        listed = await asyncio.to_thread(self._parse_json, content)
        self._digest = digest
        self._download.keep()
        return listed

    def _parse_json(self, content: bytes) -> KeyList:
        return _usable(parse_json(content.decode("utf-8-sig", errors="replace"), self._max_id_bytes))

    def _parse_yaml(self, content: bytes) -> KeyList:
        try:
            return self._parse_json(content)
        except ConfigError:
            pass
        try:
            return _usable(parse_listed(yaml.safe_load(content.decode()), self._max_id_bytes))
        except (ValueError, yaml.YAMLError):
            raise ConfigError("neither JSON nor YAML") from None


def _usable(listed: KeyList) -> KeyList:
    """Return a list of keys; raise `ConfigError` if it has some, and none can be used."""
    if listed.faults and not listed.keys:
        raise ConfigError(listed.faults[0])
    return listed


def log_faults(faults: Sequence[str], source: str) -> None:
    """Log what is wrong with keys that are left out or given twice: a line for each of the first ones."""
    for fault in faults[:_LOGGED_FAULTS]:
        _log.warning("API key left out or given twice", source=source, reason=fault)
    if len(faults) > _LOGGED_FAULTS:
        _log.warning("more API keys left out or given twice", source=source, count=len(faults) - _LOGGED_FAULTS)


class TokenFileReloader(Reloader):
    """Keeps `tokens` as their file has them; a file without a token is an error, and the last tokens stay in use."""

    def __init__(self, name: str, path: str, tokens: Tokens, reload_seconds: float) -> None:
        super().__init__(name, path, reload_seconds)
        self._tokens = tokens
        self._file = ReloadedFile(Path(path), parse_tokens)

    async def reload(self) -> int | None:
        """Replace the tokens if the file changed."""
        tokens = await self._file.read()
        if tokens is None:
            return None
        self._tokens.replace(tokens)
        return len(tokens)


class ReadTokenFileReloader(Reloader):
    """Keeps read `tokens` as their file has them; a file with a fault is an error, and the last ones stay in use."""

    def __init__(self, path: str, tokens: ReadTokens, reload_seconds: float) -> None:
        super().__init__("read tokens", path, reload_seconds)
        self._tokens = tokens
        self._file = ReloadedFile(Path(path), self._parse)

    async def reload(self) -> int | None:
        """Replace the tokens if the file changed."""
        tokens = await self._file.read()
        if tokens is None:
            return None
        self._tokens.replace(tokens)
        return len(tokens)

    def _parse(self, content: bytes) -> tuple[ReadToken, ...]:
        tokens = parse_read_token_file(content)
        self._tokens.check(tokens)
        return tokens
