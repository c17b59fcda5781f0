"""Inserts events at once, past the queue and without a rate limit: a source brings what was limited elsewhere."""

import asyncio
import itertools
import secrets
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from eventscache.clock import MICROSECONDS
from eventscache.delivery.ledger import Ledger
from eventscache.delivery.packer import Part
from eventscache.errors import StorageError, StorageUnavailable
from eventscache.record.record import RATE_LIMIT, Record
from eventscache.storage.base import Storage
from eventscache.storage.messages import Admission, Batch, Offer, Quota
from eventscache.stream import Stream

_MOST_STREAMS, _MOST_BYTES = 64, 1024 * 1024  # in one call
_PAUSE_SECONDS = 0.05


class _Group(NamedTuple):
    """The events of one stream, and their bytes."""

    batch: Batch
    size_bytes: int


class Inserter:
    """Inserts events with calls of its own, one at a time; a call is tried again for `timeout_seconds`.

    It counts every event. `now_us` is this process's monotonic clock.
    """

    def __init__(
        self,
        storage: Storage,
        ledger: Ledger,
        size: int,
        record: Record | None,
        *,
        timeout_seconds: float,
        now_us: Callable[[], int],
    ) -> None:
        self._storage = storage
        self._ledger = ledger
        self._quota = Quota.without_limit(size)
        self._record = record
        self._timeout_us = int(timeout_seconds * MICROSECONDS)
        self._now_us = now_us
        self._writer = secrets.token_urlsafe(9)
        self._numbers = itertools.count(1)

    async def insert(self, parts: Sequence[Part]) -> int:
        """Insert events, oldest first; of more than `size` of a stream the storage keeps none but the first ones.

        Returns how many the storage cannot take at all. Raises `StorageUnavailable` if it did not answer for all.
        """
        lost = 0
        waiting = self._groups(parts)
        self._ledger.received += sum(len(group.batch.offers) for group in waiting)
        unavailable: StorageUnavailable | None = None
        while waiting:
            some, waiting = _first(waiting)
            for group, answer in await self._call(some):
                if isinstance(answer, Admission):
                    self._count(group, answer)
                    continue
                self._drop(group, answer)
                if isinstance(answer, StorageUnavailable):
                    unavailable = answer
                else:
                    lost += len(group.batch.offers)
            if unavailable:
                for group in waiting:
                    self._drop(group, unavailable)
                raise unavailable
        return lost

    def _groups(self, parts: Sequence[Part]) -> list[_Group]:
        offers: dict[Stream, list[Offer]] = defaultdict(list)
        sizes: dict[Stream, int] = defaultdict(int)
        for stream, pending in parts:
            offers[stream] += pending.first_offers(stream, len(pending.events))
            sizes[stream] += pending.size_bytes
        return [
            _Group(Batch(stream, self._quota, self._writer, next(self._numbers), some), sizes[stream])
            for stream, some in offers.items()
        ]

    async def _call(self, groups: Sequence[_Group]) -> list[tuple[_Group, Admission | StorageError]]:
        """Return each group with its answer; what is not answered is sent again under the same number."""
        deadline_us = self._now_us() + self._timeout_us
        answered: list[tuple[_Group, Admission | StorageError]] = []
        while True:
            try:
                answers = await self._storage.insert_many([group.batch for group in groups])
            except asyncio.CancelledError:
                for group in groups:
                    self._drop(group, StorageUnavailable("the server is stopping"))
                raise
            open_again = []
            for group, answer in zip(groups, answers, strict=True):
                if isinstance(answer, StorageUnavailable) and self._now_us() < deadline_us:
                    open_again.append(group)
                else:
                    answered.append((group, answer))
            if not open_again:
                return answered
            groups = open_again
            await asyncio.sleep(_PAUSE_SECONDS)

    def _count(self, group: _Group, admission: Admission) -> None:
        offers = group.batch.offers
        stored = sum(in_all or in_error for in_all, in_error in admission.placed(offers))
        self._ledger.stored += stored
        self._ledger.limited += len(offers) - stored
        self._ledger.admitted_all += admission.all.admitted if admission.all else 0
        self._ledger.admitted_error += admission.error.admitted if admission.error else 0
        if self._record is not None:
            self._record.add_pending(group.batch.stream, offers, group.size_bytes, RATE_LIMIT, stored=stored)

    def _drop(self, group: _Group, fault: StorageError) -> None:
        reason = "storage_error"
        if isinstance(fault, StorageUnavailable):
            reason = "unconfirmed" if fault.ambiguous else "storage_unavailable"
        offers = group.batch.offers
        self._ledger.dropped[reason] += len(offers)
        if self._record is not None:
            self._record.add_pending(group.batch.stream, offers, group.size_bytes, reason)


def _first(groups: Sequence[_Group]) -> tuple[list[_Group], list[_Group]]:
    """Return the groups of the next call, and the others."""
    size_bytes = count = 0
    for group in groups:
        if count == _MOST_STREAMS or (count and size_bytes + group.size_bytes > _MOST_BYTES):
            break
        size_bytes += group.size_bytes
        count += 1
    return [*groups[:count]], [*groups[count:]]
