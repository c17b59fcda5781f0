"""The embedded storage: exact, bounded in bytes, gone with the process, and for one process only."""

import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from itertools import islice
from typing import Self

from eventscache.errors import ConfigError, StreamsExhausted
from eventscache.storage.base import (
    MICROSECONDS,
    WRITER_HORIZON_US,
    Admission,
    Batch,
    Entry,
    Offer,
    Page,
    Query,
    Quota,
    Share,
    Storage,
    StorageOptions,
    StreamInfo,
    Verdict,
    expiry_seconds,
)
from eventscache.storage.limiter import Limiter, StreamClock
from eventscache.stream import Namespace, Status, Stream

# What CPython spends beside the payload, rounded up: on a stream, on an entry, and on a stamp.
_STREAM_BYTES = 4500
_ENTRY_BYTES = 250
_STAMP_BYTES = 50


def _unix_us() -> int:
    return time.time_ns() // 1000


class _Answered:
    """The last answer to one writer, kept so that the same batch again changes nothing."""

    __slots__ = ("admission", "number", "time_us")

    def __init__(self, number: int, time_us: int, admission: Admission) -> None:
        self.number = number
        self.time_us = time_us
        self.admission = admission

    def repeat(self, time_us: int) -> Admission:
        """Return the answer, with less time left to wait."""
        gone = time_us - self.time_us

        def later(verdict: Verdict | None) -> Verdict | None:
            return verdict and verdict._replace(retry_us=max(0, verdict.retry_us - gone))

        first = self.admission
        return Admission(first.at_us, later(first.all), later(first.error))


class _Collection:
    """The last events, newest first, and their limiter."""

    __slots__ = ("entries", "limiter")

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque()
        self.limiter = Limiter()

    def trim(self, size: int) -> int:
        """Drop the oldest entries beyond `size` and return the bytes set free."""
        freed = 0
        while len(self.entries) > size:
            freed += len(self.entries.pop().event) + _ENTRY_BYTES
        return freed

    def judge(self, offered: int, share: Share, time_us: int, quota: Quota) -> Verdict | None:
        offered += share.surplus
        if not offered and not any(refusal.events for refusal in share.carried):
            return None
        return self.limiter.judge(offered, share.carried, time_us, quota)


class _Kept:
    """All that is kept of one stream."""

    __slots__ = ("all", "answered", "clock", "error", "event_bytes", "expiry_us", "quota", "sequence", "turn")

    def __init__(self) -> None:
        self.clock = StreamClock()
        self.expiry_us = 0
        self.sequence = 0
        self.turn = 0  # of the storage's inserts, the last one for this stream
        self.event_bytes = 0
        self.all = _Collection()
        self.error = _Collection()
        self.quota: Quota | None = None
        self.answered: dict[str, _Answered] = {}

    @property
    def bytes(self) -> int:
        return _STREAM_BYTES + self.event_bytes + _STAMP_BYTES * (self.all.limiter.stamps + self.error.limiter.stamps)

    @property
    def active_us(self) -> int:
        return self.clock.last_us - self.clock.offset_us

    @property
    def expires_us(self) -> int:
        return self.active_us + self.expiry_us

    def collection(self, status: Status | None) -> _Collection:
        return self.error if status is Status.ERROR else self.all

    def insert(self, batch: Batch, now_us: int) -> Admission:
        answered = self.answered.get(batch.writer)
        if answered and answered.number >= batch.number:
            known = answered.number == batch.number
            return answered.repeat(self.clock.peek(now_us)) if known else Admission(stale=True)
        time_us = self.clock.advance(now_us)
        admission = Admission(
            time_us,
            self.all.judge(sum(offer.to_all for offer in batch.offers), batch.all, time_us, batch.quota),
            self.error.judge(sum(offer.to_error for offer in batch.offers), batch.error, time_us, batch.quota),
            other_quota=self.quota if self.quota != batch.quota else None,
        )
        self.quota = batch.quota
        self._keep(batch.offers, admission, time_us)
        for collection, verdict in ((self.all, admission.all), (self.error, admission.error)):
            if verdict and verdict.admitted:
                self.event_bytes -= collection.trim(batch.quota.size)
        self._remember(batch, time_us, admission)
        return admission

    def _keep(self, offers: Sequence[Offer], admission: Admission, time_us: int) -> None:
        for offer, (in_all, in_error) in zip(offers, admission.placed(offers), strict=True):
            if not (in_all or in_error):
                continue
            self.sequence += 1
            entry = Entry(self.sequence, time_us, offer.status, offer.event)
            for collection in (self.all,) * in_all + (self.error,) * in_error:
                collection.entries.appendleft(entry)
                self.event_bytes += len(entry.event) + _ENTRY_BYTES

    def _remember(self, batch: Batch, time_us: int, admission: Admission) -> None:
        if batch.writer not in self.answered:
            horizon = time_us - WRITER_HORIZON_US
            self.answered = {name: old for name, old in self.answered.items() if old.time_us > horizon}
        self.answered[batch.writer] = _Answered(batch.number, time_us, admission)

    def trim(self, size: int) -> None:
        self.event_bytes -= self.all.trim(size) + self.error.trim(size)

    def clear(self, *, reset: bool) -> int:
        cleared = {entry.sequence for entry in self.all.entries} | {entry.sequence for entry in self.error.entries}
        self.trim(0)
        if reset:
            self.all, self.error = _Collection(), _Collection()
        return len(cleared)


