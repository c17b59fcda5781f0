"""The figures of a cache, and a board on which the worker processes of one server show theirs to each other."""

import mmap
import struct
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
_NAMES = (*_COUNTS, *(f"dropped_{reason}" for reason in DROP_REASONS), *_STATES)


@dataclass(frozen=True)
class Figures:
    """What `/metrics` tells: the ledger, the state of the queue, how many processes miss their storage, how many watch.

    Figures of several processes add up.
    """

    values: tuple[int, ...] = (0,) * len(_NAMES)

    @classmethod
    def of(cls, cache: EventsCache, watchers: int = 0) -> Self:
        """Return a cache's figures at this moment, and how many watch it."""
        ledger, queue = cache.ledger, cache.queue
        counts = (ledger.received, ledger.stored, ledger.limited, ledger.rejected, cache.unreadable)
        admissions = (ledger.admitted_all, ledger.admitted_error)
        dropped = (ledger.dropped[reason] for reason in DROP_REASONS)
        states = (ledger.queued, queue.bytes, int(not queue.storage_answers), watchers)
        return cls((*counts, *admissions, *dropped, *states))

    def __getitem__(self, name: str) -> int:
        return self.values[_NAMES.index(name)]

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(tuple(map(sum, zip(self.values, other.values, strict=True))))

    def at_death(self) -> "Figures":
        """Return what is left to count of a process that is gone: what was queued in it is lost."""
        left = dict(zip(_NAMES, self.values, strict=True))
        left["dropped_worker_died"] += left["queued"]
        left.update(dict.fromkeys(_STATES, 0))
        return Figures(tuple(left.values()))


class Board:
    """A slot for each worker, in memory that they share since they were forked."""

    _LAYOUT = struct.Struct(f"={len(_NAMES)}q")

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._memory = mmap.mmap(-1, workers * self._LAYOUT.size)

    def show(self, worker: int, figures: Figures) -> None:
        """Show a worker's figures."""
        self._LAYOUT.pack_into(self._memory, worker * self._LAYOUT.size, *figures.values)

    def read(self, worker: int) -> Figures:
        """Return what a worker showed last."""
        start = worker * self._LAYOUT.size
        seen = b""
        # Until it reads the same twice: its owner may be writing.
        while seen != (seen := self._memory[start : start + self._LAYOUT.size]):
            pass
        return Figures(self._LAYOUT.unpack(seen))

    def others(self, worker: int) -> Figures:
        """Return the sum of what all other workers showed."""
        return sum((self.read(other) for other in range(self._workers) if other != worker), Figures())
