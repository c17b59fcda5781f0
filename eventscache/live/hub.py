"""The shared look at streams that somebody watches: one look for each tick and collection, however many watch."""

import asyncio
from collections.abc import Iterable

import structlog

from eventscache.cache import EventsCache
from eventscache.clock import Clock
from eventscache.errors import EventsCacheError, StorageError
from eventscache.live.cursor import Cursor
from eventscache.live.messages import Client, StreamFilter
from eventscache.live.subscription import Subscription
from eventscache.live.tail import NOTHING, Tail
from eventscache.stream import Namespace, Stream

_log = structlog.get_logger()

TICK_SECONDS = 0.25
MOST_STREAMS = 100
MOST_WATCHERS = 100
_SECOND = 1.0
_LOOKS_AT_ONCE = 16


class TooManyWatchers(EventsCacheError):
    """Nobody more may watch for now."""


class CollectionPoller:
    """A collection that somebody watches; `came` counts since the last second began."""

    def __init__(self, cache: EventsCache, stream: Stream, *, errors: bool) -> None:
        self.stream = stream
        self.errors = errors
        self.tail = Tail(cache, stream, errors=errors)
        self.listeners: set[Subscription] = set()
        self.uses = 0
        self.came = 0
        self.away = False
        self._turn = asyncio.Lock()

    async def prime(self) -> None:
        """Look for the first time, unless that was done. Raises `StorageError`."""
        async with self._turn:
            if self.tail.place is None:
                await self.tail.read()

    async def look(self) -> None:
        """Tell all listeners what is new. Raises `StorageError`."""
        async with self._turn:
            changes = await self.tail.read()
            self.came += changes.came
            if changes is not NOTHING:
                for listener in self.listeners:
                    listener.take(self.stream, changes)


class Hub:
    """Looks at the storage for all who watch, and not at all while nobody does."""

    def __init__(self, cache: EventsCache, clock: Clock | None = None, *, most_watchers: int = MOST_WATCHERS) -> None:
        self.cache = cache
        self._most_watchers = most_watchers
        self.clock = clock or Clock()
        self.looks = asyncio.Semaphore(_LOOKS_AT_ONCE)
        self._subscriptions: dict[Subscription, None] = {}
        self._watches: dict[tuple[Stream, bool], CollectionPoller] = {}
        self._ticked = asyncio.Event()
        self._counted_at = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def watchers(self) -> int:
        """How many watch."""
        return len(self._subscriptions)

    def subscribe(
        self,
        wanted: StreamFilter,
        peer: Client,
        *,
        cursor: Cursor | None = None,
        history: int = 0,
        seconds: float | None = None,
    ) -> Subscription:
        """Return a subscription, to be given back by `leave`; it ends after `seconds`, if so many are given.

        It goes on where `cursor` says, or else begins with the newest `history` events of each stream. Raises
        `TooManyWatchers`.
        """
        if len(self._subscriptions) >= self._most_watchers:
            raise TooManyWatchers(f"{self._most_watchers} watch already, and no more are allowed")
        until = None if seconds is None else self.clock.now() + seconds
        subscription = Subscription(self, wanted, peer, cursor=cursor, history=history, until=until)
        if self._closed:
            subscription.end()
            return subscription
        self._subscriptions[subscription] = None
        if self._looking is None:
            self._counted_at = self.clock.now()
            self._looking = asyncio.create_task(self._look_on())
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """Take a subscription back."""
        subscription.close()
        self._subscriptions.pop(subscription, None)
        if not self._subscriptions and self._looking:
            self._looking.cancel()
            self._looking = None

    def close(self) -> None:
        """End all subscriptions at once; who comes from now on is told nothing."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.end()
            subscription.cut_if_unread()
        self._wake()

    async def streams(self, namespace: Namespace) -> list[Stream]:
        """Return the known streams that can be watched, most recently active first. Raises `StorageError`."""
        return [info.stream for info in await self.cache.streams(namespace, MOST_STREAMS)]

    def hold(self, stream: Stream, *, errors: bool) -> CollectionPoller:
        """Return the watch of a collection, to be given back by `release`."""
        watch = self._watches.get((stream, errors))
        if watch is None:
            watch = self._watches[stream, errors] = CollectionPoller(self.cache, stream, errors=errors)
        watch.uses += 1
        return watch

    def release(self, watch: CollectionPoller) -> None:
        """Look no more at a collection that nobody else holds."""
        watch.uses -= 1
        if not watch.uses:
            del self._watches[watch.stream, watch.errors]

    async def ticked(self) -> None:
        """Return at the end of the tick that is under way or comes next."""
        if not self._closed:
            await self._ticked.wait()

    def _wake(self) -> None:
        self._ticked.set()
        self._ticked = asyncio.Event()

    async def _look_on(self) -> None:
        while True:
            await self.clock.sleep(TICK_SECONDS)
            try:
                await self._tick()
            except Exception:  # who watches next is not to miss anything for it
                _log.exception("a look at the streams failed")
            self._wake()

    async def _tick(self) -> None:
        now = self.clock.now()
        for subscription in self._subscriptions:
            subscription.check(now)
        seconds = now - self._counted_at
        if seconds >= _SECOND:
            await self._meet({each.wanted.namespace for each in self._subscriptions if each.wanted.streams is None})
        await asyncio.gather(*map(self._look, [*self._watches.values()]))
        for subscription in self._subscriptions:
            if seconds >= _SECOND:
                subscription.count(seconds)
            subscription.finish_tick(now)
        if seconds >= _SECOND:
            self._counted_at = now
            for watch in self._watches.values():
                watch.came = 0

    async def _look(self, watch: CollectionPoller) -> None:
        try:
            async with self.looks:
                await watch.look()
            watch.away = False
        except Exception as fault:
            if not isinstance(fault, StorageError):  # a backend's bug: told as if it were away
                _log.exception("a look at a stream failed")
            watch.away = True
            for listener in watch.listeners:
                listener.miss()

    async def _meet(self, namespaces: Iterable[Namespace]) -> None:
        """Let those who watch all streams of a namespace know which there are."""
        for namespace in namespaces:
            try:
                known = frozenset(await self.streams(namespace))
            except StorageError:
                continue  # the looks tell
            for subscription in self._subscriptions:
                if subscription.wanted.namespace is namespace:
                    subscription.meet(known)
