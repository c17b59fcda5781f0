"""One stream on its way to the storage, and what one call takes of it."""

import asyncio
from collections import deque
from collections.abc import Iterator

from eventscache.delivery.cooldown import NO_LIMITED_COUNTS, Cooldown, LimitedCounts
from eventscache.delivery.pending import MAX_ITEM_BYTES, MAX_ITEM_EVENTS, PendingEvents
from eventscache.storage.messages import Admission, Batch, Offer, Quota, Unsent
from eventscache.stream import Stream

# A batch takes items until it has so much; it holds less than three of the largest.
MAX_BATCH_EVENTS, MAX_BATCH_BYTES = 2 * MAX_ITEM_EVENTS, 2 * MAX_ITEM_BYTES
MAX_CALL_STREAMS = 64  # whose batches travel together


class _Share:
    """What a parcel brings to one collection."""

    __slots__ = ("limited_earlier", "offered", "surplus")

    def __init__(self) -> None:
        self.offered = 0
        self.surplus = 0
        self.limited_earlier: LimitedCounts = NO_LIMITED_COUNTS

    def place(self, cooldown: Cooldown, count: int, size: int, now_us: int) -> int:
        """Return how many of some more events go along as payloads; the others are surplus, or refused."""
        if now_us < cooldown.until_us:
            cooldown.refuse(now_us, count)
            return 0
        placed = min(count, size - self.offered)
        self.offered += placed
        self.surplus += count - placed  # no storage could admit them after `size` others
        return placed

    def at(self, now_us: int) -> Unsent:
        if self.surplus or self.limited_earlier.moments:
            return Unsent(self.surplus, self.limited_earlier.aged(now_us))
        return _NO_SHARE


_NO_SHARE, _UNTOUCHED = Unsent(), _Share()


class OutgoingBatch:
    """What one storage call carries for a stream, the same however often it is tried."""

    __slots__ = ("_all", "_error", "_offers", "_placed", "_size", "items", "payload_bytes", "refused", "waited_bytes")

    def __init__(self, size: int) -> None:
        self._size = size
        self._all = _Share()
        self._error = _UNTOUCHED  # as mostly
        self._offers: list[Offer] = []
        self._placed: list[tuple[int, int]] = []  # of each item, how many of its first events go where
        self.items: list[PendingEvents] = []
        self.refused: list[PendingEvents] = []  # by leases that were closed after the items began to wait
        self.payload_bytes = 0
        self.waited_bytes = 0  # of all items, these and the refused

    @property
    def payloads(self) -> int:
        """How many events are sent."""
        return len(self._offers)

    @property
    def full(self) -> bool:
        """Whether another item would make the call too long for its time."""
        return len(self._offers) >= MAX_BATCH_EVENTS or self.payload_bytes >= MAX_BATCH_BYTES

    def add(self, item: PendingEvents, buffer: "StreamBuffer", now_us: int) -> None:
        """Offer an item to the collections that are open; there is at least one."""
        count = len(item.events)
        to_all = self._all.place(buffer.all, count, self._size, now_us)
        to_error = 0
        if item.failed:
            if self._error is _UNTOUCHED:
                self._error = _Share()
            to_error = self._error.place(buffer.error, count, self._size, now_us)
        self.items.append(item)
        self._placed.append((to_all, to_error))
        if placed := max(to_all, to_error):
            offers = item.offers(buffer.stream, placed)
            if item.failed and to_all != to_error:
                offers = [
                    Offer(offer.event, offer.status, place < to_all, place < to_error)
                    for place, offer in enumerate(offers)
                ]
            self._offers += offers
            self.payload_bytes += item.size

    def carry(self, buffer: "StreamBuffer") -> None:
        """Take along what the leases refused, now that all items are in."""
        if buffer.all.refused:
            self._all.limited_earlier = buffer.all.hand_over()
        if buffer.error.refused:
            if self._error is _UNTOUCHED:
                self._error = _Share()
            self._error.limited_earlier = buffer.error.hand_over()

    def hand_back(self, buffer: "StreamBuffer") -> None:
        """Return the carried refusals, which the storage has surely not booked."""
        buffer.all.take_back(self._all.limited_earlier)
        buffer.error.take_back(self._error.limited_earlier)

    @property
    def idle(self) -> bool:
        """Whether the storage need not be asked."""
        return not self.items and not (self._all.limited_earlier.moments or self._error.limited_earlier.moments)

    def batch(self, stream: Stream, quota: Quota, writer: str, number: int, now_us: int, *, trusted: bool) -> Batch:
        """Return the call as it is to be sent at `now_us`."""
        return Batch(stream, quota, writer, number, self._offers, self._all.at(now_us), self._error.at(now_us), trusted)

    def outcomes(self, admission: Admission) -> Iterator[tuple[PendingEvents, int]]:
        """Yield each item and how many of its events were admitted by a collection: each admits the first ones."""
        all_left = admission.all.admitted if admission.all else 0
        error_left = admission.error.admitted if admission.error else 0
        for item, (to_all, to_error) in zip(self.items, self._placed, strict=True):
            if not to_error:
                stored = min(all_left, to_all)
                all_left -= stored
                yield item, stored
                continue
            by_all, by_error = min(to_all, all_left), min(to_error, error_left)
            all_left -= by_all
            error_left -= by_error
            yield item, max(by_all, by_error)


