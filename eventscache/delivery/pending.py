"""Events of one stream that wait together, and who waits for them."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Self

import msgspec

from eventscache.storage.messages import Offer
from eventscache.stream import Stream

# What waits together is never torn apart.
MAX_ITEM_EVENTS = 500
MAX_ITEM_BYTES = 512 * 1024
_ITEM_BYTES, _EVENT_BYTES = 200, 200  # what CPython spends on an item, and on each event in it beside its payload


class Receipt:
    """Waits for what becomes of some events: each ends up stored, limited or dropped."""

    __slots__ = ("_outstanding", "_settled", "dropped", "limited", "stored")

    def __init__(self, count: int) -> None:
        self.stored = 0
        self.limited = 0
        self.dropped = 0
        self._outstanding = count
        self._settled = asyncio.Event()

    def end(self, *, stored: int = 0, limited: int = 0) -> None:
        """Count events that the storage has judged, or a lease."""
        self.stored += stored
        self.limited += limited
        self._count(stored + limited)

    def drop(self, count: int) -> None:
        """Count events that were lost."""
        self.dropped += count
        self._count(count)

    def _count(self, count: int) -> None:
        self._outstanding -= count
        if not self._outstanding:
            self._settled.set()

    async def settled(self) -> None:
        """Return when none is outstanding."""
        if self._outstanding:
            await self._settled.wait()


Packing = Callable[[Stream, Sequence[Any]], list[Offer]]


class PendingEvents(msgspec.Struct):
    """Events of one stream that wait together, errors or none of them: what they are, and what it costs.

    They are offers, or what `pack` makes offers of when they go. Each is offered to all the collections that it
    belongs to.
    """

    events: list[Any]
    failed: bool
    receipt: Receipt | None
    size: int
    pack: Packing | None

    @classmethod
    def of(
        cls,
        events: list[Any],
        payloads: Sequence[bytes],
        receipt: Receipt | None = None,
        *,
        failed: bool = False,
        pack: Packing | None = None,
    ) -> list[Self]:
        """Return events of one stream, which hold these payloads, in one item or in as many as bounds ask for."""
        if len(events) == 1:
            return [cls(events, failed, receipt, _ITEM_BYTES + _EVENT_BYTES + len(payloads[0]), pack)]
        items = []
        first = size = 0
        for place, payload in enumerate(payloads):
            if place - first == MAX_ITEM_EVENTS or size >= MAX_ITEM_BYTES:
                items.append(cls(events[first:place], failed, receipt, _ITEM_BYTES + size, pack))
                first, size = place, 0
            size += _EVENT_BYTES + len(payload)
        items.append(cls(events[first:] if first else events, failed, receipt, _ITEM_BYTES + size, pack))
        return items

    def join(self, other: "PendingEvents") -> bool:
        """Take the events of another item in, if they may as well wait as part of this one; return whether it did."""
        if (
            self.receipt is not other.receipt
            or self.failed is not other.failed
            or self.pack != other.pack
            or len(self.events) + len(other.events) > MAX_ITEM_EVENTS
            or self.size + other.size > MAX_ITEM_BYTES
        ):
            return False
        self.events += other.events
        self.size += other.size
        return True

    def offers(self, stream: Stream, count: int) -> list[Offer]:
        """Return so many of the first events as they are offered."""
        events = self.events if count == len(self.events) else self.events[:count]
        return self.pack(stream, events) if self.pack else events
