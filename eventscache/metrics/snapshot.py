"""The counters and gauges of a cache at one moment."""

from dataclasses import dataclass
from typing import Self

from eventscache.cache import EventsCache

DROP_REASONS = (
    "queue_full",
    "storage_unavailable",
    "unconfirmed",
    "storage_error",
    "max_streams",
    "shutdown",
    "disabled",
    "worker_died",
)


_COUNTS = ("received", "stored", "limited", "rejected", "unreadable", "admitted_all", "admitted_error")
_STATES = ("queued", "queue_bytes", "storages_down", "watchers")
METRIC_NAMES = (*_COUNTS, *(f"dropped_{reason}" for reason in DROP_REASONS), *_STATES)


@dataclass(frozen=True)
class MetricsSnapshot:
    """What `/metrics` tells: the ledger, the state of the queue, how many processes miss their storage, how many watch.

    MetricsSnapshot of several processes add up.
    """

    values: tuple[int, ...] = (0,) * len(METRIC_NAMES)

    @classmethod
    def of(cls, cache: EventsCache, watchers: int = 0) -> Self:
        """Return a cache's counters at this moment, and how many watch it."""
        ledger, queue = cache.ledger, cache.queue
        counts = (ledger.received, ledger.stored, ledger.limited, ledger.rejected, cache.unreadable)
        admissions = (ledger.admitted_all, ledger.admitted_error)
        dropped = (ledger.dropped[reason] for reason in DROP_REASONS)
        states = (ledger.queued, queue.bytes, int(not queue.sender.storage_available), watchers)
        return cls((*counts, *admissions, *dropped, *states))

    def __getitem__(self, name: str) -> int:
        return self.values[METRIC_NAMES.index(name)]

    def __add__(self, other: "MetricsSnapshot") -> "MetricsSnapshot":
        return MetricsSnapshot(tuple(map(sum, zip(self.values, other.values, strict=True))))

    def at_death(self) -> "MetricsSnapshot":
        """Return what is left to count of a process that is gone: what was queued in it is lost."""
        left = dict(zip(METRIC_NAMES, self.values, strict=True))
        left["dropped_worker_died"] += left["queued"]
        left.update(dict.fromkeys(_STATES, 0))
        return MetricsSnapshot(tuple(left.values()))
