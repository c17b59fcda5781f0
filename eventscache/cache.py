"""The events cache: events in at any rate, the last ones of every stream out."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import structlog

from eventscache.clock import MICROSECONDS, monotonic_us
from eventscache.delivery.ledger import Ledger
from eventscache.delivery.pending import PendingEvents, Receipt
from eventscache.delivery.queue import Queue
from eventscache.errors import InvalidEvent, StorageError, StorageUnavailable
from eventscache.event import Event
from eventscache.masking.mask import Mask
from eventscache.query.filter import EventFilter
from eventscache.storage.base import Storage
from eventscache.storage.messages import Offer, Page, Query, Quota, StreamInfo
from eventscache.stream import Namespace, Status, Stream
from eventscache.timestamp import format_time
from eventscache.uid import uids

_log = structlog.get_logger()

_EVERYTHING = 2**31


class EventPage(NamedTuple):
    """Events with their sequence numbers, newest first; `total` match, `limited` were refused in a minute."""

    events: list[tuple[int, Event]]
    total: int
    limited: int


class EventsCache:
    """Puts events into a storage without ever waiting for it, and reads them back.

    Between `open` and `close` it owns the storage. Its ledger accounts for every event.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        quota: Quota = Quota(size=100, window_us=60 * MICROSECONDS),
        enabled: bool = True,
        pool_size: int = 10,
        queue_bytes: int = 32 * 1024 * 1024,
        trim_interval_seconds: float = 0.5,
        ack_timeout_seconds: float = 2.0,
        storage_timeout_seconds: float = 0.25,
        mask: Mask | None = None,
        now_us: Callable[[], int] = monotonic_us,
    ) -> None:
        self.quota = quota
        self.ledger = Ledger()
        self.unreadable = 0
        self.queue = Queue(
            storage,
            self.ledger,
            quota,
            pool_size=pool_size,
            max_bytes=queue_bytes,
            deadline_seconds=ack_timeout_seconds,
            now_us=now_us,
        )
        self._storage = storage
        self._enabled = enabled
        self._trim_interval_seconds = trim_interval_seconds
        self._ack_timeout_seconds = ack_timeout_seconds
        self._storage_timeout_seconds = storage_timeout_seconds
        self._mask = mask
        self._uids = uids()
        self._open = False
        self._trimming: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the storage and start flushing. A storage that is away is no reason not to start."""
        if not self._enabled:
            _log.info("the cache is disabled: nothing is stored, and reads are empty")
            return
        await self._storage.open()
        self.queue.start()
        self._open = True
        self._trimming = asyncio.create_task(self._trim())

    async def close(self, timeout_seconds: float = 5.0) -> None:
        """Flush what waits within the time given, then release everything; what is offered from now on is dropped."""
        self._open = False
        if self._trimming:
            self._trimming.cancel()
            await asyncio.gather(self._trimming, return_exceptions=True)
            self._trimming = None
            await self.queue.drain(timeout_seconds)
            await self._storage.close()

    def take_originals(self, stream: Stream, originals: Sequence[bytes], *, trusted: bool = True) -> bool:
        """Take events of which only the originals are known, as `offer` does; refused ones cost nothing but a count."""
        count = len(originals)
        if not self._open:
            self._drop(count, "shutdown" if self._enabled else "disabled", None)
            return not self._enabled
        queue = self.queue
        if queue.refuses(stream, count, failed=False):
            self.ledger.received += count
            return True
        if not count:
            return True
        if self._mask is None and stream.id.isascii():  # what is packed when it goes must not fail then
            now_us = time.time_ns() // 1000
            items = PendingEvents.of(
                [(now_us, original) for original in originals], originals, pack=self._pack_originals
            )
        else:
            items = self._items([Event.of(stream, original=original) for original in originals], failed=False)
        return self._wait([(stream, item) for item in items], trusted=trusted)

    def _pack_originals(self, stream: Stream, arrived: Sequence[tuple[int, bytes]]) -> list[Offer]:
        """Return offers of originals, each with the time when it came in Unix microseconds."""
        return [Offer(packed, Status.SUCCESS) for packed in Event.pack_originals(stream, arrived, self._uids)]

    def offer(
        self, records: Sequence[tuple[Stream, Event]], *, trusted: bool = True, receipt: Receipt | None = None
    ) -> bool:
        """Take events; if the queue has no room for all that are not limited, these are dropped and it returns False.

        An event without `timestamp` or `uid` is given one. `trusted` events may displace an idle stream when there
        are too many. A `receipt` for all of them tells what became of each. Of an event that is not refused, only
        what the mask leaves is kept.
        """
        if not self._open:
            self._drop(len(records), "shutdown" if self._enabled else "disabled", receipt)
            return not self._enabled
        waiting: list[tuple[Stream, PendingEvents]] = []
        for stream, failed, events in _runs(records):
            if self.queue.refuses(stream, len(events), failed=failed):
                self.ledger.received += len(events)
                if receipt:
                    receipt.end(limited=len(events))
            else:
                waiting += [(stream, item) for item in self._items(events, receipt, failed=failed)]
        return self._wait(waiting, trusted=trusted, receipt=receipt)

    def _wait(
        self, waiting: Sequence[tuple[Stream, PendingEvents]], *, trusted: bool, receipt: Receipt | None = None
    ) -> bool:
        """Let all items wait, or none of them; return whether there was room."""
        count = size = 0
        for _, item in waiting:
            count += len(item.events)
            size += item.size
        if not self.queue.has_room(size):
            self._drop(count, "queue_full", receipt)
            return False
        self.ledger.received += count
        for stream, item in waiting:
            self.queue.put(stream, item, trusted=trusted)
        return True

    def _items(self, events: Sequence[Event], receipt: Receipt | None = None, *, failed: bool) -> list[PendingEvents]:
        """Return what is kept of events, each with a time and an id, for the collections that they belong to."""
        now = ""
        offers = []
        for event in events:
            if not event.timestamp:
                event.timestamp = now = now or format_time(time.time_ns() // 1000)
            if not event.uid:
                event.uid = next(self._uids)
            status = Status.ERROR if failed else Status.SKIP if event.skip else Status.SUCCESS
            kept = event if self._mask is None else self._mask.masked(event)
            offers.append(Offer(kept.pack(), status, True, failed))
        return PendingEvents.of(offers, [offer.event for offer in offers], receipt, failed=failed)

    def _drop(self, count: int, reason: str, receipt: Receipt | None) -> None:
        self.ledger.received += count
        self.ledger.dropped[reason] += count
        if receipt:
            receipt.drop(count)

    async def store(self, records: Sequence[tuple[Stream, Event]], *, trusted: bool = True) -> Receipt | None:
        """Take events and wait until each is stored or limited; None if the queue has no room.

        Raises `StorageUnavailable` if that takes longer than the ack timeout, or if some were lost.
        """
        receipt = Receipt(len(records))
        if not self.offer(records, trusted=trusted, receipt=receipt):
            return None
        self.queue.launch()
        try:
            async with asyncio.timeout(self._ack_timeout_seconds):
                await receipt.settled()
        except TimeoutError:
            raise StorageUnavailable("the storage did not confirm in time") from None
        if receipt.dropped and self._enabled:
            raise StorageUnavailable(f"{receipt.dropped} of {len(records)} events were not confirmed")
        return receipt

    async def fetch(self, stream: Stream, query: Query, search: EventFilter | None = None) -> EventPage:
        """Return a stream's events, after all that this process knows of it has been delivered.

        With a `search`, `total` counts what it finds. Entries that cannot be read are left out and counted.
        Raises `StorageUnavailable`.
        """
        if not self._enabled:
            return EventPage([], 0, 0)
        await self.queue.delivered(stream, self._storage_timeout_seconds)
        if search is None:
            page = await self._storage.fetch(stream, query)
            return EventPage(self._read(page), page.total, page.limited)
        page = await self._storage.fetch(stream, Query(query.status, limit=_EVERYTHING))
        matching = [(sequence, event) for sequence, event in self._read(page) if search.matches(event)]
        wanted = [(sequence, event) for sequence, event in matching if query.spans(sequence)]
        return EventPage(wanted[: query.limit], len(matching), page.limited)

    def _read(self, page: Page) -> list[tuple[int, Event]]:
        self.unreadable += page.unreadable
        events = []
        for entry in page.entries:
            try:
                events.append((entry.sequence, Event.unpack(entry.event)))
            except InvalidEvent:
                self.unreadable += 1
        return events

    async def streams(self, namespace: Namespace, limit: int | None = None) -> list[StreamInfo]:
        """Return the known streams, most recently active first, no more than `limit`. Raises `StorageUnavailable`."""
        return await self._storage.streams(namespace, limit) if self._enabled else []

    async def clear(self, stream: Stream, *, reset: bool = False) -> int:
        """Remove a stream's events and return how many there were; `reset` makes its limiter forget as well.

        Other processes may go on refusing for as long as a lease: a second, or up to 30 with very many streams.
        Raises `StorageUnavailable`.
        """
        if not self._enabled:
            return 0
        await self.queue.delivered(stream, self._storage_timeout_seconds)
        cleared = await self._storage.clear(stream, reset=reset)
        if reset:
            self.queue.reopen(stream)
        return cleared

    async def check(self) -> None:
        """Return if the storage answers and the queue has room; else raise `StorageUnavailable`."""
        if self._enabled:
            await self._storage.ping()
            if not self.queue.has_room(1):
                raise StorageUnavailable("the queue is full")

    async def _trim(self) -> None:
        """Let the storage cut what nobody writes to, for as long as there is such work."""
        pause_seconds = self._trim_interval_seconds
        while pause_seconds < math.inf:
            await asyncio.sleep(pause_seconds)
            try:
                idle_seconds = await self._storage.trim(self.quota.size)
            except StorageError:
                idle_seconds = 0  # tried again at the next tick; the queue says that the storage is away
            pause_seconds = max(self._trim_interval_seconds, idle_seconds)


def _runs(records: Sequence[tuple[Stream, Event]]) -> list[tuple[Stream, bool, list[Event]]]:
    """Return consecutive events of one stream that belong to the same collections, and whether they are errors."""
    runs: list[tuple[Stream, bool, list[Event]]] = []
    run: list[Event] = []
    run_stream, run_failed = None, False
    for stream, event in records:
        failed = bool(event.error or event.malformed)
        if failed is not run_failed or (stream is not run_stream and stream != run_stream):
            run, run_stream, run_failed = [], stream, failed
            runs.append((stream, failed, run))
        run.append(event)
    return runs
