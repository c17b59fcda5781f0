"""The events cache: it takes events at any rate, keeps the last ones of every stream, and reads them back."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple, TypeVar

import structlog

from eventscache.cache.intake import Intake
from eventscache.cache.splicing import spliced
from eventscache.clock import MICROSECONDS, monotonic_us
from eventscache.delivery.freshness import Freshness
from eventscache.delivery.inserter import Inserter
from eventscache.delivery.ledger import Ledger
from eventscache.delivery.packer import Packer
from eventscache.delivery.producer import Producers
from eventscache.delivery.queue import Queue
from eventscache.delivery.storage_calls import StorageCalls, fault_kind
from eventscache.errors import (
    InvalidEvent,
    NotReady,
    StorageError,
    StorageRefused,
)
from eventscache.event import Event
from eventscache.extras.error_groups import GROUP
from eventscache.extras.follows import FOLLOW, Follow
from eventscache.extras.rules import Kinds, extra_kinds, rules
from eventscache.extras.scopes import SCOPE
from eventscache.extras.shown_types import shown_types
from eventscache.extras.types import TYPE, type_collection
from eventscache.masking.mask import Mask
from eventscache.query.event_id import event_id
from eventscache.query.event_type import event_type, event_type_at
from eventscache.query.filter import EventFilter
from eventscache.query.members import sure_bytes
from eventscache.query.turns import Work
from eventscache.record.record import Record
from eventscache.storage.base import Storage
from eventscache.storage.messages import UNLIMITED, Entry, ExtraInfo, Page, Query, Quota, StreamInfo, kind_of
from eventscache.stream import Namespace, Stream

_log = structlog.get_logger()

_KINDS_BY_USE = (TYPE, SCOPE, FOLLOW, GROUP)  # by which people read most likely; a group keeps few events
_DROPPED_AT_ONCE = {"shutdown": "the server is stopping", "queue_full": "the queue is full"}
_CLEARED_TOGETHER = 500
_OFFERED_TOGETHER = 500  # some milliseconds of work
_TEND_SECONDS = 1
_READS_OF_TYPE = 3  # until nothing comes in between
# How long a read waits for a flush, as a share of one try: with its own try that is less than half a second by default.
# In an outage a retry may be about to succeed, but hardly more.
_FLUSH_SHARE, _FLUSH_SHARE_IN_OUTAGE = 0.8, 0.2

_Record = tuple[Stream, Event]
_T = TypeVar("_T")


class EventPage(NamedTuple):
    """Events with their sequence numbers, newest first; `total` match, `limited` were limited in the last minute.

    `unreadable` entries that belong among them were left out; with an `event_filter` these are not known.
    """

    events: list[tuple[int, Event]]
    total: int
    limited: int
    unreadable: int = 0


class WrittenPage(NamedTuple):
    """What `EventPage` holds, as JSON: pieces with how many events each of them has."""

    pieces: AsyncIterator[tuple[bytes, int]]
    total: int
    limited: int


class EventsCache(Intake):
    """Puts events into a storage without waiting for it, and reads them back.

    Between `open` and `close` it owns the storage. Its ledger counts what became of every event.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        quota: Quota = Quota(size=100, window_us=60 * MICROSECONDS),
        enabled: bool = True,
        pool_size: int = 10,
        queue_bytes: int = 32 * 1024 * 1024,
        max_new_streams_per_minute: int = 1000,
        trim_interval_seconds: float = 0.5,
        ack_timeout_seconds: float = 2.0,
        storage_timeout_seconds: float = 0.25,
        mask: Mask | None = None,
        record_bytes: int = 32 * 1024 * 1024,
        record_seconds: float = 600.0,
        per_type: int = 0,
        error_groups: bool = False,
        type_path: tuple[str, ...] = (),
        now_us: Callable[[], int] = monotonic_us,
    ) -> None:
        self.quota = quota
        self.unreadable = 0
        self.storage_calls = StorageCalls()
        self.producers = Producers(max_new_streams_per_minute, now_us)
        self.type_of = event_type_at(type_path) if type_path else event_type
        self._type_path = type_path
        self._follows: Sequence[Follow] = ()
        self._storage = storage
        self._trim_interval_seconds = trim_interval_seconds
        self._per_type, self._error_groups = per_type, error_groups
        kinds = extra_kinds(quota, per_type=per_type, groups=error_groups) if storage.has_extras else {}
        self.kinds = Kinds(kinds, quota.size)
        ledger, record = Ledger(), None
        if enabled and record_bytes:
            record = Record(record_bytes, int(record_seconds * MICROSECONDS), ledger, now_us, masked=mask is not None)
        queue = Queue(
            storage,
            ledger,
            quota,
            pool_size=pool_size,
            max_bytes=queue_bytes,
            deadline_seconds=ack_timeout_seconds,
            record=record,
            calls=self.storage_calls,
            extra_kinds=kinds,
            now_us=now_us,
        )
        inserter = Inserter(
            storage,
            ledger,
            quota.size,
            record,
            self.storage_calls,
            extra_kinds=kinds,
            timeout_seconds=ack_timeout_seconds,
            now_us=now_us,
        )
        super().__init__(
            queue,
            Packer(mask, quota),
            inserter,
            ledger,
            record,
            enabled=enabled,
            keeps_extras=storage.has_extras,
            ack_timeout_seconds=ack_timeout_seconds,
            storage_timeout_seconds=storage_timeout_seconds,
            now_us=now_us,
        )
        self.use_follows([])
        self._trimming: asyncio.Task[None] | None = None
        self._tending: asyncio.Task[None] | None = None

    @property
    def enabled(self) -> bool:
        """Whether events are kept at all."""
        return self._enabled

    @property
    def keeps_types(self) -> bool:
        """Whether the last events of each type are kept."""
        return bool(self._per_type) and self.keeps_extras

    def use_follows(self, follows: Sequence[Follow]) -> None:
        """Keep the events that somebody follows, from now on."""
        self._follows = follows
        self._use_rules()

    def use_mask(self, mask: Mask | None) -> None:
        """Mask events by this mask that come from now on; a type that it changes has no list of its own."""
        super().use_mask(mask)
        self._use_rules()

    def _use_rules(self) -> None:
        if self.keeps_extras:
            mask = self._packer.mask
            listed = shown_types(self.type_of, mask, self._type_path) if mask else self.type_of
            self._rules = rules(
                groups=self._error_groups,
                follows=self._follows,
                type_of=self.type_of,
                listed_type_of=listed if self.keeps_types else None,
            )

    async def open(self) -> None:
        """Open the storage and start sending, even if the storage is unavailable."""
        if not self._enabled:
            _log.info("cache disabled: nothing is stored, and reads are empty")
            return
        await self._storage.open()
        if not self.keeps_extras:
            _log.info(
                "the storage keeps no extra collections: so there are no error groups, no events by type, no follows "
                "and no scopes"
            )
        self._begin()
        self._trimming = asyncio.create_task(self._trim())
        if self.record is not None:
            self._tending = asyncio.create_task(_tend(self.record))

    async def close(self, timeout_seconds: float = 5.0) -> None:
        """Send what waits, within the timeout, then close the storage. Events offered from now on are dropped."""
        self._end()
        if self._tending:
            self._tending.cancel()
            await asyncio.gather(self._tending, return_exceptions=True)
            self._tending = None
        if self._trimming:
            self._trimming.cancel()
            await asyncio.gather(self._trimming, return_exceptions=True)
            self._trimming = None
            await self.queue.drain(timeout_seconds)
            await self._storage.close()

    async def fetch(
        self, stream: Stream, query: Query, event_filter: EventFilter | None = None, *, of_type: str = ""
    ) -> EventPage:
        """Return a stream's events, after this process has sent all that it has of the stream.

        With an `event_filter`, `total` counts the events that match it. Where it asks for a type, or with `of_type`,
        events that only the list of that type keeps are among them. Unreadable entries are left out and counted.
        Raises `StorageUnavailable`.
        """
        if not self._enabled:
            return EventPage([], 0, 0)
        await self._flush(stream)
        work = Work(self.turns)
        if event_filter is None:
            page = await self._fetch_with_type(stream, query, of_type)
            events = await self._read(page, work)
            unreadable = page.unreadable + len(page.entries) - len(events)
            return EventPage(events, page.total, page.limited, unreadable)
        everything = Query(query.status, limit=UNLIMITED, extra=query.extra)
        page = await self._fetch_with_type(stream, everything, event_filter.event_type)
        matching = await self._matching(page, event_filter, work)
        in_range = [(sequence, event) for sequence, event in matching if query.spans(sequence)]
        return EventPage(in_range[: query.limit], len(matching), page.limited)

    async def fetch_written(self, stream: Stream, query: Query, *, as_lines: bool = False) -> WrittenPage:
        """Return what `fetch` does without a filter, as JSON or as one line for each event.

        There are commas or line breaks between the events of a piece, but none between two pieces.
        """
        if not self._enabled:
            return WrittenPage(self._written([], as_lines=as_lines), 0, 0)
        await self._flush(stream)
        page = await self._fetch(stream, query)
        self.unreadable += page.unreadable
        return WrittenPage(self._written(page.entries, as_lines=as_lines), page.total, page.limited)

    async def _written(self, entries: list[Entry], *, as_lines: bool) -> AsyncIterator[tuple[bytes, int]]:
        async for piece in spliced(self.turns, entries, as_lines=as_lines):
            self.unreadable += piece.unreadable
            if piece.events:
                yield piece.text, piece.events

    async def _flush(self, stream: Stream) -> None:
        """Send what waits of a stream, so that a client reads its own writes; wait for that, but not long."""
        share = _FLUSH_SHARE if self.queue.sender.storage_available else _FLUSH_SHARE_IN_OUTAGE
        await self.queue.flush(stream, share * self._storage_timeout_seconds)

    async def _fetch_with_type(self, stream: Stream, query: Query, of_type: str) -> Page:
        """Return a page with those events that only the list of a type keeps, as if all were read at one moment.

        What is in an extra collection alone is not read with those of a type: a reader asked for that collection.
        """
        if not of_type or query.extra or not self.keeps_types:
            return await self._fetch(stream, query)
        in_list = query._replace(extra=type_collection(of_type), limit=UNLIMITED)
        listed = await self._fetch(stream, in_list)
        for _ in range(_READS_OF_TYPE):
            before = listed
            page = await self._fetch(stream, query)
            listed = await self._fetch(stream, in_list)
            # What the list gets in between would be missing below a newer event of the page.
            if listed.entries == before.entries:
                return _merged(page, listed, query.limit)
        newest = before.entries[0].sequence if before.entries else 0
        known = [entry for entry in page.entries if entry.sequence <= newest]
        return _merged(page._replace(entries=known), before, query.limit)

    async def _fetch(self, stream: Stream, query: Query) -> Page:
        """Return a page of the storage, and count what that took."""
        began_us = self._now_us()
        try:
            return await self._storage.fetch(stream, query)
        except Exception as fault:
            self.storage_calls.read_faults[fault_kind(fault)] += 1
            raise
        finally:
            self.storage_calls.reads.add(self._now_us() - began_us)

    async def _read(self, page: Page, work: Work) -> list[tuple[int, Event]]:
        self.unreadable += page.unreadable
        events = []
        for entry in page.entries:
            try:
                events.append((entry.sequence, Event.unpack(entry.event)))
            except InvalidEvent:
                self.unreadable += 1
            await work.spend(len(entry.event))
        return events

    async def _matching(self, page: Page, event_filter: EventFilter, work: Work) -> list[tuple[int, Event]]:
        matching = []
        for sequence, event in await self._read(page, work):
            if event_filter.matches(event):
                matching.append((sequence, event))
            await work.spend(event.size_bytes)
        return matching

    async def kept_by(self, stream: Stream, wanted: str) -> str | None:
        """Return the kind of an extra collection that has an event with this id. Raises `StorageUnavailable`."""
        if not self._open:
            return None
        for kind in _KINDS_BY_USE:
            if kind in self.kinds.by_name and await self._is_kept_by(kind, stream, wanted):
                return kind
        return None

    async def _is_kept_by(self, kind: str, stream: Stream, wanted: str) -> bool:
        for extra in await self._storage.extras(stream, kind):
            page = await self._fetch(stream, Query(limit=UNLIMITED, containing=sure_bytes(wanted), extra=extra.name))
            if any(event_id(event) == wanted for _, event in await self._read(page, Work(self.turns))):
                return True
            await self.turns.next()
        return False

    async def reaches(self, stream: Stream, number: int, extra: str = "") -> bool:
        """Whether `all` has this number or a higher one, or an extra collection of the kind of `extra`, else of types.

        Raises `StorageUnavailable`.
        """
        if not self._open:
            return False
        newest = Query(limit=1)
        if _is_from(await self._fetch(stream, newest), number):
            return True
        for info in await self._storage.extras(stream, kind_of(extra) if extra else TYPE):
            if _is_from(await self._fetch(stream, newest._replace(extra=info.name)), number):
                return True
            await self.turns.next()
        return False

    @property
    def freshness(self) -> Freshness:
        """How soon events could be read that this process accepted."""
        return self.queue.sender.freshness

    @property
    def readable_within_ms(self) -> int:
        """After how long, at most, events of the last minute could be read; 0 if there were none."""
        return -(-self.freshness.worst_us(self._now_us()) // 1000)

    @property
    def open_breakers(self) -> int:
        """How many servers behind the storage are not called now, because they failed."""
        return self._storage.open_breakers if self._open else 0

    @property
    def refusing(self) -> int:
        """How many servers behind the storage answer, but take no events now."""
        return self._storage.refusing if self._open else 0

    async def streams(self, namespace: Namespace, limit: int | None = None) -> list[StreamInfo]:
        """Return the known streams, most recently active first, at most `limit`. Raises `StorageUnavailable`."""
        return await self._storage.streams(namespace, limit) if self._enabled else []

    async def clear(self, stream: Stream, *, reset: bool = False) -> int:
        """Remove a stream's events and return how many there were; `reset` also resets its limiter.

        Other processes can still limit events until their cooldowns end, or until they report what they limited: for a
        second, or up to 30 with very many streams. Raises `StorageUnavailable`.
        """
        return await self.clear_many([stream], reset=reset)

    async def clear_many(self, streams: Sequence[Stream], *, reset: bool = False) -> int:
        """Clear streams as `clear` does, and return how many events there were in all. Raises `StorageUnavailable`.

        After an error some of them are cleared.
        """
        if not self._enabled:
            return 0
        cleared = 0
        for first in range(0, len(streams), _CLEARED_TOGETHER):
            some = streams[first : first + _CLEARED_TOGETHER]
            await asyncio.gather(*(self._flush(stream) for stream in some))
            cleared += await self._storage.clear_many(some, reset=reset)
            if reset:
                for stream in some:
                    self.queue.end_cooldowns(stream)
        return cleared

    async def clear_extra(self, streams: Sequence[Stream], extra: str, *, reset: bool = False) -> int:
        """Remove the events of one extra collection of each stream, and no others; return how many there were.

        Raises `StorageUnavailable`. After an error some of them are cleared.
        """
        if not self._enabled or not self.keeps_extras:
            return 0
        cleared = 0
        for stream in streams:
            await self._flush(stream)
            cleared += await self._storage.clear_extra(stream, extra, reset=reset)
            if reset:
                self.queue.end_extra_cooldown(stream, extra)
            await self.turns.next()
        return cleared

    async def extras(self, stream: Stream, kind: str) -> list[ExtraInfo]:
        """Return the extra collections of a kind that a stream has, the most recently active first.

        This process has sent before what it has of the stream. Raises `StorageUnavailable`.
        """
        if not self._enabled or not self.keeps_extras:
            return []
        await self._flush(stream)
        return await self._storage.extras(stream, kind)

    async def check(self) -> None:
        """Raise `NotReady` if the storage takes no events, or the queue is full."""
        if not self._enabled:
            return
        try:
            await self._storage.ready()
        except StorageRefused as refused:
            raise NotReady(str(refused)) from refused
        except StorageError as fault:
            raise NotReady("the storage does not answer: see eventscache.storage, and the log") from fault
        if not self.queue.has_room(1):
            raise NotReady("the queue is full: the storage is too slow, or eventscache.queue_bytes too small")

    async def _trim(self) -> None:
        """Let the storage trim streams that nobody writes to, as long as there is such work."""
        pause_seconds = self._trim_interval_seconds
        while pause_seconds < math.inf:
            await asyncio.sleep(pause_seconds)
            try:
                idle_seconds = await self._storage.trim(self.quota.size)
            except StorageError:
                idle_seconds = 0  # tried again after the interval; the sender logs that the storage is unavailable
            pause_seconds = max(self._trim_interval_seconds, idle_seconds)


async def _tend(record: Record) -> None:
    while True:
        await asyncio.sleep(_TEND_SECONDS)
        record.tend()


def _is_from(page: Page, number: int) -> bool:
    return bool(page.entries) and page.entries[0].sequence >= number


def _merged(page: Page, other: Page, limit: int) -> Page:
    """Return a page with those entries of another one that it does not have, newest first, at most `limit`.

    The total is exact if the page was not cut; else it counts entries twice that the page left out.
    """
    by_sequence = {entry.sequence: entry for entry in (*other.entries, *page.entries)}
    entries = sorted(by_sequence.values(), key=lambda entry: entry.sequence, reverse=True)[:limit]
    total = page.total + len(by_sequence) - len(page.entries)
    return Page(entries, total, page.limited, page.unreadable + other.unreadable)
