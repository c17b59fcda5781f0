"""A hub over a storage and a time that a test controls, and subscribers that record what they receive."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from eventscache.cache import EventsCache
from eventscache.clock import MICROSECONDS
from eventscache.errors import StorageUnavailable
from eventscache.event import Event
from eventscache.live.cursor import Cursor
from eventscache.live.hub import Hub
from eventscache.live.messages import Counters, Message, Signal
from eventscache.live.stream_filter import StreamFilter
from eventscache.live.tail import LiveEvent
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Page, Query, Quota, StreamInfo
from eventscache.stream import Namespace, Status, Stream
from tests.support.fake_clock import GENEROUS_SECONDS, FakeClock

A, B, C = (Stream(Namespace.TOKEN, name) for name in "abc")
ALL = StreamFilter(Namespace.TOKEN)
ONLY_A = StreamFilter(Namespace.TOKEN, (A,))
ERRORS = ALL._replace(status=Status.ERROR)
SIZE = 10


class RecordingStorage(MemoryStorage):
    """The memory storage, which records fetches and can be unavailable."""

    def __init__(self) -> None:
        super().__init__()
        self.fetches: list[tuple[Stream, Query]] = []
        self.lists = 0
        self.unavailable = False
        self.in_flight = self.max_in_flight = 0
        self.gate: asyncio.Event | None = None

    async def fetch(self, stream: Stream, query: Query) -> Page:
        self.fetches.append((stream, query))
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        if self.gate:
            await self.gate.wait()
        self.in_flight -= 1
        if self.unavailable:
            raise StorageUnavailable("gone")
        return await super().fetch(stream, query)

    async def streams(self, namespace: Namespace, limit: int | None = None) -> list[StreamInfo]:
        self.lists += 1
        if self.unavailable:
            raise StorageUnavailable("gone")
        return await super().streams(namespace, limit)


class FakeClient:
    def __init__(self) -> None:
        self.gone = False
        self.unread = 0
        self.was_cut = False

    def cut(self) -> None:
        self.was_cut = True


class Subscriber:
    """Reads each message at once, unless `reads` is cleared."""

    def __init__(self, hub: Hub, stream_filter: StreamFilter, **options: Any) -> None:
        self.client = FakeClient()
        self.hub = hub
        self.received: list[Message] = []
        self.cursors: list[str] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.subscription = hub.subscribe(stream_filter, self.client, **options)
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self.subscription.messages():
            self.received.append(message)
            self.cursors.append(self.subscription.cursor)
            await self.reads.wait()

    async def ready(self) -> None:
        await until(lambda: Signal.READY in self.received)

    async def leave(self) -> None:
        self.hub.leave(self.subscription)
        async with asyncio.timeout(GENEROUS_SECONDS):
            await self.task

    @property
    def cursor(self) -> Cursor:
        """The cursor of the last message."""
        return Cursor.parse(self.cursors[-1])

    def events(self) -> list[tuple[str, int]]:
        return [(each.stream.id, each.sequence) for each in self.received if isinstance(each, LiveEvent)]

    def counters(self) -> list[Counters]:
        return [message for message in self.received if isinstance(message, Counters)]

    def others(self) -> list[Message]:
        return [message for message in self.received if not isinstance(message, LiveEvent | Counters)]


class LiveBench:
    def __init__(self, stack: AsyncExitStack, size: int = SIZE, **settings: Any) -> None:
        self.storage = RecordingStorage()
        self.cache = EventsCache(
            self.storage,
            quota=Quota(size, MICROSECONDS),
            ack_timeout_seconds=60,
            storage_timeout_seconds=60,
            **settings,
        )
        self.clock = FakeClock()
        self.hub = Hub(self.cache, self.clock)
        self._stack = stack

    async def store(self, stream: Stream, count: int = 1, **fields: Any) -> None:
        """Store events as if the limiter knew nothing of those before."""
        for _ in range(count):
            event = Event.of(stream, original=b'{"event_type":"page"}', **fields)
            receipt = await self.cache.store([(stream, event)])
            assert receipt
            assert receipt.stored
            self.storage._streams[stream.namespace][stream.id].state.reset()
            self.cache.queue.end_cooldowns(stream)

    @staticmethod
    def originals(subscriber: Subscriber) -> list[Any]:
        return [json.loads(each.event.original) for each in subscriber.received if isinstance(each, LiveEvent)]

    def subscribe(self, stream_filter: StreamFilter = ALL, **options: Any) -> Subscriber:
        """Return a subscriber, perhaps of another hub, that leaves when the test ends."""
        subscriber = Subscriber(options.pop("hub", self.hub), stream_filter, **options)
        self._stack.push_async_callback(subscriber.leave)
        return subscriber

    async def ready(self, stream_filter: StreamFilter = ALL, **options: Any) -> Subscriber:
        """Return a subscriber that has received all events from before."""
        subscriber = self.subscribe(stream_filter, **options)
        await subscriber.ready()
        return subscriber

    async def tick(self, count: int = 1) -> None:
        for _ in range(count):
            await self.clock.advance()
            await yield_to_tasks()


async def yield_to_tasks() -> None:
    """Let all tasks that were woken run, and those that they wake."""
    for _ in range(20):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(GENEROUS_SECONDS):
        while not condition():
            await asyncio.sleep(0)
