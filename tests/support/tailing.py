"""`eventscache tail` inside a test: what it writes, and what it says."""

import asyncio
import io
import json
from typing import Any, Self

import pytest

from eventscache.address import Address
from eventscache.tail.output import Output
from eventscache.tail.query import TailQuery
from eventscache.tail.run import run
from tests.support.event_streams import until
from tests.support.fake_clock import FakeClock


class Terminal(io.BytesIO):
    """Takes what is written to a terminal."""

    def isatty(self) -> bool:
        return True


class Tailing:
    """Runs the command's work in a task of this loop. `clock` passes only when the test says so."""

    def __init__(self, url: str, capsys: pytest.CaptureFixture[str], *, token: str = "", **query: Any) -> None:
        self.clock = FakeClock()
        self._file = io.BytesIO()
        self._capsys = capsys
        self._said = ""
        options = {name: query.pop(name) for name in ("follows", "tells_left_out", "format_name") if name in query}
        options = {"format_name": "json", **options}
        output = Output(self._file)
        work = run(Address.parse(url), token, TailQuery(**query), output, clock=self.clock, **options)
        self._task = asyncio.create_task(work)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    @property
    def written(self) -> bytes:
        return self._file.getvalue()

    @property
    def lines(self) -> list[bytes]:
        return self.written.splitlines()

    @property
    def numbers(self) -> list[int]:
        """The `n` of the original of each event."""
        return [json.loads(line)["original"]["n"] for line in self.lines]

    @property
    def said(self) -> str:
        self._said += self._capsys.readouterr().err
        return self._said

    @property
    def notices(self) -> list[str]:
        return [json.loads(line)["notice"] for line in self.said.splitlines()]

    async def has(self, events: int) -> None:
        """Wait until so many events were written."""
        await until(lambda: len(self.lines) >= events or self._task.done())
        assert len(self.lines) == events, self.said

    async def says(self, words: str, times: int = 1) -> None:
        """Wait until it has said something."""
        await until(lambda: self.said.count(words) >= times or self._task.done())
        assert self.said.count(words) >= times, self.said

    async def end(self) -> None:
        """Wait for the end; raise the error that it ended with."""
        async with asyncio.timeout(20):
            await self._task


async def tailed(url: str, capsys: pytest.CaptureFixture[str], **options: Any) -> Tailing:
    """Return what was shown of the cached events, when that has ended."""
    async with Tailing(url, capsys, **options) as tailing:
        await tailing.end()
    return tailing
