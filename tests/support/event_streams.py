"""Reads event streams, and makes what they send."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
from yarl import URL

from eventscache.errors import StorageUnavailable
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Page, Query
from eventscache.storage.options import StorageOptions
from eventscache.stream import Stream
from tests.support.fake_clock import GENEROUS_SECONDS
from tests.support.sidecar import Sidecar

STREAM = "/api/v1/events/stream"


class Frame(NamedTuple):
    event: str
    data: Any
    id: str | None


class EventStream:
    """Reads the frames of a stream."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer
        self.frames: list[Frame] = []
        self.comments = 0

    async def block(self) -> str:
        async with asyncio.timeout(GENEROUS_SECONDS):
            return (await self.answer.content.readuntil(b"\n\n")).decode()[:-2]

    async def next(self) -> Frame:
        while (block := await self.block()).startswith(":"):
            self.comments += 1
        assert "\ndata: " in block, block
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        frame = Frame(fields["event"], json.loads(fields["data"]), fields.get("id"))
        self.frames.append(frame)
        return frame

    async def until(self, event: str) -> list[Frame]:
        """Return the frames before the next one of that kind, and it."""
        start = len(self.frames)
        while (await self.next()).event != event:
            pass
        return self.frames[start:]

    async def end(self) -> bytes:
        async with asyncio.timeout(GENEROUS_SECONDS):
            return await self.answer.content.read()


@asynccontextmanager
async def opened(sidecar: Sidecar, query: str = "", **headers: str) -> AsyncIterator[EventStream]:
    url = URL(f"{sidecar.address}{STREAM}?{query}", encoded=True)
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        stream = EventStream(answer)
        assert await stream.block() == "retry: 1000"
        yield stream


class FlakyStorage(MemoryStorage):
    """The memory storage, with a time of its own, which can be unavailable."""

    unavailable = False
    now_us = 1_600_000_000_000_000

    def __init__(self) -> None:
        super().__init__(StorageOptions(now=lambda: self.now_us))

    async def fetch(self, stream: Stream, query: Query) -> Page:
        if self.unavailable:
            raise StorageUnavailable("gone")
        return await super().fetch(stream, query)


def record(number: int, name: str = "d", **fields: Any) -> bytes:
    return json.dumps({"destination_id": name, "original": {"n": number}, **fields}).encode()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(GENEROUS_SECONDS):
        while not condition():
            await asyncio.sleep(0.001)
