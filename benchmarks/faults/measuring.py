"""Measures a sidecar under load through a fault."""

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import aiohttp

from benchmarks.faults.cases import DOWN_AFTER_SECONDS, Case
from benchmarks.faults.figures import Figures
from benchmarks.faults.scenes import Scene
from benchmarks.measures import ROOMY
from benchmarks.servers import LOAD_CORE, ROOT, Sidecar, pinned
from eventscache.loadtest.ledger import LedgerCounts
from eventscache.metrics.parsing import parse_metrics

_WARM_SECONDS, _AFTER_SECONDS = 3.0, 4.0
_WATCH_SECONDS, _FINE_SECONDS, _MEMORY_SECONDS, _READ_SECONDS = 0.25, 0.02, 0.1, 0.1
_GIVE_UP_SECONDS = 60.0
_READ_PATH = "/api/v1/events/cache?namespace=token&ids=bench0"


class Load(NamedTuple):
    """How the sidecar is loaded: events a second, and how long the fault lasts."""

    rate: float
    fault_seconds: float


class Watched(Sidecar):
    """A sidecar that tells how many tasks it has."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        self._tasks = folder / "tasks"
        super().__init__(
            "benchmarks.faults.watched",
            ["serve", "--port", "0", "--storage", scene.url],
            {**ROOMY, "TASKS_FILE": str(self._tasks)},
            folder / "sidecar.log",
            scene.server,
        )

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def open_files(self) -> int:
        """How many file descriptors it has."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))  # noqa: PTH208 - no paths are needed

    async def tasks(self) -> int:
        """Ask how many tasks it has."""
        self._tasks.unlink(missing_ok=True)
        os.kill(self.pid, signal.SIGUSR1)
        while not self._tasks.exists():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)
        return int(self._tasks.read_text(encoding="ascii"))


@asynccontextmanager
async def watched(scene: Scene) -> AsyncIterator[Watched]:
    """Run a sidecar over a scene."""
    with tempfile.TemporaryDirectory(prefix="ec-") as folder:
        sidecar = Watched(scene, Path(folder))
        try:
            yield sidecar
        finally:
            sidecar.stop()


