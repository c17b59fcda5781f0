"""The embedded storage: exact, bounded in bytes, gone with the process, and for one process only."""

from collections import OrderedDict, deque
from itertools import islice
from typing import Self

from eventscache.clock import MICROSECONDS, unix_us
from eventscache.errors import ConfigError, TooManyStreams
from eventscache.storage.base import Storage
from eventscache.storage.messages import Admission, Batch, Entry, Page, Query, StreamInfo
from eventscache.storage.options import StorageOptions, expiry_seconds
from eventscache.storage.stream_state import StreamState
from eventscache.stream import Namespace, Status, Stream

# What CPython spends beside the payload, rounded up: on a stream, on an entry, and on a stamp.
_STREAM_BYTES = 4500
_ENTRY_BYTES = 250
_STAMP_BYTES = 50


class _Kept:
    """All that is kept of one stream."""

    __slots__ = ("all", "error", "event_bytes", "expiry_us", "judge", "turn")

    def __init__(self) -> None:
        self.judge = StreamState()
        self.expiry_us = 0
        self.turn = 0  # of the storage's inserts, the last one for this stream
        self.event_bytes = 0
        self.all: deque[Entry] = deque()  # newest first, as the other
        self.error: deque[Entry] = deque()

    @property
    def bytes(self) -> int:
        return _STREAM_BYTES + self.event_bytes + _STAMP_BYTES * (self.judge.all.stamps + self.judge.error.stamps)

    @property
    def active_us(self) -> int:
        return self.judge.clock.last_us - self.judge.clock.offset_us

    @property
    def expires_us(self) -> int:
        return self.active_us + self.expiry_us

    def insert(self, batch: Batch, now_us: int) -> Admission:
        ruling = self.judge.judge(batch, now_us)
        for entries, admitted in ((self.all, ruling.all), (self.error, ruling.error)):
            if admitted:
                entries.extendleft(admitted)
                self.event_bytes += sum(len(entry.event) + _ENTRY_BYTES for entry in admitted)
                self._trim(entries, batch.quota.size)
        return ruling.admission

    def _trim(self, entries: deque[Entry], size: int) -> None:
        while len(entries) > size:
            self.event_bytes -= len(entries.pop().event) + _ENTRY_BYTES

    def trim(self, size: int) -> None:
        """Drop the oldest entries of both collections beyond `size`."""
        self._trim(self.all, size)
        self._trim(self.error, size)

    def clear(self, *, reset: bool) -> int:
        cleared = {entry.sequence for entry in self.all} | {entry.sequence for entry in self.error}
        self.trim(0)
        if reset:
            self.judge.reset()
        return len(cleared)


class MemoryStorage(Storage):
    """Keeps streams in this process; the least recently active ones leave when there is no room."""

    multiprocess = False

    def __init__(self, options: StorageOptions | None = None) -> None:
        self._options = options or StorageOptions()
        self._now = self._options.now or unix_us
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
        kept = self._find(batch.stream, now_us)
        if kept and (answered := kept.judge.answered(batch, now_us)):
            return answered
        kept = kept or self._create(batch, now_us)
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

    def _create(self, batch: Batch, now_us: int) -> _Kept:
        known = self._streams[batch.stream.namespace]
        if len(known) >= self._options.max_streams:
            stream_id, idlest = next(iter(known.items()))
            if not batch.may_evict and idlest.expires_us > now_us:
                raise TooManyStreams(f"there are {len(known)} streams, and no more are allowed")
            self._drop(Stream(batch.stream.namespace, stream_id))
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
            elif active.all or active.error:
                before = active.bytes
                active.trim(max(len(active.all), len(active.error)) - 1)
                self._bytes += active.bytes - before
            else:
                return

    async def fetch(self, stream: Stream, query: Query) -> Page:
        """See `Storage.fetch`."""
        now_us = self._now()
        kept = self._find(stream, now_us)
        if not kept:
            return Page([], 0, 0)
        failed = query.status is Status.ERROR
        entries, limiter = (kept.error, kept.judge.error) if failed else (kept.all, kept.judge.all)
        limited = limiter.limited(kept.judge.clock.peek(now_us))
        if query.status in {Status.SUCCESS, Status.SKIP}:
            matching = [entry for entry in entries if entry.status is query.status]
        else:
            matching = list(entries)
        wanted = (entry for entry in matching if query.spans(entry.sequence))
        return Page(list(islice(wanted, query.limit)), len(matching), limited)

    async def streams(self, namespace: Namespace, limit: int | None = None) -> list[StreamInfo]:
        """See `Storage.streams`."""
        now_us = self._now()
        known = (
            StreamInfo(Stream(namespace, stream_id), kept.active_us, len(kept.all), len(kept.error))
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
