"""The way from a source to the cache."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from eventscache.cache import EventsCache
from eventscache.clock import MICROSECONDS, Clock
from eventscache.event import Event
from eventscache.sources.counts import ErrorKind, SourceCounts
from eventscache.sources.state import SourceState
from eventscache.storage.checkpoints import Checkpoints
from eventscache.storage.lease import Lease, LeaseLost
from eventscache.storage.messages import UNLIMITED, Query
from eventscache.stream import Status, Stream
from eventscache.timestamp import parse_time

_log = structlog.get_logger()

Record = tuple[Stream, Event]


class Feed:
    """Brings a source's events to the cache, keeps its lease and its checkpoints, and counts what it does."""

    def __init__(
        self, name: str, place: str, cache: EventsCache, checkpoints: Checkpoints, clock: Clock | None = None
    ) -> None:
        self.name = name
        self.counts = SourceCounts()
        self.clock = clock or Clock()
        self.lease = Lease(checkpoints, self.clock)
        self.state = SourceState(name, place)
        self._cache = cache
        self._checkpoints = checkpoints
        self._logged: set[str] = set()

    @property
    def size(self) -> int:
        """How many events a collection keeps."""
        return self._cache.quota.size

    async def bring(self, records: Sequence[Record], *, errors_only: bool = False) -> None:
        """Bring events, oldest first, with their own times and ids; return when they are stored.

        The rate limit does not hold for them: they were limited where they come from. `errors_only` brings them to the
        collection `error` alone. Of more than `size` events of a stream the newest are brought, and the others count as
        limited: no collection could keep them.

        Raises `LeaseLost`; and `StorageUnavailable` if some may not be stored: then bring those again that `missing`
        returns.
        """
        self.lease.require()
        lost = await self._cache.keep(self._newest(records), errors_only=errors_only)
        if lost:
            self.error("not_stored", "the storage cannot take the events of a stream", count=lost)
        self.counts.entries += len(records)
        if records:
            self._note_time(records[-1][1])

    def _newest(self, records: Sequence[Record]) -> list[Record]:
        size = self._cache.quota.size
        if len(records) <= size:
            return [*records]
        left: dict[Stream, int] = defaultdict(lambda: size)
        kept = []
        for record in reversed(records):
            left[record[0]] -= 1
            if left[record[0]] >= 0:
                kept.append(record)
        self._cache.pass_over(len(records) - len(kept))
        return kept[::-1]

    def pass_over(self, count: int) -> None:
        """Count entries that are not brought, because there are `size` newer ones: they are limited."""
        self.counts.entries += count
        self._cache.pass_over(count)

    def _note_time(self, event: Event) -> None:
        now_us = self.clock.unix_us()
        self.counts.last_seen_s = now_us // MICROSECONDS
        try:
            self.counts.lag_ms = max(0, now_us - parse_time(event.timestamp)) // 1000
        except ValueError:  # the source gave none
            self.counts.lag_ms = 0

    def reached(self) -> None:
        """Note that the place answers, and is followed from now on."""
        self.counts.following = True
        self.state.following()

    def caught_up(self) -> None:
        """Note that there is nothing that was not brought yet."""
        self.counts.lag_ms = 0

    async def missing(self, stream: Stream, events: Sequence[Event]) -> list[Event]:
        """Return those events that the stream does not hold, by `uid`. Raises `StorageUnavailable`."""
        held = {event.uid for event in await self.held(stream)}
        return [event for event in events if event.uid not in held]

    async def held(self, stream: Stream) -> list[Event]:
        """Return all events of a stream, of both collections. Raises `StorageUnavailable`."""
        by_sequence: dict[int, Event] = {}
        for status in (None, Status.ERROR):
            page = await self._cache.fetch(stream, Query(status, limit=UNLIMITED))
            by_sequence.update(page.events)
        return [*by_sequence.values()]

    async def checkpoints(self) -> dict[bytes, bytes]:
        """Return how far was read, as it was saved last, by whichever process. Raises `StorageUnavailable`."""
        return await self._checkpoints.load()

    async def save(self, changed: Mapping[bytes, bytes]) -> None:
        """Save how far was read; an empty value removes a checkpoint. Raises `LeaseLost` and `StorageUnavailable`."""
        self.lease.require()
        if changed and not await self._checkpoints.save(self.lease.owner, changed):
            raise LeaseLost("another process follows")

    def error(self, kind: ErrorKind, message: str, *, count: int = 1, **fields: Any) -> None:
        """Count what could not be read. The message is constant, and logged once; `fields` say what the first one was.

        They hold nothing of an event.
        """
        self.counts.errors[kind] += count
        if message not in self._logged:
            self._logged.add(message)
            _log.warning(message, source=self.name, **fields)
