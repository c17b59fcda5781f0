"""An events cache over a storage that records its batches and can fail, on a clock that a test moves."""

import asyncio
from collections.abc import AsyncIterator, Callable, Container
from contextlib import asynccontextmanager

from eventscache.cache import EventsCache
from eventscache.clock import MICROSECONDS
from eventscache.delivery.stream_buffer import StreamBuffer
from eventscache.errors import StorageUnavailable
from eventscache.event import Event
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Admission, Batch, Quota
from eventscache.storage.options import StorageOptions
from eventscache.stream import Namespace, Stream
from eventscache.testing import ManualClock

TOKEN = Stream(Namespace.TOKEN, "key")
QUOTA = Quota(10, 60 * MICROSECONDS)
GENEROUS_SECONDS = 20


class RecordingStorage(MemoryStorage):
    """The memory storage, with every batch and answer; it raises its `faults` first, one per call."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(StorageOptions(now=lambda: self.now_us or clock()))
        self.now_us = 0
        self.batches: list[Batch] = []
        self.answers: list[Admission] = []
        self.faults: list[Exception | None] = []
        self.unavailable: Stream | None = None
        self.away: Container[Stream] = ()  # the same of many streams
        self.gate: asyncio.Event | None = None
        self.lose_reply = False

    async def insert(self, batch: Batch) -> Admission:
        self.batches.append(batch)
        if self.gate:
            await self.gate.wait()
        if self.faults and (fault := self.faults.pop(0)):
            raise fault
        if batch.stream == self.unavailable or batch.stream in self.away:
            raise StorageUnavailable("no connection", ambiguous=False)
        admission = await super().insert(batch)
        self.answers.append(admission)
        if self.lose_reply:
            self.lose_reply = False
            raise StorageUnavailable("the reply was lost")
        return admission


class CacheBench:
    """The cache, its storage and its clock."""

    def __init__(self, **settings) -> None:
        self.clock = ManualClock()
        self.storage = RecordingStorage(self.clock)
        self.cache = EventsCache(self.storage, now_us=self.clock, **{"quota": QUOTA, **settings})
        self.ledger = self.cache.ledger

    def offer(self, count: int = 1, stream: Stream = TOKEN, **fields) -> bool:
        return self.cache.offer([(stream, Event.of(stream, original=b"{}", **fields)) for _ in range(count)])

    def buffer(self) -> StreamBuffer:
        buffer = self.cache.queue.buffer(TOKEN)
        assert buffer
        return buffer

    async def settled(self) -> None:
        """Return when no event is queued."""
        await until(lambda: self.ledger.queued == 0)
        assert self.ledger.balanced


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(GENEROUS_SECONDS):
        while not condition():
            await asyncio.sleep(0)


@asynccontextmanager
async def opened(**settings) -> AsyncIterator[CacheBench]:
    bench = CacheBench(**settings)
    await bench.cache.open()
    try:
        yield bench
    finally:
        await bench.cache.close(0)