class Observer:
    """Reads from a sidecar meanwhile, and notes what is slowest and largest."""

    def __init__(self, sidecar: Watched, session: aiohttp.ClientSession) -> None:
        self.longest_read_seconds = 0.0
        self.memory_bytes = 0
        self.read_errors = 0
        self._sidecar = sidecar
        self._session = session

    @asynccontextmanager
    async def observing(self) -> AsyncIterator[None]:
        """Observe until the end of the block."""
        tasks = [
            asyncio.create_task(_every(seconds, do))
            for seconds, do in ((_READ_SECONDS, self._read), (_MEMORY_SECONDS, self._weigh))
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task

    async def _read(self) -> None:
        began = perf_counter()
        async with self._session.get(self._sidecar.address + _READ_PATH) as answer:
            await answer.read()
            self.read_errors += answer.status not in {200, 503}
        self.longest_read_seconds = max(self.longest_read_seconds, perf_counter() - began)

    async def _weigh(self) -> None:
        self.memory_bytes = max(self.memory_bytes, self._sidecar.resident_bytes)

    async def counts(self) -> LedgerCounts:
        """Return the sidecar's ledger."""
        async with self._session.get(f"{self._sidecar.address}/metrics") as answer:
            counts = LedgerCounts.parse(await answer.text())
        assert counts
        return counts

    async def metric(self, name: str) -> float:
        """Return a metric without labels."""
        async with self._session.get(f"{self._sidecar.address}/metrics") as answer:
            return parse_metrics(await answer.text())[name][""]

    async def until_stored(self, pause_seconds: float) -> float:
        """Return when more is stored than now."""
        before = (await self.counts()).stored
        deadline = perf_counter() + _GIVE_UP_SECONDS
        while (await self.counts()).stored == before:
            if perf_counter() > deadline:
                raise RuntimeError(f"nothing was stored for {_GIVE_UP_SECONDS:g} s")
            await asyncio.sleep(pause_seconds)
        return perf_counter()


async def _every(seconds: float, do: Callable[[], Awaitable[None]]) -> None:
    while True:
        await do()
        await asyncio.sleep(seconds)


class BenchRun:
    """A load by `eventscache bench`, in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._output = asyncio.create_task(process.communicate())

    async def report(self) -> dict[str, Any]:
        """Return its report, when it has ended."""
        return dict(json.loads((await self._output)[0]))

    def end(self) -> None:
        """End it early; it reports all the same."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGINT)

    async def abandon(self) -> None:
        """End it in any case."""
        if self._process.returncode is None:
            self._process.kill()
        await asyncio.gather(self._output, return_exceptions=True)


@asynccontextmanager
async def loading(sidecar: Watched, rate: float, seconds: float) -> AsyncIterator[BenchRun]:
    """Load a sidecar until the end of the block."""
    options = ("--rate", f"{rate:g}", "--duration", f"{seconds:g}", "--settle", "30", "--json", "-")
    with pinned(LOAD_CORE):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "eventscache", "bench", sidecar.address, *options,
            cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
    run = BenchRun(process)
    try:
        yield run
    finally:
        await run.abandon()


async def measure(name: str, case: Case, load: Load) -> Figures:
    """Measure one fault."""
    seconds = _WARM_SECONDS + load.fault_seconds + _AFTER_SECONDS
    if case.fails_over:
        seconds += _GIVE_UP_SECONDS  # the load ends when it is over
    async with case.scene() as scene, watched(scene) as sidecar, aiohttp.ClientSession() as session:
        observer = Observer(sidecar, session)
        async with loading(sidecar, load.rate, seconds) as run:
            await observer.until_stored(_WATCH_SECONDS)
            async with observer.observing():
                await asyncio.sleep(_WARM_SECONDS)
                first_write = await _through(case, scene, observer, load.fault_seconds)
                if case.fails_over:
                    await asyncio.sleep(_AFTER_SECONDS)
                    run.end()
                report = await run.report()
    return _figures(name, case, report, observer, first_write)


async def _through(case: Case, scene: Scene, observer: Observer, seconds: float) -> float | None:
    """Let a fault begin and end; return how long after that something was stored."""
    began = perf_counter()
    if case.fails_over:
        async with case.fault(scene):
            stored_at = await _after_outage(observer)
            await asyncio.sleep(max(0.0, seconds - (perf_counter() - began)))
        return max(0.0, stored_at - began - DOWN_AFTER_SECONDS)
    async with case.fault(scene):
        await asyncio.sleep(seconds)
    ended = perf_counter()
    return (await observer.until_stored(_FINE_SECONDS)) - ended if case.first_write else None


async def _after_outage(observer: Observer) -> float:
    """Return when something is stored again after nothing was for a while."""
    before, since = -1, perf_counter()
    while True:
        stored, now = (await observer.counts()).stored, perf_counter()
        if stored != before:
            if now - since > DOWN_AFTER_SECONDS:
                return now
            before, since = stored, now
        if now - since > _GIVE_UP_SECONDS:
            raise RuntimeError("the failover does not end")
        await asyncio.sleep(_FINE_SECONDS)


def _figures(name: str, case: Case, report: dict[str, Any], observer: Observer, first_write: float | None) -> Figures:
    ledger, latency = report["ledger"], report["latency_ms"]
    return Figures(
        fault=name,
        p99_ms=latency["p99"],
        longest_ms=latency["max"],
        longest_read_seconds=observer.longest_read_seconds,
        first_write_seconds=first_write,
        asked_seconds=case.first_write,
        memory_mb=observer.memory_bytes / 10**6,
        sent=report["events"]["sent"],
        dropped=ledger["dropped"],
        balanced=bool(ledger["good"]),
        server_errors=server_errors(report) + observer.read_errors,
    )


def server_errors(report: dict[str, Any]) -> int:
    """Return how many requests were answered with a 5xx, or not at all."""
    requests = report["requests"]
    failed = sum(count for status, count in requests["statuses"].items() if status.startswith("5"))
    return int(failed + sum(requests["unanswered"].values()) + requests["unsent"])