class StreamBuffer:
    """One stream on its way to the storage: its leases, and what waits. At most one call of it is under way."""

    __slots__ = (
        "_flushed",
        "all",
        "arrived",
        "carry_due",
        "done",
        "error",
        "scheduled",
        "stream",
        "trusted",
        "waiting",
    )

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.all = Cooldown()
        self.error = Cooldown()
        self.waiting: deque[PendingEvents] = deque()
        self.arrived = 0  # how many items ever began to wait here, and how many of them are done with
        self.done = 0
        self.scheduled = False
        self.carry_due = False
        self.trusted = False
        self._flushed: asyncio.Event | None = None

    def refuses(self, count: int, now_us: int, *, failed: bool) -> bool:
        """Tell, and count, whether events, errors or not, are refused without asking: their collections are closed."""
        if now_us >= self.all.until_us:
            return False
        if failed:
            if now_us >= self.error.until_us:
                return False
            self.error.refuse(now_us, count)
        self.all.refuse(now_us, count)
        return True

    def put(self, item: PendingEvents) -> None:
        """Let events wait, in the item before them if possible: what an item costs on its way is then paid once."""
        waiting = self.waiting
        if not waiting or not waiting[-1].join(item):
            waiting.append(item)
            self.arrived += 1

    @property
    def carries(self) -> bool:
        """Whether there are refusals that the storage does not know of."""
        return bool(self.all.refused or self.error.refused)

    def take(self, size: int, now_us: int) -> OutgoingBatch:
        """Return the next call's content: what waits, as far as one call goes, and all refusals.

        Refusals alone are no reason for a call before they are due.
        """
        batch_ = OutgoingBatch(size)
        while self.waiting and not batch_.full:
            item = self.waiting.popleft()
            batch_.waited_bytes += item.size
            if self.refuses(len(item.events), now_us, failed=item.failed):
                batch_.refused.append(item)
            else:
                batch_.add(item, self, now_us)
        if self.carry_due or batch_.items:
            batch_.carry(self)
            self.carry_due = False
        return batch_

    def renew(self, admission: Admission, sent_us: int, longest_us: int) -> None:
        """Learn from an answer when the collections open, or at least when to ask again."""
        if admission.all:
            self.all.renew(sent_us, admission.all.retry_after_us, longest_us)
        if admission.error:
            self.error.renew(sent_us, admission.error.retry_after_us, longest_us)

    def is_idle(self, now_us: int) -> bool:
        """Whether nothing would be lost if it were forgotten."""
        leased = now_us < self.all.until_us or now_us < self.error.until_us
        return not (self.scheduled or self.waiting or self.carries or leased)

    def finish_flush(self, batch_: OutgoingBatch) -> None:
        """Note that a parcel is done with."""
        self.done += len(batch_.items) + len(batch_.refused)
        self.scheduled = False
        if self._flushed:
            self._flushed.set()
            self._flushed = None

    async def flushed(self) -> None:
        """Return when the flush that is scheduled or under way has ended."""
        self._flushed = self._flushed or asyncio.Event()
        await self._flushed.wait()
