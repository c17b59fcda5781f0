"""The events cache: it takes events at any rate and keeps the last ones of every stream."""

import asyncio
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import NamedTuple, NoReturn, TypeVar

import structlog

from eventscache.clock import MICROSECONDS, monotonic_us
from eventscache.delivery.freshness import Freshness
from eventscache.delivery.inserter import Inserter
from eventscache.delivery.ledger import Ledger
from eventscache.delivery.packer import Packer, Part, Run, runs_of, size_of
from eventscache.delivery.producer import CONFIGURED, Producer, Producers
from eventscache.delivery.queue import Queue
from eventscache.delivery.receipt import Loss, Receipt
from eventscache.delivery.storage_calls import StorageCalls, fault_kind
from eventscache.errors import (
    InvalidEvent,
    NewStreamsRefused,
    NotReady,
    NotStored,
    StorageError,
    StorageRefused,
    StorageUnavailable,
)
from eventscache.event import Event
from eventscache.extras.follows import Follow
from eventscache.extras.rules import NO_RULES, Kinds, Rules, extra_kinds, rules
from eventscache.extras.types import TYPE, type_collection
from eventscache.masking.mask import Mask
from eventscache.masking.masking_thread import MaskingThread, are_short, originals_are_short
from eventscache.query.event_id import event_id
from eventscache.query.event_type import TypeOf, event_type
from eventscache.query.filter import EventFilter
from eventscache.query.members import sure_bytes
from eventscache.query.turns import Turns, Work
from eventscache.record.record import COOLDOWN, Record
from eventscache.storage.base import Storage
from eventscache.storage.messages import UNLIMITED, ExtraInfo, Page, Query, Quota, StreamInfo
from eventscache.stream import Namespace, Stream

_log = structlog.get_logger()

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


