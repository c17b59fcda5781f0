"""What one watcher is told: what was before, then what comes, until they leave or read too slowly."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import TYPE_CHECKING, NamedTuple

from eventscache.errors import StorageError
from eventscache.live.cursor import START, Cursor, Position, part, written
from eventscache.live.messages import Cleared, Client, Counters, Gap, Message, Signal, StreamFilter
from eventscache.live.tail import Changes, LiveEvent, Tail
from eventscache.storage.messages import Query
from eventscache.stream import Stream

if TYPE_CHECKING:
    from eventscache.live.hub import CollectionPoller, Hub

_MOST_UNREAD_BYTES = 1024 * 1024
_PASSED_BYTES = 100
_QUIET_SECONDS = 15.0
_MOST_PLACES = 200  # of streams that are watched, or were: they travel in a header


class _Passed(NamedTuple):
    """An event that is not wanted."""

    stream: Stream
    place: Position


class _First(NamedTuple):
    """The oldest event that there still is, after a gap."""

    stream: Stream
    sequence: int


class _Restart(NamedTuple):
    """The numbers of a stream began anew."""

    stream: Stream


_Waiting = LiveEvent | Signal | Cleared | Counters | _Passed | _First | _Restart


class Subscription:
    """One watcher's view of the streams. Its `cursor` says at any time what was told."""

    def __init__(
        self,
        hub: "Hub",
        wanted: StreamFilter,
        peer: Client,
        *,
        cursor: Cursor | None = None,
        history: int = 0,
        until: float | None = None,
    ) -> None:
        self.wanted = wanted
        self.ended = False
        self._hub = hub
        self._peer = peer
        self._resumed = cursor
        self._history = history
        self._until = until
        self._places: dict[Stream, Position] = {}
        self._parts: dict[Stream, str] = {}  # of the cursor
        self._followed: dict[
            Stream, tuple[CollectionPoller, CollectionPoller]
        ] = {}  # where its events come from, and where they count
        self._queue: deque[_Waiting] = deque()
        self._queued_bytes = 0
        self._woken = asyncio.Event()
        self._ready = False
        self._away = False  # the storage, and what was told of it
        self._told_away = False
        self._stale = True  # there are streams that are not followed yet
        self._spoken_at = hub.clock.now()

    @property
    def cursor(self) -> str:
        """The text by which somebody can go on after what was told last."""
        return written(self._parts.values())

    def end(self) -> None:
        """Tell nothing more."""
        self.ended = True
        self._woken.set()

    def close(self) -> None:
        """Let go of everything."""
        self.end()
        for stream in [*self._followed]:
            self._leave(stream)

    def cut_if_unread(self) -> None:
        """Cut the connection if it would have to be waited for."""
        if self._peer.unread:
            self._peer.cut()

    async def messages(self) -> AsyncGenerator[Message, None]:
        """Yield what was before, `READY`, and then whatever comes, until the end."""
        while not self.ended:
            if self._stale:
                self._stale = False
                async for item in self._caught_up():
                    yield item
                if not self._ready and not self.ended:
                    self._ready = True
                    yield self._spoken(Signal.READY)
            if turn := self._turn():
                yield turn
            while self._queue and not self.ended:
                waiting = self._queue.popleft()
                self._queued_bytes -= _size(waiting)
                if told := self._told(waiting):
                    yield told
            if not (self._queue or self._stale or self.ended or self._away is not self._told_away):
                await self._woken.wait()
                self._woken.clear()

    async def _caught_up(self) -> AsyncIterator[Message]:
        """Yield what is to be told of streams that are not followed yet, however long the storage is away."""
        while not self.ended:
            try:
                async for item in self._catch_up():
                    yield item
            except StorageError:
                self._away = True
                if turn := self._turn():
                    yield turn
                await self._hub.ticked()
                if self._silent(self._hub.clock.now()):
                    yield self._spoken(Signal.KEEPALIVE)
                continue
            self._come_back()
            if turn := self._turn():
                yield turn
            return

    async def _catch_up(self) -> AsyncIterator[Message]:
        """Find where each stream begins, read on from there without haste, and at last follow what comes.

        What can be long is told before anything is followed: what comes meanwhile need not wait in memory.
        """
        streams = self.wanted.streams
        if streams is None:
            streams = tuple(await self._hub.streams(self.wanted.namespace))
            for stream in self._followed.keys() - set(streams):
                self._leave(stream)
        missing = [stream for stream in streams if not self._follows(stream)]
        for fault in await asyncio.gather(*map(self._begin, missing), return_exceptions=True):
            if fault:
                raise fault
        for stream in missing:
            async for item in self._read_on(stream, fresh=not self._ready and self._resumed is not None):
                yield item
        for stream in missing:
            listeners = self._followed[stream][0].listeners
            listeners.add(self)
            try:
                async for item in self._read_on(stream, fresh=False):
                    yield item
            except StorageError:
                listeners.discard(self)  # it is not followed before that is read
                raise

    def _follows(self, stream: Stream) -> bool:
        return stream in self._followed and self in self._followed[stream][0].listeners

    async def _begin(self, stream: Stream) -> None:
        """Find the number from which a stream is told."""
        if stream not in self._followed:
            watch = self._hub.hold(stream, errors=self.wanted.errors)
            counted = self._hub.hold(stream, errors=False)
            self._followed[stream] = (watch, counted)
        async with self._hub.looks:
            for watch in self._followed[stream]:
                await watch.prime()
            if stream not in self._places:
                self._move(stream, await self._start(stream))

    async def _start(self, stream: Stream) -> Position:
        if self._resumed:
            return self._resumed.place(stream)
        if self._ready:  # it appeared since
            return START
        newest = self._followed[stream][0].tail.place or START
        if self._history:
            query = Query(self.wanted.status, limit=self._history)
            found = await self._hub.cache.fetch(stream, query, self.wanted.search)
            return Position(found.events[-1][0] - 1) if found.events else newest
        return newest

    async def _read_on(self, stream: Stream, *, fresh: bool) -> AsyncIterator[Message]:
        """Yield what came after what was told last; unless it is to be fresh, after the last shared look may do."""
        place = self._places[stream]
        if place == self._followed[stream][0].tail.place and not fresh:
            return
        tail = Tail(self._hub.cache, stream, errors=self.wanted.errors, place=place)
        async with self._hub.looks:
            changes = await tail.read()
        if tail.place and tail.place.empty:
            self._move(stream, tail.place)
        for waiting in self._items(stream, changes):
            if self.ended:
                return
            if item := self._told(waiting):
                yield item

    def _items(self, stream: Stream, changes: Changes) -> Iterator[_Waiting]:
        if changes.cleared:
            yield Cleared(stream)
        if changes.restarted or self._begins_anew(stream, changes):
            yield _Restart(stream)
        elif changes.gap:
            yield _First(stream, changes.seen[0].sequence)
        for seen in changes.seen:
            yield seen if self.wanted.matches(seen) else _Passed(stream, seen.place)

    def _begins_anew(self, stream: Stream, changes: Changes) -> bool:
        """Tell whether numbers come again that were told before the stream was empty: the shared look may not know."""
        place = self._places.get(stream, START)
        if not (place.empty and changes.seen and changes.seen[0].sequence <= place.number):
            return False
        self._move(stream, START)  # not twice
        return True

    def _told(self, waiting: _Waiting) -> Message | None:
        """Move on, and return what there is to be told, if it was not told before."""
        item: Message | None
        if isinstance(waiting, LiveEvent | _Passed | _First | _Restart):
            # Of a stream that was left so long ago that it is forgotten, nothing is told.
            place = self._places.get(waiting.stream)
            item = None if place is None else self._moved(waiting, place.number)
        else:
            item = waiting
        if item:
            self._spoken(item)
        return item

    def _moved(self, waiting: LiveEvent | _Passed | _First | _Restart, position: int) -> Message | None:
        match waiting:
            case _Restart(stream):
                self._move(stream, START)
                return Gap(stream, None)
            case _First(stream, first):
                # Of a stream that appears again nobody missed what was before.
                missed = first - position - 1 if position or not self._ready else 0
                return Gap(stream, missed) if missed > 0 else None
        if waiting.place.number <= position:
            return None
        self._move(waiting.stream, waiting.place)
        return waiting if isinstance(waiting, LiveEvent) else None

    def _turn(self) -> Message | None:
        """Return that the storage is away, or back, if that was not told."""
        if self._away is self._told_away:
            return None
        self._told_away = self._away
        return self._spoken(Signal.AWAY if self._away else Signal.BACK)

    def _come_back(self) -> None:
        if self._away and not any(watch.away for pair in self._followed.values() for watch in pair):
            self._away = False
            self._woken.set()

    def _spoken(self, item: Message) -> Message:
        self._spoken_at = self._hub.clock.now()
        return item

    def _silent(self, now: float) -> bool:
        return now - self._spoken_at >= _QUIET_SECONDS

    def _move(self, stream: Stream, place: Position) -> None:
        self._places[stream] = place
        self._parts[stream] = part(stream, place)

    def _leave(self, stream: Stream) -> None:
        """Follow a stream no more, but remember for a while how far it was told."""
        for watch in self._followed.pop(stream):
            watch.listeners.discard(self)
            self._hub.release(watch)
        left = [known for known in self._places if known not in self._followed]
        for known in left[: max(0, len(self._places) - _MOST_PLACES)]:
            del self._places[known], self._parts[known]

    # What the hub calls at each tick; none of it waits.

    def take(self, stream: Stream, changes: Changes) -> None:
        """Queue what came into a stream."""
        for waiting in self._items(stream, changes):
            self._put(waiting)

    def _put(self, waiting: _Waiting) -> None:
        self._queue.append(waiting)
        self._queued_bytes += _size(waiting)
        self._woken.set()

    def miss(self) -> None:
        """Note that the storage does not answer."""
        self._away = True
        self._woken.set()

    def check(self, now: float) -> None:
        """End it if its time is up or nobody reads; cut off who has not read what was there a tick ago."""
        if self._peer.gone or (self._until is not None and now >= self._until):
            self.end()
        elif self._queued_bytes + self._peer.unread > _MOST_UNREAD_BYTES:
            self._peer.cut()
            self.end()

    def meet(self, streams: frozenset[Stream]) -> None:
        """Compare the streams that are followed with those that are known."""
        if self._ready and self.wanted.streams is None and streams != self._followed.keys():
            self._stale = True
            self._woken.set()

    def finish_tick(self, now: float) -> None:
        """Tell that the storage is back, or that there is nothing to tell."""
        if not self._ready:
            return
        self._come_back()
        if not self._queue and self._silent(now):
            self._put(Signal.KEEPALIVE)

    def count(self, seconds: float) -> None:
        """Tell the counters of the time since the last ones."""
        if not self._ready:
            return
        watches = [watch for watch, _ in self._followed.values()]
        came = sum(counted.came for _, counted in self._followed.values())
        self._put(
            Counters(
                round(came / seconds, 2),
                sum(watch.tail.limited for watch in watches),
                sum(watch.tail.total for watch in watches),
                self._hub.cache.ledger.dropped.total(),
                len(watches),
            )
        )


def _size(waiting: _Waiting) -> int:
    return waiting.size if isinstance(waiting, LiveEvent) else _PASSED_BYTES
