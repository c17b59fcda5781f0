"""One subscriber's view of its streams: first the events from before, then those that come."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Protocol

from eventscache.clock import Clock
from eventscache.errors import StorageError
from eventscache.live.catch_up import CatchUp
from eventscache.live.cursor import Cursor
from eventscache.live.followed_streams import FollowedStreams
from eventscache.live.messages import Message, Signal
from eventscache.live.outbox import Outbox, Queued
from eventscache.live.poller import Pollers
from eventscache.live.stream_filter import StreamFilter
from eventscache.live.tail import Changes
from eventscache.stream import ALL_STREAMS, Stream

_MAX_UNREAD_BYTES = 1024 * 1024
_KEEPALIVE_SECONDS = 15.0


class Client(Protocol):
    """The connection over which messages are sent."""

    @property
    def gone(self) -> bool:
        """Whether the other side has left, or may not read any more what it reads."""

    @property
    def unread(self) -> int:
        """How many bytes were sent and not read yet."""

    def cut(self) -> None:
        """End the connection at once."""


class Subscription:
    """Yields messages to one client until it leaves, reads too slowly, or its time is up.

    It resumes at a cursor, or else begins with the newest `history` events of each stream.
    """

    def __init__(
        self,
        stream_filter: StreamFilter,
        client: Client,
        pollers: Pollers,
        clock: Clock,
        *,
        cursor: Cursor | None = None,
        history: int = 0,
        until: float | None = None,
    ) -> None:
        self.stream_filter = stream_filter
        self._client = client
        self._pollers = pollers
        self._clock = clock
        self._until = until
        self._outbox = Outbox(stream_filter)
        self._streams = FollowedStreams(self, pollers, stream_filter.selection)
        self._catch_up = CatchUp(stream_filter, pollers, self._streams, self._outbox, cursor=cursor, history=history)
        self._streams_changed = True  # there may be streams that are not followed yet
        self._wakeup = asyncio.Event()
        self._unavailable = False  # the storage; and what was sent about it
        self._sent_unavailable = False
        self._sent_at = clock.now()

    @property
    def cursor(self) -> str:
        """The text by which a client can resume after the last message."""
        return self._outbox.positions.cursor

    @property
    def ready(self) -> bool:
        """Whether all events from before were yielded."""
        return self._outbox.ready

    @property
    def ended(self) -> bool:
        """Whether no more messages are yielded."""
        return self._outbox.closed

    def end(self) -> None:
        """Yield no more messages."""
        self._outbox.closed = True
        self._wakeup.set()

    def close(self) -> None:
        """End, and give all pollers back."""
        self.end()
        self._streams.clear()

    def cut_if_unread(self) -> None:
        """Cut the connection if the client would have to be waited for."""
        if self._client.unread:
            self._client.cut()

    async def messages(self) -> AsyncGenerator[Message, None]:
        """Yield the events from before, `READY`, and then whatever comes, until the end."""
        while not self.ended:
            if self._streams_changed:
                self._streams_changed = False
                async for message in self._caught_up():
                    yield self._stamped(message)
            for message in self._queued():
                yield self._stamped(message)
            if not (self._outbox or self._streams_changed or self.ended or self._availability_changed):
                await self._wakeup.wait()
                self._wakeup.clear()

    def _stamped(self, message: Message) -> Message:
        self._sent_at = self._clock.now()
        return message

    def _queued(self) -> Iterator[Message]:
        yield from self._availability()
        while self._outbox and not self.ended:
            if message := self._outbox.pop():
                yield message

    @property
    def _availability_changed(self) -> bool:
        return self._unavailable is not self._sent_unavailable

    def _availability(self) -> Iterator[Signal]:
        """Yield `AWAY` or `BACK` unless it was the last one that was sent."""
        if self._availability_changed:
            self._sent_unavailable = self._unavailable
            yield Signal.AWAY if self._unavailable else Signal.BACK

    async def _caught_up(self) -> AsyncIterator[Message]:
        """Follow the streams that are not followed yet; try again at each tick while the storage is unavailable."""
        while not self.ended:
            try:
                async for message in self._catch_up.messages():
                    yield message
            except StorageError:
                async for message in self._wait_for_storage():
                    yield message
                continue
            self._check_available()
            for signal in self._availability():
                yield signal
            if not self.ready and not self.ended:
                self._outbox.ready = True
                yield Signal.READY
            return

    async def _wait_for_storage(self) -> AsyncIterator[Message]:
        """Return at the end of a tick; meanwhile yield `AWAY`, or `KEEPALIVE` after 15 seconds of silence."""
        self._unavailable = True
        for signal in self._availability():
            yield signal
        if not self.ended:
            await self._pollers.tick_ended()
        if self._is_silent(self._clock.now()):
            yield Signal.KEEPALIVE

    # What a poller or the hub calls at a tick. None of it waits.

    def on_changes(self, stream: Stream, changes: Changes) -> None:
        """Queue what is new in a stream."""
        for entry in self._outbox.entries(stream, changes):
            self._put(entry)

    def on_unavailable(self) -> None:
        """Note that the storage is unavailable."""
        self._unavailable = True
        self._wakeup.set()

    def check_client(self, now: float) -> None:
        """End if the time is up or the client has left. Cut the client off if more than 1 MiB is unread.

        This comes before the polls of a tick, so that a client has a tick's time to read what they bring.
        """
        if self._client.gone or (self._until is not None and now >= self._until):
            self.end()
        elif self._outbox.size_bytes + self._client.unread > _MAX_UNREAD_BYTES:
            self._client.cut()
            self.end()

    def check_streams(self, known: frozenset[Stream]) -> None:
        """Follow the known streams of the namespace, unless streams were named."""
        if self.ready and self.stream_filter.streams is None and known != set(self._streams):
            self._streams_changed = True
            self._wakeup.set()

    def put_counters(self, seconds: float) -> None:
        """Queue the counters of the last `seconds`."""
        if self.ready:
            counters = self._streams.counters(seconds)
            told = (
                counters
                if self.stream_filter.readable is ALL_STREAMS
                else counters._replace(dropped=None, readable_within_ms=None)
            )
            self._put(told)

    def end_tick(self, now: float) -> None:
        """Note that the storage is available again; queue `KEEPALIVE` after 15 seconds of silence."""
        if not self.ready:
            return
        self._check_available()
        if not self._outbox and self._is_silent(now):
            self._put(Signal.KEEPALIVE)

    def _put(self, entry: Queued) -> None:
        self._outbox.put(entry)
        self._wakeup.set()

    def _check_available(self) -> None:
        if self._unavailable and not self._streams.unavailable:
            self._unavailable = False
            self._wakeup.set()

    def _is_silent(self, now: float) -> bool:
        return now - self._sent_at >= _KEEPALIVE_SECONDS
