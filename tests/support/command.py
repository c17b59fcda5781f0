"""The `eventscache` command as a user starts it: a process of its own, with an environment of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest

from tests.support.forked import run_forked
from tests.support.paths import ROOT

GENEROUS_SECONDS = 30
EVENTSCACHE = (sys.executable, "-m", "eventscache")


def clean_environment(**environ: str) -> dict[str, str]:
    """Return an environment without any settings but the given ones."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "VIRTUAL_ENV"}}
    return {**kept, **environ}


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return run_forked(arguments, clean_environment(**environ), 2 * GENEROUS_SECONDS)


def run_afresh(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process that has imported nothing yet."""
    return subprocess.run(
        [*EVENTSCACHE, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=clean_environment(**environ),
        timeout=2 * GENEROUS_SECONDS,
    )


class Process:
    """A running `eventscache serve`, on a free port of its choice or of the caller's."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], folder: Path = ROOT) -> None:
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder, env=dict(environ))
        assert self.process.stderr
        said = []
        self.log: list[dict[str, Any]] = []
        for line in self.process.stderr:
            said.append(line)
            if line.startswith("{"):
                self.log.append(json.loads(line))
                if self.log[-1]["event"] == "listening":
                    self.address = self.log[-1]["url"].rstrip("/")
                    return
        self.process.communicate()
        raise AssertionError("".join(said))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> int:
        """Send SIGTERM and return the exit code; the rest of the log is read."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        _, rest = self.process.communicate(timeout=GENEROUS_SECONDS)
        self.log += [json.loads(line) for line in rest.splitlines()]
        return self.process.returncode

    async def post(self, path: str, body: Any, **headers: str) -> dict[str, Any]:
        """Post JSON, and return the body of the answer."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.address + path, json=body, headers=headers) as answer,
        ):
            assert answer.status < 300, await answer.text()
            return dict(await answer.json())

    async def get(self, path: str, **headers: str) -> dict[str, Any]:
        """Return the body of an answer that is JSON."""
        return dict(json.loads(await self.read(path, **headers)))

    async def read(self, path: str, **headers: str) -> bytes:
        """Return the body of an answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with (
            aiohttp.ClientSession() as session,
            session.get(self.address + path, headers=named) as answer,
        ):
            assert answer.status == 200, await answer.text()
            return await answer.read()


def workers_of(process: Process) -> list[int]:
    """Return the process ids of its workers."""
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.process.pid)], capture_output=True, check=False
    )
    return [int(pid) for pid in children.stdout.split()]


Serve = Callable[..., Process]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers with options and environment variables; they end with the test."""
    started: list[Process] = []

    def start(*options: str, **environ: str) -> Process:
        started.append(Process([*EVENTSCACHE, "serve", "--port", "0", *options], clean_environment(**environ)))
        return started[-1]

    yield start
    for process in started:
        process.process.kill()
        process.process.communicate()
