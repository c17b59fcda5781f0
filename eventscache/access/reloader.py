"""Re-reads credentials from a file or a URL while the server runs."""

import asyncio
import contextlib
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import aiohttp
import structlog

from eventscache.access.download import MAX_BYTES
from eventscache.errors import ConfigError, NotReady

_log = structlog.get_logger()

_Parsed = TypeVar("_Parsed")


class Reloader(ABC):
    """Checks a source at the start and then every `interval_seconds`; what was read last stays in use until it changes.

    `name` and `source` appear in the log, and must hold no secret.
    """

    def __init__(self, name: str, source: str, interval_seconds: float) -> None:
        self._name = name
        self.source = source
        self._interval_seconds = interval_seconds
        self._error = ""  # of the last check; empty if there was none
        self._was_read = False
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def reload(self) -> int | None:
        """Read the source and use what it holds; return the number of entries, or None if it did not change.

        Raises `OSError`, `aiohttp.ClientError` or `TimeoutError` if it cannot be read, and `ConfigError` if it holds
        nothing that can be used. Then the entries in use stay as they are.
        """

    async def start(self) -> None:
        """Check once, then go on in the background. A source that cannot be read is logged, and not fatal."""
        await self.check()
        self._task = asyncio.create_task(self._check_regularly())

    def require_read(self) -> None:
        """Raise `NotReady` if the source was never read, so that nothing that it holds is known."""
        if not self._was_read:
            raise NotReady(f"{self._name} were not read yet: the log says why")

    async def stop(self) -> None:
        """Stop checking."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def check(self) -> None:
        """Reload the source if it changed. Logs an error once, until it changes or ends."""
        error, count = "", None
        try:
            count = await self.reload()
        except ConfigError as fault:
            error = str(fault)
        except (OSError, aiohttp.ClientError, TimeoutError) as fault:
            error = f"cannot be read: {_reason(fault)}"
        except Exception as fault:  # of whatever the source holds now; a later version may be valid
            error = f"cannot be used: {type(fault).__name__}"
        self._was_read = self._was_read or not error
        if error and error != self._error:
            meanwhile = "the last ones stay in use" if self._was_read else "and none are known yet"
            _log.error(f"{self._name} not reloaded, {meanwhile}", source=self.source, reason=error)
        elif count is not None:
            _log.info(f"{self._name} reloaded", source=self.source, count=count)
        elif self._error and not error:
            _log.info(f"{self._name} can be read again, and did not change", source=self.source)
        self._error = error

    async def _check_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._interval_seconds)
            await self.check()


def _reason(fault: Exception) -> str:
    """Return why a source cannot be read; the text of an error of aiohttp could hold an address with a token."""
    if isinstance(fault, TimeoutError):
        return "no answer in time"
    return (isinstance(fault, OSError) and fault.strerror) or type(fault).__name__


class ReloadedFile(Generic[_Parsed]):
    """A file that is read and parsed only when it changed."""

    def __init__(self, path: Path, parse: Callable[[bytes], _Parsed]) -> None:
        self._path = path
        self._parse = parse
        self._version: object = None

    async def read(self) -> _Parsed | None:
        """Return the parsed content, or None if the file did not change since. Raises `OSError`, and what `parse` does.

        After an error the file counts as changed, so that the next call raises again.
        """
        return await asyncio.to_thread(self._read)

    def _read(self) -> _Parsed | None:
        # The version from before the content is read: what is written meanwhile is read the next time. The inode and
        # the time of its change are part of it, because a copy can keep the modification time.
        status = self._path.stat()
        version = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if version == self._version:
            return None
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            raise ConfigError(f"it is not a file of at most {MAX_BYTES} bytes")
        parsed = self._parse(self._path.read_bytes())
        self._version = version
        return parsed
