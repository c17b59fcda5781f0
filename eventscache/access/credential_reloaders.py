"""Credentials kept outside the configuration: API keys in a file or at Jitsu's configurator, tokens in files."""

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
    """Reads the keys at the start and whenever they change.

    `url` is `file://`, or `http(s)://` as Jitsu's own: `{"tokens": [...]}` or a list, asked for with
    `If-Modified-Since`.
    """

    def __init__(self, url: str, keys: ApiKeys, reload_seconds: float) -> None:
        super().__init__("api keys", hide_secrets(url), reload_seconds)
        self._url = url
        self._keys = keys
        path = Path(unquote(urlsplit(url).path))
        self._file = ReloadedFile(path, _parse_yaml) if url.startswith("file://") else None
        self._modified: str | None = None

    async def take(self) -> int | None:
        """Take over the keys."""
        keys = await (self._file.read() if self._file else self._ask())
        if keys is None:
            return None
        self._keys.replace(keys)
        return len(keys)

    async def _ask(self) -> tuple[ApiKey, ...] | None:
        headers = {"If-Modified-Since": self._modified} if self._modified else {}
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(self._url, headers=headers) as answer,
        ):
            if answer.status == HTTPStatus.NOT_MODIFIED:
                return None
            answer.raise_for_status()
            keys = _parse_json(await answer.read())
            self._modified = answer.headers.get("Last-Modified")
            return keys


def _parse_json(content: bytes) -> tuple[ApiKey, ...]:
    try:
        return _keys(msgspec.json.decode(content))
    except ValueError:
        raise ConfigError("not JSON") from None


def _parse_yaml(content: bytes) -> tuple[ApiKey, ...]:
    try:
        return _keys(yaml.safe_load(content.decode()))
    except (ValueError, yaml.YAMLError):
        raise ConfigError("neither JSON nor YAML") from None


def _keys(content: Any) -> tuple[ApiKey, ...]:
    tokens = content.get("tokens") if isinstance(content, dict) else content
    if not isinstance(tokens, list):
        raise ConfigError("there is no list of tokens")
    return parse_keys(tokens)


class TokenFileReloader(Reloader):
    """Reads the tokens at the start and whenever their file changes; one that holds none changes nothing."""

    def __init__(self, what: str, path: str, tokens: Tokens, reload_seconds: float) -> None:
        super().__init__(what, path, reload_seconds)
        self._tokens = tokens
        self._file = ReloadedFile(Path(path), parse_tokens)

    async def take(self) -> int | None:
        """Take over the tokens."""
        tokens = await self._file.read()
        if tokens is None:
            return None
        self._tokens.replace(tokens)
        return len(tokens)
