"""What is kept outside the configuration, and may change while the server runs."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import aiohttp
import structlog

from eventscache.errors import ConfigError

_log = structlog.get_logger()

_Parsed = TypeVar("_Parsed")


class Reloader(ABC):
    """Looks at a source at the start and every so often from then on; what it held last is good until it changes.

    `what` and `source` name it in the log, and are to hold no secret.
    """

    def __init__(self, what: str, source: str, every_seconds: float) -> None:
        self._what = what
        self._source = source
        self._every_seconds = every_seconds
        self._fault = ""
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def take(self) -> int | None:
        """Take over what the source holds, and return how many entries those are; None if it is what it was.

        Raises `OSError`, `aiohttp.ClientError` or `TimeoutError` if it cannot be read, and `ConfigError` if it holds
        nothing that can be used.
        """

    async def start(self) -> None:
        """Look once, and from then on in the background. A source that is away is logged, not fatal."""
        await self.look()
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Look no more."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def look(self) -> None:
        """Look, and say once what is wrong, or that it is right again."""
        fault, count = "", None
        try:
            count = await self.take()
        except ConfigError as error:
            fault = str(error)
        except (OSError, aiohttp.ClientError, TimeoutError) as error:
            fault = f"cannot be read: {type(error).__name__}"
        except Exception as error:  # whatever it holds, the next one may be better
            fault = f"cannot be used: {type(error).__name__}"
        if fault and fault != self._fault:
            _log.error(f"{self._what} not read; the last ones hold", source=self._source, reason=fault)
        elif count is not None:
            _log.info(f"{self._what} read", source=self._source, count=count)
        elif self._fault and not fault:
            _log.info(f"{self._what} can be read again, and did not change", source=self._source)
        self._fault = fault

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._every_seconds)
            await self.look()


class ReloadedFile(Generic[_Parsed]):
    """A file that is read and parsed only when it is not what it was."""

    def __init__(self, path: Path, parse: Callable[[bytes], _Parsed]) -> None:
        self._path = path
        self._parse = parse
        self._version: object = None

    async def read(self) -> _Parsed | None:
        """Return what it holds, or None if nobody has touched it since. Raises `OSError`, and what `parse` does."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> _Parsed | None:
        # Before it is read: what is written meanwhile is read the next time. And not by the time of its content
        # alone, which whoever copies a file may set.
        status = self._path.stat()
        version = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if version == self._version:
            return None
        parsed = self._parse(self._path.read_bytes())
        self._version = version  # what is no good is looked at again, and stays a fault
        return parsed
