"""Reloaders of API keys, from a file or Jitsu's configurator, and of tokens, from files."""

from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp
import msgspec
import yaml

from eventscache.access.api_keys import ApiKey, ApiKeys, parse_keys
from eventscache.access.reloader import ReloadedFile, Reloader
from eventscache.access.tokens import Tokens, parse_tokens
from eventscache.errors import ConfigError
from eventscache.logs import hide_secrets

_TIMEOUT_SECONDS = 5


class ApiKeyReloader(Reloader):
    """Keeps `keys` as the list at `url` has them: a list of entries, or `{"tokens": [...]}` as Jitsu's configurator.

    `url` is `file://`, read as JSON or YAML, or `http(s)://`, requested with `If-Modified-Since` and read as JSON.
    """

    def __init__(self, url: str, keys: ApiKeys, reload_seconds: float) -> None:
        super().__init__("API keys", hide_secrets(url), reload_seconds)
        self._url = url
        self._keys = keys
        path = Path(unquote(urlsplit(url).path))
        self._file = ReloadedFile(path, _parse_yaml) if url.startswith("file://") else None
        self._last_modified: str | None = None

    async def reload(self) -> int | None:
        """Replace the keys if the list changed."""
        keys = await (self._file.read() if self._file else self._download())
        if keys is None:
            return None
        self._keys.replace(keys)
        return len(keys)

    async def _download(self) -> tuple[ApiKey, ...] | None:
        headers = {"If-Modified-Since": self._last_modified} if self._last_modified else {}
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(self._url, headers=headers) as response,
        ):
            if response.status == HTTPStatus.NOT_MODIFIED:
                return None
            response.raise_for_status()
            keys = _parse_json(await response.read())
            self._last_modified = response.headers.get("Last-Modified")
            return keys


def _parse_json(content: bytes) -> tuple[ApiKey, ...]:
    try:
        return _parse_list(msgspec.json.decode(content))
    except ValueError:
        raise ConfigError("not JSON") from None


def _parse_yaml(content: bytes) -> tuple[ApiKey, ...]:
    try:
        return _parse_list(yaml.safe_load(content.decode()))
    except (ValueError, yaml.YAMLError):
        raise ConfigError("neither JSON nor YAML") from None


def _parse_list(content: Any) -> tuple[ApiKey, ...]:
    tokens = content.get("tokens") if isinstance(content, dict) else content
    if not isinstance(tokens, list):
        raise ConfigError("there is no list of tokens")
    return parse_keys(tokens)


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