class MemoryStorage(Storage):
    """Keeps streams in this process; the least recently active ones leave when there is no room."""

    multiprocess = False

    def __init__(self, options: StorageOptions | None = None) -> None:
        self._options = options or StorageOptions()
        self._now = self._options.now or _unix_us
        # By id, least recently active first.
        self._streams: dict[Namespace, OrderedDict[str, _Kept]] = {name: OrderedDict() for name in Namespace}
        self._bytes = 0
        self._turn = 0
        self._largest_size = 0

    @classmethod
    def from_url(cls, url: str, options: StorageOptions) -> Self:
        """Return an empty storage for `memory:` or `memory://`."""
        if url not in {"memory:", "memory://"}:
            raise ConfigError("the memory storage takes no more than memory://")
        return cls(options)

    async def ping(self) -> None:
        """Return: this process is there."""

    async def insert(self, batch: Batch) -> Admission:
        """See `Storage.insert`."""
        now_us = self._now()
        known = self._streams[batch.stream.namespace]
        kept = self._find(batch.stream, now_us) or self._create(batch)
        known.move_to_end(batch.stream.id)
        kept.expiry_us = expiry_seconds(self._options.ttl_seconds, batch.quota) * MICROSECONDS
        self._largest_size = max(self._largest_size, batch.quota.size)
        self._turn += 1
        kept.turn = self._turn
        before = kept.bytes
        admission = kept.insert(batch, now_us)
        self._bytes += kept.bytes - before
        self._make_room(kept)
        return admission

    def _find(self, stream: Stream, now_us: int) -> _Kept | None:
        kept = self._streams[stream.namespace].get(stream.id)
        if kept and kept.expires_us <= now_us:
            self._drop(stream)
            return None
        return kept

    def _create(self, batch: Batch) -> _Kept:
        known = self._streams[batch.stream.namespace]
        if len(known) >= self._options.max_streams:
            if not batch.may_displace:
                raise StreamsExhausted(f"there are {len(known)} streams, and no more are allowed")
            self._drop(Stream(batch.stream.namespace, next(iter(known))))
        kept = known[batch.stream.id] = _Kept()
        self._bytes += kept.bytes
        return kept

    def _drop(self, stream: Stream) -> None:
        self._bytes -= self._streams[stream.namespace].pop(stream.id).bytes

    def _idlest(self) -> Stream | None:
        heads = [(next(iter(known.items())), name) for name, known in self._streams.items() if known]
        if not heads:
            return None
        # By turn: the clock can step back.
        (stream_id, _), name = min(heads, key=lambda head: head[0][1].turn)
        return Stream(name, stream_id)

    def _make_room(self, active: _Kept) -> None:
        """Let the least recently active streams leave, then the oldest events of the one that is left."""
        while self._bytes > self._options.memory_bytes and (idlest := self._idlest()):
            kept = self._streams[idlest.namespace][idlest.id]
            if kept is not active:
                self._drop(idlest)
            elif active.all.entries or active.error.entries:
                before = active.bytes
                active.trim(max(len(active.all.entries), len(active.error.entries)) - 1)
                self._bytes += active.bytes - before
            else:
                return

    async def fetch(self, stream: Stream, query: Query) -> Page:
        """See `Storage.fetch`."""
        now_us = self._now()
        kept = self._find(stream, now_us)
        if not kept:
            return Page([], 0, 0)
        collection = kept.collection(query.status)
        limited = collection.limiter.limited(kept.clock.peek(now_us))
        if query.status in {Status.SUCCESS, Status.SKIP}:
            matching = [entry for entry in collection.entries if entry.status is query.status]
        else:
            matching = list(collection.entries)
        wanted = (entry for entry in matching if query.spans(entry.sequence))
        return Page(list(islice(wanted, query.limit)), len(matching), limited)

    async def streams(self, namespace: Namespace, limit: int | None = None) -> list[StreamInfo]:
        """See `Storage.streams`."""
        now_us = self._now()
        known = (
            StreamInfo(Stream(namespace, stream_id), kept.active_us, len(kept.all.entries), len(kept.error.entries))
            for stream_id, kept in reversed(self._streams[namespace].items())
            if kept.expires_us > now_us
        )
        return list(islice(known, limit))

    async def clear(self, stream: Stream, *, reset: bool = False) -> int:
        """See `Storage.clear`."""
        kept = self._find(stream, self._now())
        if not kept:
            return 0
        before = kept.bytes
        cleared = kept.clear(reset=reset)
        self._bytes += kept.bytes - before
        return cleared

    async def erase(self) -> None:
        """See `Storage.erase`."""
        for known in self._streams.values():
            known.clear()
        self._bytes = 0

    async def trim(self, size: int) -> float:
        """See `Storage.trim`."""
        if size < self._largest_size:
            for known in self._streams.values():
                for kept in known.values():
                    before = kept.bytes
                    kept.trim(size)
                    self._bytes += kept.bytes - before
            self._largest_size = size
        now_us = self._now()
        while idlest := self._idlest():
            expires_us = self._streams[idlest.namespace][idlest.id].expires_us
            if expires_us > now_us:
                return (expires_us - now_us) / MICROSECONDS
            self._drop(idlest)
        return self._options.ttl_seconds