class EventsCache:
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
        type_of: TypeOf = event_type,
        now_us: Callable[[], int] = monotonic_us,
    ) -> None:
        self.quota = quota
        self.ledger = Ledger()
        self.record: Record | None = None
        if enabled and record_bytes:
            self.record = Record(
                record_bytes, int(record_seconds * MICROSECONDS), self.ledger, now_us, masked=mask is not None
            )
        self.unreadable = 0
        self.turns = Turns()
        self.storage_calls = StorageCalls()
        self.producers = Producers(max_new_streams_per_minute, now_us)
        self.keeps_extras = storage.has_extras
        self.type_of = type_of
        self._per_type, self._error_groups = per_type, error_groups
        kinds = extra_kinds(quota, per_type=per_type, groups=error_groups) if self.keeps_extras else {}
        self.kinds = Kinds(kinds, quota.size)
        self._rules = NO_RULES
        self.use_follows([])
        self.queue = Queue(
            storage,
            self.ledger,
            quota,
            pool_size=pool_size,
            max_bytes=queue_bytes,
            deadline_seconds=ack_timeout_seconds,
            record=self.record,
            calls=self.storage_calls,
            extra_kinds=kinds,
            now_us=now_us,
        )
        self._storage = storage
        self._enabled = enabled
        self._now_us = now_us
        self._trim_interval_seconds = trim_interval_seconds
        self._ack_timeout_seconds = ack_timeout_seconds
        self._storage_timeout_seconds = storage_timeout_seconds
        self._masking: MaskingThread | None = None
        self._queue_bytes = queue_bytes
        self._packer = Packer(mask, quota)
        self._inserter = Inserter(
            storage,
            self.ledger,
            quota.size,
            self.record,
            self.storage_calls,
            extra_kinds=kinds,
            timeout_seconds=ack_timeout_seconds,
            now_us=now_us,
        )
        self._open = False
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
        if self.keeps_extras:
            self._rules = rules(
                types=self.keeps_types, groups=self._error_groups, follows=follows, type_of=self.type_of
            )

    def _rules_of(self, scope: str) -> Rules:
        """Return the rules for events that are written in a scope, which is named as its collection is, if any."""
        return self._rules.within(scope) if scope and self.keeps_extras else self._rules

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
        if self._packer.mask:
            self._masking = MaskingThread(self._packer.mask, self._queue_bytes)
        self.queue.start()
        self._open = True
        self._trimming = asyncio.create_task(self._trim())
        if self.record is not None:
            self._tending = asyncio.create_task(_tend(self.record))

    async def close(self, timeout_seconds: float = 5.0) -> None:
        """Send what waits, within the timeout, then close the storage. Events offered from now on are dropped."""
        self._open = False
        if self._masking:
            self._masking.close()
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

    def use_mask(self, mask: Mask | None) -> None:
        """Mask events by this mask that come from now on."""
        self._packer.mask = mask
        if self.record is not None:
            self.record.masked = mask is not None
        if mask is None:
            self._masking = None  # its thread ends when those who wait for it have left
        elif self._masking is not None:
            self._masking.mask = mask
        elif self._open:
            self._masking = MaskingThread(mask, self._queue_bytes)

    def offer_originals(
        self, stream: Stream, originals: Sequence[bytes], producer: Producer = CONFIGURED, scope: str = ""
    ) -> bool:
        """Take events that have nothing but an original, as `offer` does; limited ones are only counted."""
        count = len(originals)
        if not self._open:
            self._drop(count, "shutdown" if self._enabled else "disabled", None)
            return not self._enabled
        if (names_of := (self._rules_of(scope) if scope else self._rules).of_original) is not None:
            return self._offer_with_extras(stream, originals, producer, names_of)
        if self.queue.limit_locally(stream, count, failed=False):
            self.ledger.received += count
            if self.record is not None and self.record.limited.is_open:
                self.record.add_limited_originals(stream, originals)
            return True
        if not count:
            return True
        return self._put(self._packer.pack_originals(stream, originals), producer)

    def _offer_with_extras(
        self,
        stream: Stream,
        originals: Sequence[bytes],
        producer: Producer,
        names_of: Callable[[Stream, bytes], tuple[str, ...]],
    ) -> bool:
        """Take originals as `offer_originals` does, by the extra collections that they belong to and that are open."""
        if len(originals) == 1:  # as most requests have
            limited, extras = self.queue.limit_original(stream, names_of(stream, originals[0]))
            if not limited:
                return self._put(self._packer.pack_originals(stream, originals, extras), producer)
            self._note_limited(stream, originals)
            return True
        parts: list[Part] = []
        for names, same in groupby(originals, lambda original: names_of(stream, original)):
            run = [*same]
            limited, extras = self.queue.limit_by_collection(stream, names, len(run), failed=False)
            if limited:
                self._note_limited(stream, run)
            else:
                parts += self._packer.pack_originals(stream, run, extras)
        return self._put(parts, producer) if parts else True

    def _note_limited(self, stream: Stream, originals: Sequence[bytes]) -> None:
        """Note originals that were counted as limited."""
        self.ledger.received += len(originals)
        if self.record is not None and self.record.limited.is_open:
            self.record.add_limited_originals(stream, originals)

    async def offer_originals_in_turns(
        self, stream: Stream, originals: Sequence[bytes], producer: Producer = CONFIGURED, scope: str = ""
    ) -> bool:
        """Take events as `offer_originals` does; many or large ones that are masked delay nobody else."""
        if not self._masking or not self._open or originals_are_short(originals):
            return self.offer_originals(stream, originals, producer, scope)
        if self._rules_of(scope).of_original is None and self.queue.limit_locally(stream, len(originals), failed=False):
            self._note_limited(stream, originals)
            return True
        return await self.offer_in_turns(
            [(stream, Event.of(stream, original=original)) for original in originals], producer, scope=scope
        )

    def offer(
        self,
        records: Sequence[_Record],
        producer: Producer = CONFIGURED,
        receipt: Receipt | None = None,
        *,
        errors_only: bool = False,
        scope: str = "",
    ) -> bool:
        """Take events; if the queue has no room for those that are not limited at once, drop these and return False.

        An event without `timestamp` or `uid` gets one. A `receipt` counts what became of all of them. Events are masked
        before they are kept. `errors_only` events are all errors, and are offered to the collection `error` alone. With
        the collection of a `scope` they belong to that too.
        """
        if not self._open:
            self._drop(len(records), "shutdown" if self._enabled else "disabled", receipt)
            return not self._enabled
        runs = self._not_limited(records, receipt, self._rules_of(scope), to_all=not errors_only)
        return self._put(self._packer.pack(runs, receipt, to_all=not errors_only), producer, receipt)

    async def offer_in_turns(
        self,
        records: Sequence[_Record],
        producer: Producer = CONFIGURED,
        receipt: Receipt | None = None,
        *,
        errors_only: bool = False,
        scope: str = "",
    ) -> bool:
        """Take events as `offer` does; others have turns in between if there are many, or large ones to mask."""
        masking = self._masking if self._masking and not are_short([event for _, event in records]) else None
        if not self._open or (masking is None and len(records) <= _OFFERED_TOGETHER):
            return self.offer(records, producer, receipt, errors_only=errors_only, scope=scope)
        runs: list[Run] = []
        for some in _slices(records):
            runs += self._not_limited(some, receipt, self._rules_of(scope), to_all=not errors_only)
            await self.turns.next()
        masked = await self._masked(masking, runs) if masking else runs
        if masked is None:
            self._drop_runs(runs, "queue_full" if self._open else "shutdown", receipt)
            return False
        parts: list[Part] = []
        for some_runs in _slices(masked):
            parts += self._packer.pack(some_runs, receipt, masked=masking is not None, to_all=not errors_only)
            await self.turns.next()
        return await self._put_in_turns(parts, producer, receipt)

    def _not_limited(
        self, records: Sequence[_Record], receipt: Receipt | None, rules_: Rules, *, to_all: bool
    ) -> list[Run]:
        """Return the runs of events whose stream has no cooldown; the others are counted as limited."""
        runs = []
        for stream, failed, events, names in runs_of(records, rules_.of_event):
            limited, extras = self.queue.limit_by_collection(stream, names, len(events), failed=failed, to_all=to_all)
            if limited:
                self.ledger.received += len(events)
                if receipt:
                    receipt.resolve(limited=len(events))
                if self.record is not None:
                    self.record.add_events(stream, events, COOLDOWN)
            else:
                runs.append(Run(stream, failed, events, extras))
        return runs

    async def _masked(self, masking: MaskingThread, runs: Sequence[Run]) -> list[Run] | None:
        """Return runs with their events masked; None if too many wait for that, or if the cache is closed."""
        events = [event for run in runs for event in run.events]
        self._packer.stamp(events)  # by their arrival
        masked = await masking.masked(events)
        if masked is None:
            return None
        kept = iter(masked)
        return [run._replace(events=[*islice(kept, len(run.events))]) for run in runs]

    def _put(self, parts: Sequence[Part], producer: Producer, receipt: Receipt | None = None) -> bool:
        """Put all events into the queue, or drop all of them; return whether there was room."""
        if not self._reserve(parts, receipt):
            return False
        self._put_reserved(parts, producer)
        return True

    async def _put_in_turns(self, parts: Sequence[Part], producer: Producer, receipt: Receipt | None) -> bool:
        """Put events as `_put` does, with turns for others."""
        if not self._reserve(parts, receipt):
            return False
        reserved = [*_slices(parts)]
        try:
            while reserved and self._open:
                self._put_reserved(reserved.pop(0), producer)
                await self.turns.next()
        finally:
            if reserved:
                left = [part for some in reserved for part in some]
                self.queue.release(size_of(left))
                self._drop_parts(left, "shutdown", receipt)
        return True

    def _reserve(self, parts: Sequence[Part], receipt: Receipt | None) -> bool:
        """Return whether the queue has room for all events and is open; if not, drop all."""
        if self._open and self.queue.reserve(size_of(parts)):
            return True
        self._drop_parts(parts, "queue_full" if self._open else "shutdown", receipt)
        return False

    def _put_reserved(self, parts: Sequence[Part], producer: Producer) -> None:
        for stream, pending in parts:
            self.ledger.received += len(pending.events)
            self.queue.put(stream, pending, producer)

    def _drop(self, count: int, reason: str, receipt: Receipt | None) -> None:
        self.ledger.received += count
        self.ledger.dropped[reason] += count
        if receipt:
            receipt.drop(count, _DROPPED_AT_ONCE.get(reason, ""))

    def _drop_runs(self, runs: Iterable[Run], reason: str, receipt: Receipt | None) -> None:
        for stream, _, events, _ in runs:
            self._drop(len(events), reason, receipt)
            if self.record is not None:
                self.record.add_events(stream, events, reason)

    def _drop_parts(self, parts: Iterable[Part], reason: str, receipt: Receipt | None) -> None:
        for stream, pending in parts:
            self._drop(len(pending.events), reason, receipt)
            if self.record is not None:
                self.record.add_pending(stream, pending.events, pending.size_bytes, reason)

    async def keep(self, records: Sequence[_Record], *, errors_only: bool = False) -> int:
        """Store events, oldest first, that were limited where they come from: no rate limit holds for them here.

        They go past the queue, and are masked. `errors_only` events are all errors, for the collection `error` alone.
        Returns how many the storage cannot take at all. Raises `StorageUnavailable` if others may not be stored.
        """
        runs = runs_of(records, self._rules.of_event)
        masking = self._masking if self._masking and not are_short([event for _, event in records]) else None
        masked = (await self._masked(masking, runs) if masking else runs) if self._open else None
        if masked is None:
            self._drop_runs(runs, "queue_full" if self._open else "shutdown", None)
            raise StorageUnavailable("too many events wait to be masked, or the server is stopping", ambiguous=False)
        parts: list[Part] = []
        for some in _slices(masked):
            parts += self._packer.pack(some, masked=masking is not None, to_all=not errors_only)
            await self.turns.next()
        return await self._inserter.insert(parts)

    def pass_over(self, count: int) -> None:
        """Count events as limited that are not offered: `size` newer ones of their stream are, at the same time."""
        self.ledger.limit(count)
        if self.record is not None and self.record.limited.is_open:
            self.record.limited.miss(count, self.record.now_us())

    async def store(
        self,
        records: Sequence[_Record],
        producer: Producer = CONFIGURED,
        *,
        errors_only: bool = False,
        scope: str = "",
    ) -> Receipt | None:
        """Take events and return when each is stored or limited; return None if the queue has no room.

        Raises `NewStreamsRefused` or `NotStored` if some were surely not stored and nothing is unknown, else
        `StorageUnavailable` after the ack timeout: then some may be stored all the same.
        """
        receipt = Receipt(len(records), self._last_retry_us())
        if not await self.offer_in_turns(records, producer, receipt, errors_only=errors_only, scope=scope):
            return None
        self.queue.sender.dispatch_now()
        try:
            async with asyncio.timeout(self._ack_timeout_seconds):
                await receipt.complete()
        except TimeoutError:
            self.queue.withdraw(receipt, {stream for stream, _ in records}, "the storage is too slow")
        if receipt.dropped and self._enabled:
            _raise_loss(receipt, len(records))
        if not receipt.is_complete:
            raise StorageUnavailable("the storage did not confirm within eventscache.ack_timeout_ms")
        return receipt

    def _last_retry_us(self) -> int:
        """Return when the last retry may begin, so that its answer arrives within the ack timeout."""
        timeout_seconds = self._ack_timeout_seconds
        retry_seconds = max(timeout_seconds / 2, timeout_seconds - self._storage_timeout_seconds)
        return self._now_us() + int(retry_seconds * MICROSECONDS)

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

    async def is_kept_by_type(self, stream: Stream, wanted: str) -> bool:
        """Whether an extra collection of a type has an event with this id. Raises `StorageUnavailable`."""
        if not self.keeps_types or not self._open:
            return False
        for extra in await self._storage.extras(stream, TYPE):
            page = await self._fetch(stream, Query(limit=UNLIMITED, containing=sure_bytes(wanted), extra=extra.name))
            if any(event_id(event) == wanted for _, event in await self._read(page, Work(self.turns))):
                return True
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

        Other processes can still limit events until their cooldowns end: for a second, or up to 30 with very many
        streams. Raises `StorageUnavailable`.
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


