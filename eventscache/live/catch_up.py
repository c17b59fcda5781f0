"""Brings a subscription up to date with streams that it does not follow yet."""

import asyncio
from collections.abc import AsyncIterator

from eventscache.errors import StorageError
from eventscache.live.cursor import START, Cursor, Position
from eventscache.live.followed_streams import FollowedStreams
from eventscache.live.messages import Message
from eventscache.live.outbox import FilteredOut, Outbox
from eventscache.live.poller import Pollers
from eventscache.live.stream_filter import StreamFilter
from eventscache.live.tail import LiveEvent, Tail
from eventscache.query.turns import Work
from eventscache.storage.messages import Query
from eventscache.stream import Stream


class CatchUp:
    """Reads streams up to where their pollers are, and from then on listens to the pollers.

    It begins at `cursor`, or else with the newest `history` events of each stream. A stream that appears later begins
    with its first event.
    """

    def __init__(
        self,
        stream_filter: StreamFilter,
        pollers: Pollers,
        streams: FollowedStreams,
        outbox: Outbox,
        *,
        cursor: Cursor | None,
        history: int,
    ) -> None:
        self._filter = stream_filter
        self._pollers = pollers
        self._cache = pollers.cache
        self._streams = streams
        self._outbox = outbox
        self._positions = outbox.positions
        self._cursor = cursor
        self._history = history
        self._work = Work(pollers.cache.turns)

    async def messages(self) -> AsyncIterator[Message]:
        """Follow the streams of the filter, and no others; yield the events from before of new ones.

        What can be long is yielded before any poller is listened to, so that new events need not wait in memory
        meanwhile. Raises `StorageError`; the next call goes on from there.
        """
        streams = await self._filter.resolve(self._cache)
        for stream in set(self._streams) - set(streams):
            self._unfollow(stream)
        new = [stream for stream in streams if not self._streams.listens(stream)]
        for fault in await asyncio.gather(*map(self._start, new), return_exceptions=True):
            if fault:
                raise fault
        resumes = self._cursor is not None and not self._outbox.ready
        for stream in new:
            async for message in self._read(stream, poll_again=resumes):
                yield message
        for stream in new:
            async for message in self._listen(stream):
                yield message

    def _unfollow(self, stream: Stream) -> None:
        """Follow a stream no more, but remember its position for a while."""
        self._streams.remove(stream)
        self._positions.prune(keep=self._streams)

    async def _start(self, stream: Stream) -> None:
        """Take the pollers of a stream, and find the position at which it begins."""
        followed = self._streams.add(stream)
        async with self._pollers.slots:
            for poller in followed:
                await poller.start()
            if self._positions.get(stream) is None:
                self._positions.move(stream, await self._start_position(stream))

    async def _start_position(self, stream: Stream) -> Position:
        if self._cursor is not None:
            return self._cursor.position(stream)
        if self._outbox.ready:  # the stream has appeared since
            return START
        newest = self._streams[stream].selected.tail.position or START
        if not self._history:
            return newest
        query = Query(self._filter.status, limit=self._history, extra=self._filter.extra)
        page = await self._cache.fetch(stream, query, self._filter.event_filter)
        return Position(page.events[-1][0] - 1) if page.events else newest

    async def _read(self, stream: Stream, *, poll_again: bool) -> AsyncIterator[Message]:
        """Yield what is new since the position; `poll_again` even if the poller is at the same position."""
        position = self._positions.get(stream)
        if position == self._streams[stream].selected.tail.position and not poll_again:
            return
        tail = Tail(self._cache, stream, self._filter.selection, position=position)
        async with self._pollers.slots:
            changes = await tail.poll()
        if tail.position and tail.position.empty:
            self._positions.move(stream, tail.position)
        sizes = iter([live_event.size_bytes for live_event in changes.events])
        for entry in self._outbox.entries(stream, changes):
            await self._work.spend(next(sizes) if isinstance(entry, LiveEvent | FilteredOut) else 0)
            if self._outbox.closed:
                return
            if message := self._outbox.message(entry):
                yield message

    async def _listen(self, stream: Stream) -> AsyncIterator[Message]:
        """Listen to the poller of a stream, and yield what is new since it was read."""
        self._streams.listen(stream)
        try:
            async for message in self._read(stream, poll_again=False):
                yield message
        except StorageError:
            self._streams.stop_listening(stream)  # until that was read
            raise
