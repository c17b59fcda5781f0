"""Runs the promises of the storage contract against a live backend, and measures its operations."""

import asyncio
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, NamedTuple

import msgspec

from eventscache.clock import MICROSECONDS
from eventscache.conformance.suite import Conformance, Writer, success
from eventscache.errors import ConfigError
from eventscache.storage.base import Storage
from eventscache.storage.messages import Quota
from eventscache.storage.options import StorageOptions
from eventscache.storage.plugins import storage_from_url
from eventscache.stream import Namespace, Stream

_SECONDS_A_PROMISE = 60
_SCRATCH_TTL_SECONDS = 60  # what a killed process leaves behind does not stay for long
_CLOSED_SECONDS = 600
_EVENT = b'{"event_type":"pageview"}'.ljust(1000)
_BATCH = 100


class Promise(NamedTuple):
    """A promise in words, and why it was not kept; empty if it was."""

    name: str
    fault: str


class Timing(NamedTuple):
    """How long an operation took, in milliseconds: the median, and what one in a hundred exceeded."""

    operation: str
    p50: float
    p99: float


class Verification:
    """Checks the storage at a URL, under scratch prefixes that are erased again, when cancelled too.

    `prefix` is what those begin with, so that a user whose rights end at a prefix can be checked as well.
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

    async def promises(self) -> AsyncIterator[Promise]:
        """Try one promise after the other."""
        for name in vars(Conformance):
            if name.startswith("test_"):
                yield Promise(name.removeprefix("test_").replace("_", " "), await self._try(name))

    async def _try(self, name: str) -> str:
        suite = _LiveConformance(self._url, self._options, self._scratch)
        suite.setup_method()
        promise: Callable[[], Awaitable[None]] = getattr(suite, name)
        try:
            async with asyncio.timeout(_SECONDS_A_PROMISE):
                await promise()
        except Exception as fault:  # a backend may raise anything; that is what is reported
            return _explained(fault)
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
    """The promises over a URL; it remembers which prefixes it used."""

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


def _explained(fault: Exception) -> str:
    """Return one line: what was raised, and by which line of the promise."""
    frames = [
        frame for frame in traceback.extract_tb(fault.__traceback__) if frame.filename.endswith("conformance/suite.py")
    ]
    what = f"{type(fault).__name__}: {str(fault).splitlines()[0]}" if str(fault) else type(fault).__name__
    return f"{what} at: {frames[-1].line}" if frames else what


async def _timings(storage: Storage, rounds: int) -> AsyncIterator[Timing]:
    open_quota, closed_quota = Quota(_BATCH, 1), Quota(_BATCH, _CLOSED_SECONDS * MICROSECONDS)
    always = Writer(storage, Stream(Namespace.TOKEN, "admitting"), open_quota)
    never = Writer(storage, Stream(Namespace.TOKEN, "refusing"), closed_quota)
    full = success(*[_EVENT] * _BATCH)
    await never.insert(full)
    operations: dict[str, Callable[[], Awaitable[object]]] = {
        "ping": storage.ping,
        "insert of 1 event of 1 KB": lambda: always.insert(full[:1]),
        "insert of 100 events of 1 KB": lambda: always.insert(full),
        "insert of 100 events, all refused": lambda: never.insert(full),
        "fetch of 100 events of 1 KB": never.fetch,
        "fetch of the last event": lambda: never.fetch(limit=1),
        "streams": lambda: storage.streams(Namespace.TOKEN),
    }
    for name, operation in operations.items():
        yield await _timed(name, operation, rounds)


async def _erase(url: str, options: StorageOptions) -> None:
    async with storage_from_url(url, options) as storage:
        await storage.erase()


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Wait for some work, and do so even if cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


async def _timed(name: str, operation: Callable[[], Awaitable[object]], rounds: int) -> Timing:
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        await operation()
        taken.append(1000 * (time.perf_counter() - began))
    taken.sort()
    return Timing(name, taken[len(taken) // 2], taken[min(len(taken) - 1, len(taken) * 99 // 100)])
