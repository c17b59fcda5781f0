"""Checks the promises of the storage contract against a live backend, and measures its operations."""

import asyncio
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from eventscache.clock import MICROSECONDS
from eventscache.conformance.events import success
from eventscache.conformance.suites.conformance import Conformance, promise_names
from eventscache.conformance.writer import Writer
from eventscache.errors import ConfigError
from eventscache.storage.base import Storage
from eventscache.storage.messages import Quota
from eventscache.storage.options import StorageOptions
from eventscache.storage.plugins import storage_from_url
from eventscache.stream import Namespace, Stream

_PROMISE_SECONDS = 60
_SCRATCH_TTL_SECONDS = 60  # so what a killed process leaves behind soon expires
_LIMITED_SECONDS = 600
_EVENT = b'{"event_type":"pageview"}'.ljust(1000)
_BATCH = 100
_NO_EXTRAS = "extra collections: so there are no events by type, no error groups, no follows and no test scopes"
_SUITE_FILES = "conformance/suites/*.py"


class Promise(NamedTuple):
    """A promise in words, and the error if it was broken, else an empty text."""

    name: str
    fault: str


class Timing(NamedTuple):
    """How long an operation took, in milliseconds: the median and the 99th percentile."""

    operation: str
    p50: float
    p99: float


class Verification:
    """Checks the storage at a URL, under scratch prefixes that are erased at the end, even if cancelled.

    They begin with `options.prefix`, so that a user whose rights are limited to that prefix can be checked too.
    """

    def __init__(self, url: str, options: StorageOptions) -> None:
        if not __debug__:
            raise ConfigError("verify needs assertions: run Python without -O")
        self._url = url
        self._options = options
        self._scratch = f"{options.prefix}:scratch"

    async def reach(self) -> None:
        """Return if the storage answers; raise `ConfigError` or `StorageUnavailable`."""
        async with storage_from_url(self._url, self._options) as storage:
            await storage.ping()

    def lacks(self) -> list[str]:
        """Return what the storage does not have, and need not have."""
        return [] if self._has_extras else [_NO_EXTRAS]

    @property
    def _has_extras(self) -> bool:
        return storage_from_url(self._url, self._options).has_extras

    async def promises(self) -> AsyncIterator[Promise]:
        """Check one promise after the other, without those on what the storage lacks."""
        for name in promise_names(extras=self._has_extras):
            yield Promise(name.removeprefix("test_").replace("_", " "), await self._check(name))

    async def _check(self, name: str) -> str:
        suite = _LiveConformance(self._url, self._options, self._scratch)
        suite.setup_method()
        promise: Callable[[], Awaitable[None]] = getattr(suite, name)
        try:
            async with asyncio.timeout(_PROMISE_SECONDS):
                await promise()
        except Exception as error:  # a backend may raise anything, and that is the report
            return _explained(error)
        finally:
            await _to_its_end(suite.erase())
        return ""

    async def timings(self, rounds: int) -> AsyncIterator[Timing]:
        """Measure each operation that many times, one at a time."""
        options = msgspec.structs.replace(
            self._options, prefix=f"{self._scratch}-timing", ttl_seconds=_SCRATCH_TTL_SECONDS
        )
        try:
            async with storage_from_url(self._url, options) as storage:
                async for timing in _timings(storage, rounds):
                    yield timing
        finally:
            await _to_its_end(_erase(self._url, options))


class _LiveConformance(Conformance):
    """The promises over the storage at a URL; remembers which prefixes it used."""

    def __init__(self, url: str, options: StorageOptions, prefix: str) -> None:
        self.prefix = prefix
        self._url = url
        self._timeout_seconds = options.timeout_seconds
        self._used: dict[str, StorageOptions] = {}

    def options(self, **changes: Any) -> StorageOptions:
        return super().options(**{"ttl_seconds": _SCRATCH_TTL_SECONDS, **changes})

    def storage(self, options: StorageOptions) -> Storage:
        options = msgspec.structs.replace(options, timeout_seconds=self._timeout_seconds)
        self._used[options.prefix] = options
        return storage_from_url(self._url, options)

    async def erase(self) -> None:
        for options in self._used.values():
            await _erase(self._url, options)


def _explained(error: Exception) -> str:
    """Return one line: the error, and the line of the promise that raised it."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).match(_SUITE_FILES)]
    what = f"{type(error).__name__}: {str(error).splitlines()[0]}" if str(error) else type(error).__name__
    return f"{what} at: {frames[-1].line}" if frames else what


async def _timings(storage: Storage, rounds: int) -> AsyncIterator[Timing]:
    admitting_quota, limiting_quota = Quota(_BATCH, 1), Quota(_BATCH, _LIMITED_SECONDS * MICROSECONDS)
    admitted = Writer(storage, Stream(Namespace.TOKEN, "admitting"), admitting_quota)
    limited = Writer(storage, Stream(Namespace.TOKEN, "limiting"), limiting_quota)
    full = success(*[_EVENT] * _BATCH)
    await limited.insert(full)
    operations: dict[str, Callable[[], Awaitable[object]]] = {
        "ping": storage.ping,
        "insert of 1 event of 1 KB": lambda: admitted.insert(full[:1]),
        "insert of 100 events of 1 KB": lambda: admitted.insert(full),
        "insert of 100 events, all limited": lambda: limited.insert(full),
        "fetch of 100 events of 1 KB": limited.fetch,
        "fetch of the last event": lambda: limited.fetch(limit=1),
        "streams": lambda: storage.streams(Namespace.TOKEN),
    }
    for name, operation in operations.items():
        yield await _timed(name, operation, rounds)


async def _erase(url: str, options: StorageOptions) -> None:
    async with storage_from_url(url, options) as storage:
        await storage.erase()


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Wait for some work to end, even if cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


async def _timed(name: str, operation: Callable[[], Awaitable[object]], rounds: int) -> Timing:
    durations = []
    for _ in range(rounds):
        start = time.perf_counter()
        await operation()
        durations.append(1000 * (time.perf_counter() - start))
    durations.sort()
    return Timing(name, durations[len(durations) // 2], durations[min(len(durations) - 1, len(durations) * 99 // 100)])
