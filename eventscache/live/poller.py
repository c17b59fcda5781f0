"""Polls collections of streams: each once per tick, however many subscriptions listen to it."""

import asyncio
from typing import Protocol

import structlog

from eventscache.cache import EventsCache
from eventscache.errors import StorageError
from eventscache.live.tail import NO_CHANGES, Changes, Selection, Tail
from eventscache.query.turns import Work
from eventscache.stream import Stream

_log = structlog.get_logger()

_MAX_CONCURRENT_POLLS = 16


class Listener(Protocol):
    """Gets the results of polls. Its methods never wait."""

    def on_changes(self, stream: Stream, changes: Changes) -> None:
        """Take what is new in a collection."""

    def on_unavailable(self) -> None:
        """Note that a poll failed: the storage is unavailable."""


class CollectionPoller:
    """Polls one collection. `arrived` counts its new events until `Pollers.reset_arrived`."""

    def __init__(self, cache: EventsCache, stream: Stream, selection: Selection) -> None:
        self.stream = stream
        self.selection = selection
        self.tail = Tail(cache, stream, selection)
        self.listeners: set[Listener] = set()
        self.users = 0
        self.arrived = 0
        self.unavailable = False
        self._work = Work(cache.turns)
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Poll for the first time, unless that was done. Raises `StorageError`."""
        async with self._lock:
            if self.tail.position is None:
                await self.tail.poll()

    async def poll(self) -> None:
        """Give all listeners what is new. Raises `StorageError`."""
        async with self._lock:
            changes = await self.tail.poll()
            self.arrived += changes.arrived
            if changes is not NO_CHANGES:
                await self._tell(changes)
        self.unavailable = False

    async def _tell(self, changes: Changes) -> None:
        """Give changes to all who listen now; who begins to meanwhile has read them from the storage."""
        size_bytes = sum(live_event.size_bytes for live_event in changes.events)
        for listener in [*self.listeners]:
            if listener in self.listeners:
                listener.on_changes(self.stream, changes)
                await self._work.spend(size_bytes)

    def fail(self) -> None:
        """Note that a poll failed, and let all listeners know."""
        self.unavailable = True
        for listener in self.listeners:
            listener.on_unavailable()


class Pollers:
    """The pollers of all collections that are in use, and the ticks at which they poll.

    `slots` bounds how many reads of the storage run at once.
    """

    def __init__(self, cache: EventsCache) -> None:
        self.cache = cache
        self.slots = asyncio.Semaphore(_MAX_CONCURRENT_POLLS)
        self._pollers: dict[tuple[Stream, Selection], CollectionPoller] = {}
        self._tick_ended = asyncio.Event()

    def acquire(self, stream: Stream, selection: Selection) -> CollectionPoller:
        """Return the poller of a collection, to be given back by `release`."""
        poller = self._pollers.get((stream, selection))
        if poller is None:
            poller = self._pollers[stream, selection] = CollectionPoller(self.cache, stream, selection)
        poller.users += 1
        return poller

    def release(self, poller: CollectionPoller) -> None:
        """Give a poller back; without users it polls no more."""
        poller.users -= 1
        if not poller.users:
            del self._pollers[poller.stream, poller.selection]

    async def poll(self) -> None:
        """Poll each collection once."""
        await asyncio.gather(*map(self._poll, [*self._pollers.values()]))

    def reset_arrived(self) -> None:
        """Count new events from zero again."""
        for poller in self._pollers.values():
            poller.arrived = 0

    def end_tick(self) -> None:
        """Wake all who wait for the end of a tick."""
        self._tick_ended.set()
        self._tick_ended = asyncio.Event()

    async def tick_ended(self) -> None:
        """Return at the end of the tick that runs now or comes next."""
        await self._tick_ended.wait()

    async def _poll(self, poller: CollectionPoller) -> None:
        try:
            async with self.slots:
                await poller.poll()
        except Exception as fault:
            if not isinstance(fault, StorageError):  # a bug of a backend, treated as if the storage were unavailable
                _log.exception("polling a stream failed")
            poller.fail()
