"""One stream on its way to the storage, and what one call takes of it."""

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple, Self

from eventscache.lease import NOTHING_REFUSED, Lease, Refused
from eventscache.storage.base import Admission, Batch, Offer, Quota, Share
from eventscache.stream import Status, Stream

MAX_BATCH_EVENTS = 1000
MAX_BATCH_BYTES = 1024 * 1024
MAX_CALL_LANES = 64  # whose batches travel together
_ITEM_BYTES = 300  # what CPython spends on a waiting event beside its payload


class Receipt:
    """Waits for what becomes of some events: each ends up stored, limited or dropped."""

    __slots__ = ("_outstanding", "_settled", "dropped", "limited", "stored")

    def __init__(self, count: int) -> None:
        self.stored = 0
        self.limited = 0
        self.dropped = 0
        self._outstanding = count
        self._settled = asyncio.Event()

    def end(self, *, stored: bool) -> None:
        """Count one that the storage has judged, or a lease."""
        self.stored += stored
        self.limited += not stored
        self._count()

    def drop(self) -> None:
        """Count one that was lost."""
        self.dropped += 1
        self._count()

    def _count(self) -> None:
        self._outstanding -= 1
        if not self._outstanding:
            self._settled.set()

    async def settled(self) -> None:
        """Return when none is outstanding."""
        if self._outstanding:
            await self._settled.wait()


class Item(NamedTuple):
    """A waiting event, and what it costs to let it wait."""

    payload: bytes
    status: Status
    receipt: Receipt | None
    size: int

    @classmethod
    def of(cls, payload: bytes, status: Status, receipt: Receipt | None = None) -> Self:
        """Return an event that is to wait."""
        return cls(payload, status, receipt, _ITEM_BYTES + len(payload))


class _Share:
    """What a parcel brings to one collection."""

    __slots__ = ("carried", "offered", "surplus")

    def __init__(self) -> None:
        self.offered = 0
        self.surplus = 0
        self.carried: Refused = NOTHING_REFUSED

    def place(self, lease: Lease, size: int, now_us: int) -> bool:
        """Tell whether one more event goes along as a payload; else it is counted, as surplus or as refused."""
        if now_us < lease.until_us:
            lease.refuse(now_us)
        elif self.offered < size:
            self.offered += 1
            return True
        else:  # no storage could admit it after `size` others
            self.surplus += 1
        return False

    def at(self, now_us: int) -> Share:
        return Share(self.surplus, self.carried.aged(now_us))


class Parcel:
    """What one storage call carries for a stream, the same however often it is tried."""

    __slots__ = ("_all", "_error", "_offers", "_size", "items", "payload_bytes", "payloads", "refused", "waited_bytes")

    def __init__(self, size: int) -> None:
        self._size = size
        self._all = _Share()
        self._error = _Share()
        self._offers: list[Offer] = []
        self.items: list[Item] = []
        self.refused: list[Item] = []  # by leases that were closed after the items began to wait
        self.payloads = 0
        self.payload_bytes = 0
        self.waited_bytes = 0  # of all items, these and the refused

    @property
    def full(self) -> bool:
        """Whether another payload would make the call too long for its time."""
        return self.payloads >= MAX_BATCH_EVENTS or self.payload_bytes >= MAX_BATCH_BYTES

    def add(self, item: Item, lane: "Lane", now_us: int) -> None:
        """Offer an item to the collections that are open; there is at least one."""
        to_all = self._all.place(lane.all, self._size, now_us)
        to_error = item.status is Status.ERROR and self._error.place(lane.error, self._size, now_us)
        self.items.append(item)
        self._offers.append(Offer(item.payload, item.status, to_all, to_error))
        if to_all or to_error:
            self.payloads += 1
            self.payload_bytes += len(item.payload)

    def carry(self, lane: "Lane") -> None:
        """Take along what the leases refused, now that all items are in."""
        self._all.carried = lane.all.hand_over()
        self._error.carried = lane.error.hand_over()

    def hand_back(self, lane: "Lane") -> None:
        """Return the carried refusals, which the storage has surely not booked."""
        lane.all.take_back(self._all.carried)
        lane.error.take_back(self._error.carried)

    @property
    def idle(self) -> bool:
        """Whether the storage need not be asked."""
        return not self.items and not (self._all.carried.moments or self._error.carried.moments)

    def batch(self, stream: Stream, quota: Quota, writer: str, number: int, now_us: int, *, trusted: bool) -> Batch:
        """Return the call as it is to be sent at `now_us`."""
        offers = [offer for offer in self._offers if offer.to_all or offer.to_error]
        return Batch(stream, quota, writer, number, offers, self._all.at(now_us), self._error.at(now_us), trusted)

    def outcomes(self, admission: Admission) -> Iterator[tuple[Item, bool]]:
        """Yield each item and whether a collection admitted it."""
        for item, placed in zip(self.items, admission.placed(self._offers), strict=True):
            yield item, any(placed)


class Lane:
    """One stream on its way to the storage: its leases, and what waits. At most one call of it is under way."""

    __slots__ = ("_flushed", "all", "carry_due", "done", "error", "put", "scheduled", "stream", "trusted", "waiting")

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.all = Lease()
        self.error = Lease()
        self.waiting: deque[Item] = deque()
        self.put = 0  # how many items were ever put here, and how many of them are done with
        self.done = 0
        self.scheduled = False
        self.carry_due = False
        self.trusted = False
        self._flushed: asyncio.Event | None = None

    def refuses(self, status: Status, now_us: int, count: int = 1) -> bool:
        """Tell, and count, whether events are refused without asking: all their collections are closed."""
        if now_us >= self.all.until_us:
            return False
        if status is Status.ERROR:
            if now_us >= self.error.until_us:
                return False
            self.error.refuse(now_us, count)
        self.all.refuse(now_us, count)
        return True

    @property
    def carries(self) -> bool:
        """Whether there are refusals that the storage does not know of."""
        return self.all.carries or self.error.carries

    def take(self, size: int, now_us: int) -> Parcel:
        """Return the next call's content: what waits, as far as one call goes, and all refusals.

        Refusals alone are no reason for a call before they are due.
        """
        parcel = Parcel(size)
        while self.waiting and not parcel.full:
            item = self.waiting.popleft()
            parcel.waited_bytes += item.size
            if self.refuses(item.status, now_us):
                parcel.refused.append(item)
            else:
                parcel.add(item, self, now_us)
        if self.carry_due or parcel.items:
            parcel.carry(self)
            self.carry_due = False
        return parcel

    def renew(self, admission: Admission, sent_us: int, longest_us: int) -> None:
        """Learn from an answer when the collections open, or at least when to ask again."""
        if admission.all:
            self.all.renew(sent_us, admission.all.retry_us, longest_us)
        if admission.error:
            self.error.renew(sent_us, admission.error.retry_us, longest_us)

    def is_idle(self, now_us: int) -> bool:
        """Whether nothing would be lost if it were forgotten."""
        leased = now_us < self.all.until_us or now_us < self.error.until_us
        return not (self.scheduled or self.waiting or self.carries or leased)

    def finish_flush(self, parcel: Parcel) -> None:
        """Note that a parcel is done with."""
        self.done += len(parcel.items) + len(parcel.refused)
        self.scheduled = False
        if self._flushed:
            self._flushed.set()
            self._flushed = None

    async def flushed(self) -> None:
        """Return when the flush that is scheduled or under way has ended."""
        self._flushed = self._flushed or asyncio.Event()
        await self._flushed.wait()
