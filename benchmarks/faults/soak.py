"""A long run with faults of all kinds in turn: memory, open files and tasks have to stay what they are."""

import asyncio
import itertools
from time import perf_counter
from typing import NamedTuple

import aiohttp

from benchmarks.faults.cases import CASES, Case
from benchmarks.faults.figures import Soak
from benchmarks.faults.measuring import Load, Observer, Watched, loading, server_errors, watched
from benchmarks.faults.scenes import Scene, proxied, single

_EVERY_SECONDS = 10.0
_FAULT_SECONDS = 3.0
_CALM_SECONDS = 1.0
# One Redis, behind a proxy, has to be enough for all of them.
_MIXED = [case for case in CASES.values() if case.scene in {single, proxied}]


class Sample(NamedTuple):
    """What a sidecar took at one moment."""

    memory_bytes: int
    record_bytes: int
    files: int
    tasks: int


async def _sample(sidecar: Watched, observer: Observer) -> Sample:
    record_bytes = int(await observer.metric("eventscache_record_bytes"))
    return Sample(sidecar.resident_bytes, record_bytes, sidecar.open_files, await sidecar.tasks())


async def soak(seconds: float, load: Load) -> Soak:
    """Run so long, under half the load of the figures."""
    async with proxied() as scene, watched(scene) as sidecar, aiohttp.ClientSession() as session:
        observer = Observer(sidecar, session)
        samples: list[Sample] = []
        async with loading(sidecar, load.rate / 2, seconds) as run:
            await observer.until_stored(_CALM_SECONDS)
            ends = perf_counter() + seconds - _EVERY_SECONDS
            async with observer.observing():
                for case in itertools.cycle(_MIXED):
                    if perf_counter() > ends:
                        break
                    await _one(case, scene, observer)
                    await asyncio.sleep(_CALM_SECONDS)
                    samples.append(await _sample(sidecar, observer))
                    print(samples[-1], flush=True)
                report = await run.report()
        return _result(seconds, samples, report, observer)


async def _one(case: Case, scene: Scene, observer: Observer) -> None:
    ends = perf_counter() + _EVERY_SECONDS - _CALM_SECONDS
    async with case.fault(scene):
        await asyncio.sleep(_FAULT_SECONDS)
    await observer.until_stored(_CALM_SECONDS)
    await asyncio.sleep(max(0.0, ends - perf_counter()))


def _result(seconds: float, samples: list[Sample], report: dict[str, object], observer: Observer) -> Soak:
    # The first round of all faults makes it as large as it gets: buffers, pools, the record.
    all_of_them = min(len(_MIXED), max(1, len(samples) // 2))
    early, late = samples[-2 * all_of_them :][:all_of_them], samples[-all_of_them:]
    if len(samples) > 3 * all_of_them:
        early = samples[all_of_them : 2 * all_of_them]
    ledger, events = report["ledger"], report["events"]
    assert isinstance(ledger, dict)
    assert isinstance(events, dict)
    return Soak(
        seconds=seconds,
        faults=len(samples),
        early_mb=max(sample.memory_bytes for sample in early) / 10**6,
        late_mb=max(sample.memory_bytes for sample in late) / 10**6,
        early_record_mb=max(sample.record_bytes for sample in early) / 10**6,
        late_record_mb=max(sample.record_bytes for sample in late) / 10**6,
        early_files=max(sample.files for sample in early),
        late_files=max(sample.files for sample in late),
        early_tasks=max(sample.tasks for sample in early),
        late_tasks=max(sample.tasks for sample in late),
        sent=events["sent"],
        dropped=ledger["dropped"],
        balanced=bool(ledger["good"]),
        server_errors=server_errors(report) + observer.read_errors,
    )
