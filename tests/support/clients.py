"""Clients of Jitsu, Segment and RudderStack as their makers publish them: in processes, and in pages."""

import asyncio
import json
import re
import shutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Self

from playwright.async_api import Page as BrowserPage

from tests.support.command import clean_environment
from tests.support.gate import Gate
from tests.support.missing import missing
from tests.support.paths import ROOT
from tests.support.sidecar import Sidecar

FOLDER = ROOT / "tests" / "clients"
PACKAGES = FOLDER / "node_modules"
GENEROUS_SECONDS = 60
_WAIT_SECONDS = 30

_ODD = {
    "text": 'quote " backslash \\ <b>&amp;</b> \u2028 line\nend é 日本 \N{GRINNING FACE}',
    "large": 2**53 - 1,
    "small": -0.000125,
    "yes": True,
    "empty": "",
    "list": [1, [2, {"deep": "er"}], []],
    "object": {"of": {"objects": {}}, "key with spaces": "%20+%26"},
}
EVENTS: list[dict[str, Any]] = [
    {"name": f"order {number}", "properties": {"number": number, **_ODD}} for number in range(12)
]
"""What a client is to send. Each event has a number, and values that are easily spoilt."""


def packages() -> Path:
    """Return the folder with the clients from npm."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        missing("no Node: install Debian's nodejs and npm")
    if not (PACKAGES / "@jitsu/js/dist").is_dir():
        missing("the clients are not installed: make .venv/installed-clients")
    return PACKAGES


class Client:
    """A script of `tests/clients`, which is told what to send and ends when it has sent it."""

    def __init__(self, script: str) -> None:
        self._path = FOLDER / script
        self._output = ""
        self._process: asyncio.subprocess.Process | None = None

    async def start(
        self,
        host: str,
        key: str,
        path: str = "",
        events: Sequence[dict[str, Any]] = tuple(EVENTS),
        options: dict[str, Any] | None = None,
    ) -> Self:
        program = sys.executable
        if self._path.suffix == ".mjs":
            packages()
            program = "node"
        self._process = await asyncio.create_subprocess_exec(
            program,
            str(self._path),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=clean_environment(),
        )
        given = {"host": host, "path": path, "key": key, "events": list(events), "options": options or {}}
        assert self._process.stdin
        self._process.stdin.write(json.dumps(given).encode())
        self._process.stdin.close()
        return self

    async def says(self, pattern: str) -> None:
        """Wait until it has written what matches a pattern."""
        assert self._process
        assert self._process.stdout
        async with asyncio.timeout(GENEROUS_SECONDS):
            while not re.search(pattern, self._output):
                piece = await self._process.stdout.readline()
                assert piece, self._output
                self._output += piece.decode()

    async def finish(self) -> str:
        """Return all that it has written, when it has ended well."""
        assert self._process
        async with asyncio.timeout(GENEROUS_SECONDS):
            rest, _ = await self._process.communicate()
        self._output += rest.decode()
        assert self._process.returncode == 0, self._output
        return self._output

    async def run(self, *arguments: Any, **named: Any) -> str:
        await self.start(*arguments, **named)
        return await self.finish()

    def kill(self) -> None:
        if self._process and self._process.returncode is None:
            self._process.kill()


class Page:
    """A page with a client, and what it writes to its console."""

    def __init__(self, page: BrowserPage) -> None:
        self._page = page
        self._changed = asyncio.Event()
        self.console: list[str] = []
        self.failed: list[str] = []  # requests without an answer, or with one that the page may not see
        page.on("console", lambda message: self._note(self.console, message.text))
        page.on("pageerror", lambda fault: self._note(self.console, f"exception: {fault}"))
        page.on("requestfailed", lambda request: self._note(self.failed, request.url))

    def _note(self, notes: list[str], note: str) -> None:
        notes.append(note)
        self._changed.set()

    async def goto(self, url: str) -> None:
        await self._page.goto(url)
        await self._page.wait_for_function("Boolean(window.send)")

    async def send(self, host: str, key: str, events: Sequence[dict[str, Any]], options: dict[str, Any] | None) -> None:
        """Have events sent; return when the page has done so, or when its client has taken them over."""
        given = {"host": host, "key": key, "events": list(events), "options": options or {}}
        await self._page.evaluate("given => send(given)", given)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that the console or a failed request shows."""
        async with asyncio.timeout(GENEROUS_SECONDS):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


Fields = Callable[[dict[str, Any]], dict[str, Any]]
"""What an original has of an event that a client was given."""


def jitsu_fields(event: dict[str, Any]) -> dict[str, Any]:
    return {"event_type": event["name"], **event["properties"]}


def segment_fields(event: dict[str, Any]) -> dict[str, Any]:
    """Return what Jitsu 2's client and Segment's have in common."""
    return {"type": "track", "event": event["name"], "properties": event["properties"]}


def check(received: Sequence[dict[str, Any]], fields: Fields, events: Sequence[dict[str, Any]] = tuple(EVENTS)) -> None:
    """See that all events were received, complete and in order, each once."""
    expected = [fields(event) for event in events]
    kept = expected[0] if expected else {}
    assert [{name: original.get(name) for name in kept} for original in received] == expected


Serve = Callable[..., Awaitable[tuple[Sidecar, Gate]]]
OpenPage = Callable[[str], Awaitable[Page]]


async def originals(sidecar: Sidecar, stream_id: str, count: int = len(EVENTS)) -> list[dict[str, Any]]:
    """Return the originals of a token in the order in which they came, when there are as many."""
    query = f"namespace=token&ids={stream_id}&limit=1000"
    if count:
        query += f"&wait={_WAIT_SECONDS}&min={count}"
    return [event["original"] for event in reversed(await sidecar.events(query))]
