"""Events of one stream that wait together for the storage."""

from collections.abc import Callable, Sequence
from typing import Any, Self

import msgspec

from eventscache.delivery.ledger import Ledger
from eventscache.delivery.receipt import Loss, Receipt
from eventscache.storage.messages import Offer, Quota
from eventscache.stream import Stream

# Pending events always go into one batch together.
MAX_PENDING_EVENTS = 500
MAX_PENDING_BYTES = 512 * 1024
# What CPython needs for an instance, and for each event in it besides its payload.
_INSTANCE_BYTES, _EVENT_BYTES = 200, 200


def most_pending(quota: Quota) -> int:
    """Return how many events wait together at most: without a limit no more than one call can admit."""
    return MAX_PENDING_EVENTS if quota.limits else min(MAX_PENDING_EVENTS, quota.size)


Pack = Callable[[Stream, Sequence[Any]], list[Offer]]


class PendingEvents(msgspec.Struct):
    """Events of one stream that wait together; all of them are errors (`failed`), or none is.

    They are offers already, or `pack` makes offers of them when they are sent. Each is offered to all collections
    that it belongs to; errors without `to_all` to `error` alone; and to the `extras`, which are the names of extra
    collections. `size_bytes` is the memory that they take.
    """

    events: list[Any]
    failed: bool
    to_all: bool
    receipt: Receipt | None
    size_bytes: int
    pack: Pack | None
    extras: tuple[str, ...] = ()

    @classmethod
    def split(
        cls,
        events: list[Any],
        payloads: Sequence[bytes],
        receipt: Receipt | None = None,
        *,
        failed: bool = False,
        to_all: bool = True,
        pack: Pack | None = None,
        extras: tuple[str, ...] = (),
        most: int = MAX_PENDING_EVENTS,
    ) -> list[Self]:
        """Return events of one stream, split only where the bounds demand it; `payloads` are what they hold."""
        if len(events) == 1:
            return [
                cls(events, failed, to_all, receipt, _INSTANCE_BYTES + _EVENT_BYTES + len(payloads[0]), pack, extras)
            ]
        parts = []
        first = size_bytes = 0
        for index, payload in enumerate(payloads):
            if index - first == most or size_bytes >= MAX_PENDING_BYTES:
                parts.append(
                    cls(events[first:index], failed, to_all, receipt, _INSTANCE_BYTES + size_bytes, pack, extras)
                )
                first, size_bytes = index, 0
            size_bytes += _EVENT_BYTES + len(payload)
        rest = events[first:] if first else events
        parts.append(cls(rest, failed, to_all, receipt, _INSTANCE_BYTES + size_bytes, pack, extras))
        return parts

    def merge(self, other: "PendingEvents", most: int = MAX_PENDING_EVENTS) -> bool:
        """Add the events of another instance if they can wait as part of this one; return whether they can."""
        if (
            self.receipt is not other.receipt
            or self.failed is not other.failed
            or self.to_all is not other.to_all
            or self.pack != other.pack
            or self.extras != other.extras
            or len(self.events) + len(other.events) > most
            or self.size_bytes + other.size_bytes > MAX_PENDING_BYTES
        ):
            return False
        self.events += other.events
        self.size_bytes += other.size_bytes
        return True

    def first_offers(self, stream: Stream, count: int) -> list[Offer]:
        """Return the first `count` events as offers."""
        events = self.events if count == len(self.events) else self.events[:count]
        return self.pack(stream, events) if self.pack else events

    def resolve(self, ledger: Ledger, *, stored: int) -> None:
        """Count so many events as stored and the others as limited."""
        count = len(self.events)
        ledger.queued -= count
        ledger.stored += stored
        ledger.limited += count - stored
        if self.receipt:
            self.receipt.resolve(stored=stored, limited=count - stored)

    def drop(self, ledger: Ledger, reason: str, told: str = "", loss: Loss = Loss.PASSING) -> None:
        """Count all events as dropped; `told` is the reason for a caller who waits."""
        count = len(self.events)
        ledger.queued -= count
        ledger.dropped[reason] += count
        if self.receipt:
            self.receipt.drop(count, told, loss)
