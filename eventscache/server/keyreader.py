"""API keys that are kept elsewhere: in a file, or with Jitsu's configurator."""

import asyncio
import contextlib
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp
import msgspec
import structlog
import yaml

from eventscache.apikeys import ApiKeys, parse_keys
from eventscache.config import hide_secrets
from eventscache.errors import ConfigError

_log = structlog.get_logger()

_TIMEOUT_SECONDS = 5


class KeyReader:
    """Reads the keys at the start and whenever they change; what was read last holds until then.

    `url` is `file://`, or `http(s)://` as Jitsu's own: `{"tokens": [...]}` or a list, asked for with
    `If-Modified-Since`.
    """

    def __init__(self, url: str, keys: ApiKeys, reload_seconds: float) -> None:
        self._url = url
        self._keys = keys
        self._reload_seconds = reload_seconds
        self._version: object = None
        self._fault = ""
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read the keys once, and from then on in the background. A source that is away is logged, not fatal."""
        await self._try()
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Stop reading."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._reload_seconds)
            await self._try()

    async def _try(self) -> None:
        """Read, and say once what is wrong, or that it is right again."""
        fault = ""
        try:
            content = await self._read()
            if content is not None:
                tokens = content.get("tokens") if isinstance(content, dict) else content
                if not isinstance(tokens, list):
                    raise ConfigError("there is no list of tokens")  # noqa: TRY301 - told as all other faults are
                self._keys.replace(parse_keys(tokens))
                _log.info("api keys read", source=hide_secrets(self._url), keys=len(tokens))
        except (OSError, aiohttp.ClientError, TimeoutError) as error:
            fault = f"cannot be read: {type(error).__name__}"
        except (ConfigError, ValueError, yaml.YAMLError) as error:
            fault = str(error) if isinstance(error, ConfigError) else "neither JSON nor YAML"
        if fault and fault != self._fault:
            _log.error("api keys not read; the last ones hold", source=hide_secrets(self._url), reason=fault)
        self._fault = fault

    async def _read(self) -> Any:
        """Return the content, or None if it is what it was."""
        if self._url.startswith("file://"):
            return await asyncio.to_thread(self._read_file)
        return await self._read_address()

    def _read_file(self) -> Any:
        path = Path(unquote(urlsplit(self._url).path))
        status = path.stat()
        version = (status.st_mtime_ns, status.st_size, status.st_ino)
        if version == self._version:
            return None
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        self._version = version
        return content

    async def _read_address(self) -> Any:
        headers = {"If-Modified-Since": self._version} if isinstance(self._version, str) else {}
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(self._url, headers=headers) as answer,
        ):
            if answer.status == HTTPStatus.NOT_MODIFIED:
                return None
            answer.raise_for_status()
            content = msgspec.json.decode(await answer.read())
            self._version = answer.headers.get("Last-Modified")
            return content
