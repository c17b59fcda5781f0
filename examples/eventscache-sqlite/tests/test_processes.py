"""Exactness over several processes on one file, by the real clock, also when one of them is killed."""

import json
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest
from eventscache.storage.messages import Page, Query
from eventscache.storage.options import StorageOptions
from eventscache.stream import Status, Stream

from eventscache_sqlite import SqliteStorage
from tests.sidecar import QUOTA, STREAMS

ROOT = Path(__file__).parents[1]
PROCESSES = 4
BATCHES = 200


class Outcome(NamedTuple):
    """The answer that one process got to one batch."""

    stream: str
    at_us: int
    all: tuple[int, int]  # offered, admitted
    error: tuple[int, int]


def start(path: Path, batches: int, *seeds: int) -> list[subprocess.Popen[str]]:
    """Start processes that begin together."""
    command = [sys.executable, "-m", "tests.sidecar", str(path)]
    processes = [
        subprocess.Popen(
            [*command, str(seed), str(batches)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for seed in seeds
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return processes


def finish(processes: list[subprocess.Popen[str]]) -> list[Outcome]:
    answers = [answer for process in processes for answer in outcomes(process.communicate(timeout=60)[0])]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return answers


def outcomes(output: str) -> list[Outcome]:
    return [Outcome(*json.loads(line)) for line in output.splitlines() if line.endswith("]")]


def most_in_a_window(times: list[int]) -> int:
    """Return the most admissions in any half-open window, of those in order."""
    most = first = 0
    for last, time_us in enumerate(times):
        while times[first] <= time_us - QUOTA.window_us:
            first += 1
        most = max(most, last - first + 1)
    return most


def check_windows(answers: list[Outcome]) -> None:
    times: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for answer in answers:
        times[answer.stream, "all"] += [answer.at_us] * answer.all[1]
        times[answer.stream, "error"] += [answer.at_us] * answer.error[1]
    most = {collection: most_in_a_window(sorted(admitted_us)) for collection, admitted_us in times.items()}
    assert max(most.values()) <= QUOTA.size
    assert most["hot", "all"] == QUOTA.size


async def read(path: Path, stream: Stream, status: Status | None = None) -> Page:
    async with SqliteStorage(path, StorageOptions(timeout_seconds=10)) as storage:
        return await storage.fetch(stream, Query(status=status))


async def newest_sequence(path: Path, stream: Stream) -> int:
    pages = await read(path, stream), await read(path, stream, Status.ERROR)
    return max(page.entries[0].sequence for page in pages)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


async def test_no_window_holds_too_many_and_nothing_is_lost(path: Path) -> None:
    answers = finish(start(path, BATCHES, *range(PROCESSES)))

    assert len(answers) == PROCESSES * BATCHES
    check_windows(answers)
    # An error may be in its own collection alone: it has a number of its own all the same.
    stored: Counter[str] = Counter()
    limited: Counter[tuple[str, Status | None]] = Counter()
    for answer in answers:
        stored[answer.stream] += max(answer.all[1], answer.error[1])
        limited[answer.stream, None] += answer.all[0] - answer.all[1]
        limited[answer.stream, Status.ERROR] += answer.error[0] - answer.error[1]
    for stream in STREAMS:
        assert await newest_sequence(path, stream) == stored[stream.id]
        for status in (None, Status.ERROR):
            assert (await read(path, stream, status)).limited == limited[stream.id, status]


async def test_the_others_continue_with_the_file_of_a_killed_process(path: Path) -> None:
    victim, *others = start(path, BATCHES, *range(PROCESSES))
    assert victim.stdout is not None
    output = "".join(victim.stdout.readline() for _ in range(20))
    victim.kill()
    output += victim.stdout.read()
    victim.communicate(timeout=60)
    answers = outcomes(output) + finish(others)
    late = finish(start(path, 10, 99))

    check_windows(answers + late)
    # Beyond the answered batches, at most the one is stored whose answer got lost with the process.
    unanswered = 0
    for stream in STREAMS:
        answered = sum(max(answer.all[1], answer.error[1]) for answer in answers + late if answer.stream == stream.id)
        unanswered += await newest_sequence(path, stream) - answered
    assert 0 <= unanswered <= QUOTA.size