def _merged(page: Page, other: Page, limit: int) -> Page:
    """Return a page with those entries of another one that it does not have, newest first, at most `limit`.

    The total is exact if the page was not cut; else it counts entries twice that the page left out.
    """
    by_sequence = {entry.sequence: entry for entry in (*other.entries, *page.entries)}
    entries = sorted(by_sequence.values(), key=lambda entry: entry.sequence, reverse=True)[:limit]
    total = page.total + len(by_sequence) - len(page.entries)
    return Page(entries, total, page.limited, page.unreadable + other.unreadable)


def _raise_loss(receipt: Receipt, count: int) -> NoReturn:
    """Raise the error of a caller's events of which some were dropped."""
    losses = receipt.losses
    if losses[Loss.UNCONFIRMED] or not receipt.is_complete:
        raise StorageUnavailable(
            f"of {count} events, {receipt.stored + receipt.limited} were confirmed: {receipt.reason}"
        )
    error = NewStreamsRefused if losses[Loss.NEW_STREAM] == receipt.dropped else NotStored
    raise error(
        f"{receipt.dropped} of {count} events were not stored: {receipt.reason}",
        stored=receipt.stored,
        limited=receipt.limited,
        final=losses[Loss.FINAL],
    )


def _slices(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Yield items as they are worked on in one turn of the loop."""
    for first in range(0, len(items), _OFFERED_TOGETHER):
        yield items[first : first + _OFFERED_TOGETHER]
