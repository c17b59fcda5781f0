"""Inserts events at once, past the queue and without a rate limit: a source brings what was limited elsewhere."""

import asyncio
import itertools
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from eventscache.clock import MICROSECONDS
from eventscache.delivery.extra_cooldowns import ExtraKind
from eventscache.delivery.ledger import Ledger
from eventscache.delivery.outgoing_batch import MAX_BATCH_BYTES, newest_offered
from eventscache.delivery.packer import Part
from eventscache.delivery.pending import PendingEvents
from eventscache.delivery.sender import MAX_CALL_STREAMS
from eventscache.delivery.storage_calls import StorageCalls, fault_kind
from eventscache.errors import StorageError, StorageUnavailable
from eventscache.record.record import RATE_LIMIT, Record
from eventscache.storage.base import Storage
from eventscache.storage.messages import Admission, Batch, Offer, Quota, kind_of
from eventscache.stream import Stream

_PAUSE_SECONDS = 0.05


class _Group(NamedTuple):
    """The events of one stream, and their bytes."""

    batch: Batch
    size_bytes: int


class _Gathered:
    """Events of one stream that one batch takes, with the indexes of those that belong to each extra collection."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.offers: list[Offer] = []
        self.size_bytes = 0
        self.indexes: dict[str, list[int]] = {}

    def has_room_for(self, names: Sequence[str], kinds: Mapping[str, ExtraKind]) -> bool:
        counts = Counter(kind_of(name) for name in {*self.indexes, *names})
        return all(count <= kinds[kind].most for kind, count in counts.items())

    def add(self, pending: PendingEvents) -> None:
        first, count = len(self.offers), len(pending.events)
        self.offers += pending.first_offers(self.stream, count)
        self.size_bytes += pending.size_bytes
        for name in pending.extras:
            self.indexes.setdefault(name, []).extend(range(first, first + count))


_Answered = tuple[_Group, Admission | StorageError]


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
        calls: StorageCalls,
        *,
        extra_kinds: Mapping[str, ExtraKind],
        timeout_seconds: float,
        now_us: Callable[[], int],
    ) -> None:
        self._storage = storage
        self._ledger = ledger
        self._quota = Quota.without_limit(size)
        self._record = record
        self._storage_calls = calls
        self._extra_kinds = extra_kinds
        self._timeout_us = int(timeout_seconds * MICROSECONDS)
        self._now_us = now_us
        self._writer = secrets.token_urlsafe(9)
        self._numbers = itertools.count(1)
        self._turn = asyncio.Lock()

    async def insert(self, parts: Sequence[Part]) -> int:
        """Insert events, oldest first; of more than `size` of a stream the storage keeps none but the first ones.

        Returns how many the storage cannot take at all. Raises `StorageUnavailable` if it did not answer for all.
        """
        async with self._turn:  # batches of a writer must not overtake each other
            return await self._insert_all(self._groups(parts))

    async def _insert_all(self, groups: Sequence[_Group]) -> int:
        """Insert groups; whatever happens, every event is counted."""
        count = sum(len(group.batch.offers) for group in groups)
        self._ledger.received += count
        self._ledger.queued += count
        uncounted = {group.batch.number: group for group in groups}
        lost, reason = 0, "shutdown"
        try:
            for some in _calls(groups):
                lost += self._resolve(await self._call(some), uncounted)
        except StorageUnavailable as fault:
            reason = "unconfirmed" if fault.ambiguous else "storage_unavailable"
            raise
        except Exception:  # a bug of a backend
            reason = "storage_error"
            raise
        finally:
            for group in uncounted.values():
                self._drop(group, reason)
        return lost

    def _resolve(self, answered: Sequence[_Answered], uncounted: dict[int, _Group]) -> int:
        """Count the groups that were answered, and return how many events the storage cannot take at all.

        Raises the `StorageUnavailable` of one that was not answered.
        """
        lost = 0
        unavailable: StorageUnavailable | None = None
        for group, answer in answered:
            if isinstance(answer, StorageUnavailable):
                unavailable = answer
                continue
            del uncounted[group.batch.number]
            if isinstance(answer, Admission):
                self._count(group, answer)
            else:
                self._drop(group, "storage_error")
                lost += len(group.batch.offers)
        if unavailable:
            raise unavailable
        return lost

    def _groups(self, parts: Sequence[Part]) -> list[_Group]:
        """Return the events by streams: several groups of one if it has too many extra collections for one batch."""
        done: list[_Gathered] = []
        current: dict[Stream, _Gathered] = {}
        for stream, pending in parts:
            gathered = current.get(stream)
            if gathered is None or not gathered.has_room_for(pending.extras, self._extra_kinds):
                gathered = current[stream] = _Gathered(stream)
                done.append(gathered)
            gathered.add(pending)
        return [self._group(gathered) for gathered in done]

    def _group(self, gathered: "_Gathered") -> _Group:
        extras = {}
        for name, indexes in gathered.indexes.items():
            kind = self._extra_kinds[kind_of(name)]
            extras[name] = newest_offered(kind, indexes, Quota.without_limit(kind.quota.size))
        number = next(self._numbers)
        batch = Batch(gathered.stream, self._quota, self._writer, number, gathered.offers, extras=extras)
        return _Group(batch, gathered.size_bytes)

    async def _call(self, groups: Sequence[_Group]) -> list[_Answered]:
        """Return each group with its answer; what is not answered is sent again under the same number."""
        deadline_us = self._now_us() + self._timeout_us
        answered: list[_Answered] = []
        while True:
            sent_us = self._now_us()
            try:
                answers = await self._storage.insert_many([group.batch for group in groups])
            finally:
                self._storage_calls.inserts.add(self._now_us() - sent_us)
            open_again = []
            for group, answer in zip(groups, answers, strict=True):
                if isinstance(answer, StorageError):
                    self._storage_calls.insert_faults[fault_kind(answer)] += 1
                if isinstance(answer, StorageUnavailable) and self._now_us() < deadline_us:
                    open_again.append(group)
                else:
                    answered.append((group, answer))
            if not open_again:
                return answered
            groups = open_again
            self._storage_calls.retries += len(groups)
            await asyncio.sleep(_PAUSE_SECONDS)

    def _count(self, group: _Group, admission: Admission) -> None:
        offers = group.batch.offers
        in_extras = admission.in_extras(group.batch) if admission.extras else {}
        placed = enumerate(admission.placed(offers))
        stored = sum(in_all or in_error or index in in_extras for index, (in_all, in_error) in placed)
        self._ledger.queued -= len(offers)
        self._ledger.stored += stored
        self._ledger.limited += len(offers) - stored
        self._ledger.count_admission(admission)
        if self._record is not None:
            self._record.add_pending(group.batch.stream, offers, group.size_bytes, RATE_LIMIT, stored=stored)

    def _drop(self, group: _Group, reason: str) -> None:
        offers = group.batch.offers
        self._ledger.queued -= len(offers)
        self._ledger.dropped[reason] += len(offers)
        if self._record is not None:
            self._record.add_pending(group.batch.stream, offers, group.size_bytes, reason)


def _calls(groups: Sequence[_Group]) -> Iterator[list[_Group]]:
    """Yield the groups of each call, which are of different streams."""
    some: list[_Group] = []
    streams: set[Stream] = set()
    size_bytes = 0
    for group in groups:
        is_full = len(some) == MAX_CALL_STREAMS or size_bytes + group.size_bytes > MAX_BATCH_BYTES
        if some and (is_full or group.batch.stream in streams):
            yield some
            some, streams, size_bytes = [], set(), 0
        some.append(group)
        streams.add(group.batch.stream)
        size_bytes += group.size_bytes
    if some:
        yield some
