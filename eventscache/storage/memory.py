"""The embedded storage: exact, bounded in bytes, gone with the process, and for one process only."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterable
from itertools import islice
from typing import Self

from eventscache.clock import MICROSECONDS, unix_us
from eventscache.errors import ConfigError, TooManyStreams, UnknownStream
from eventscache.storage.base import Storage
from eventscache.storage.messages import Admission, Batch, Entry, ExtraInfo, Page, Query, StreamInfo
from eventscache.storage.options import StorageOptions, expiry_seconds
from eventscache.storage.stream_state import StreamState
from eventscache.stream import Namespace, Status, Stream

_SEARCHED_AT_ONCE = 1024 * 1024  # bytes of events: less than a millisecond
# The memory that CPython needs besides the payloads, rounded up: for a stream, an entry, and a logged admission.
_STREAM_BYTES = 4500
_ENTRY_BYTES = 250
_LOGGED_BYTES = 50
_EXTRA_BYTES = 2000


class _StoredStream:
    """The state and the events of one stream."""

    __slots__ = ("all", "error", "event_bytes", "expiry_us", "extras", "last_insert", "state", "trusted")

    def __init__(self) -> None:
        self.state = StreamState()
        self.expiry_us = 0
        self.last_insert = 0  # the number of the last insert into this stream, among all inserts of the storage
        self.trusted = False
        self.event_bytes = 0
        self.all: deque[Entry] = deque()  # newest first, like `error`
        self.error: deque[Entry] = deque()
        self.extras: dict[str, deque[Entry]] = {}

    @property
    def bytes(self) -> int:
        state = self.state
        logged = state.all.log_length + state.error.log_length
        extras = 0
        if state.extras:
            logged += sum(extra.limiter.log_length for extra in state.extras.values())
            extras = _EXTRA_BYTES * len(state.extras)
        return _STREAM_BYTES + self.event_bytes + _LOGGED_BYTES * logged + extras

    @property
    def active_us(self) -> int:
        return self.state.clock.last_us - self.state.clock.offset_us

    @property
    def expires_us(self) -> int:
        return self.active_us + self.expiry_us

    def insert(self, batch: Batch, now_us: int) -> Admission:
        applied = self.state.apply(batch, now_us)
        for name in applied.gone:
            self._trim(self.extras.pop(name, deque()), 0)
        for entries, admitted in ((self.all, applied.all), (self.error, applied.error)):
            if admitted:
                self._add(entries, admitted, batch.quota.size)
        for name, admitted in applied.extras.items():
            self._add(self.extras.setdefault(name, deque()), admitted, batch.extras[name].quota.size)
        return applied.admission

    def _add(self, entries: deque[Entry], admitted: list[Entry], size: int) -> None:
        entries.extendleft(admitted)
        self.event_bytes += sum(len(entry.event) + _ENTRY_BYTES for entry in admitted)
        self._trim(entries, size)

    def _trim(self, entries: deque[Entry], size: int) -> None:
        while len(entries) > size:
            self.event_bytes -= len(entries.pop().event) + _ENTRY_BYTES

    def trim(self, size: int) -> None:
        """Drop the oldest entries of both collections beyond `size`."""
        self._trim(self.all, size)
        self._trim(self.error, size)

    def drop_extra_events(self) -> None:
        """Drop the events of all extra collections."""
        for entries in self.extras.values():
            self._trim(entries, 0)
        self.extras = {}

    def clear(self, *, reset: bool) -> int:
        extras = [*self.extras.values()]
        cleared = {entry.sequence for entries in (self.all, self.error, *extras) for entry in entries}
        self.trim(0)
        self.drop_extra_events()
        self.state.clear()
        if reset:
            self.state.reset()
        return len(cleared)

    def clear_extra(self, name: str, *, reset: bool) -> int:
        entries = self.extras.pop(name, deque[Entry]())
        cleared = len(entries)
        self._trim(entries, 0)
        self.state.clear_extra(name, reset=reset)
        return cleared


class MemoryStorage(Storage):
    """Keeps streams in this process; when it is full, evicts the least recently active ones, trusted ones last."""

    multiprocess = False
    has_extras = True

    def __init__(self, options: StorageOptions | None = None) -> None:
        self._options = options or StorageOptions()
        self._now = self._options.now or unix_us
        # By id, least recently active first.
        self._streams: dict[Namespace, OrderedDict[str, _StoredStream]] = {name: OrderedDict() for name in Namespace}
        # Those that are not trusted, least recently active first.
        self._untrusted: OrderedDict[Stream, _StoredStream] = OrderedDict()
        self._bytes = 0
        self._inserts = 0
        self._largest_size = 0

    @classmethod
    def from_url(cls, url: str, options: StorageOptions) -> Self:
        """Return an empty storage for `memory:` or `memory://`."""
        if url not in {"memory:", "memory://"}:
            raise ConfigError("the memory storage takes no more than memory://")
        return cls(options)

    async def ping(self) -> None:
        """Return at once: the storage is this process."""

    async def insert(self, batch: Batch) -> Admission:
        """See `Storage.insert`."""
        now_us = self._now()
        known = self._streams[batch.stream.namespace]
        stored = self._find(batch.stream, now_us)
        if stored and (answer := stored.state.replay(batch, now_us)):
            return answer
        stored = stored or self._create(batch, now_us)
        known.move_to_end(batch.stream.id)
        if not stored.trusted:
            self._note_trust(batch, stored)
        stored.expiry_us = expiry_seconds(self._options.ttl_seconds, batch.quota) * MICROSECONDS
        self._largest_size = max(self._largest_size, batch.quota.size)
        self._inserts += 1
        stored.last_insert = self._inserts
        before = stored.bytes
        admission = stored.insert(batch, now_us)
        self._bytes += stored.bytes - before
        if self._bytes > self._options.memory_bytes:
            self._evict_beyond_bytes(batch.stream, stored)
        return admission

    def _note_trust(self, batch: Batch, stored: _StoredStream) -> None:
        if batch.trusted:
            stored.trusted = True
            self._untrusted.pop(batch.stream, None)
        else:
            self._untrusted[batch.stream] = stored
            self._untrusted.move_to_end(batch.stream)

    def _find(self, stream: Stream, now_us: int) -> _StoredStream | None:
        stored = self._streams[stream.namespace].get(stream.id)
        if stored and stored.expires_us <= now_us:
            self._drop(stream)
            return None
        return stored

    def _create(self, batch: Batch, now_us: int) -> _StoredStream:
        if not batch.may_begin:
            raise UnknownStream("the stream is new, and the batch may not begin one")
        known = self._streams[batch.stream.namespace]
        if not batch.trusted and not self._has_bytes_for_untrusted():
            raise TooManyStreams("the memory is full, and no more streams are allowed")
        if len(known) >= self._options.max_streams:
            stream_id, oldest = next(iter(known.items()))
            if not batch.trusted and oldest.expires_us > now_us:
                raise TooManyStreams(f"there are {len(known)} streams, and eventscache.max_streams allows no more")
            self._drop(Stream(batch.stream.namespace, stream_id))
        stored = known[batch.stream.id] = _StoredStream()
        self._bytes += stored.bytes
        return stored

    def _has_bytes_for_untrusted(self) -> bool:
        """Whether there are bytes for one more stream, or streams that leave for one that is not trusted."""
        return bool(self._untrusted) or self._bytes + _STREAM_BYTES <= self._options.memory_bytes

    def _drop(self, stream: Stream) -> None:
        self._bytes -= self._streams[stream.namespace].pop(stream.id).bytes
        self._untrusted.pop(stream, None)

    def _least_recently_active(self) -> Stream | None:
        heads = [(next(iter(known.items())), name) for name, known in self._streams.items() if known]
        if not heads:
            return None
        # Not by time: the clock can step back.
        (stream_id, _), name = min(heads, key=lambda head: head[0][1].last_insert)
        return Stream(name, stream_id)

    def _evict_beyond_bytes(self, active: Stream, stored: _StoredStream) -> None:
        """Evict streams as `_next_to_leave` says, and trim the active one when that is its turn."""
        while self._bytes > self._options.memory_bytes and (stream := self._next_to_leave()):
            if stream != active:
                self._drop(stream)
            elif stored.all or stored.error:
                before = stored.bytes
                stored.trim(max(len(stored.all), len(stored.error)) - 1)
                self._bytes += stored.bytes - before
            elif stored.extras:
                before = stored.bytes
                stored.drop_extra_events()
                self._bytes += stored.bytes - before
            else:
                return

    def _next_to_leave(self) -> Stream | None:
        """Return the least recently active stream of those that are not trusted, or else of all."""
        return next(iter(self._untrusted), None) or self._least_recently_active()

    async def fetch(self, stream: Stream, query: Query) -> Page:
        """See `Storage.fetch`."""
        now_us = self._now()
        stored = self._find(stream, now_us)
        if not stored:
            return Page([], 0, 0)
        time_us = stored.state.clock.peek(now_us)
        if query.extra:
            entries, limited = stored.extras.get(query.extra, deque[Entry]()), 0
        elif query.status is Status.ERROR:
            entries, limited = stored.error, stored.state.error.limited(time_us)
        else:
            entries, limited = stored.all, stored.state.all.limited(time_us)
        if query.status in {Status.SUCCESS, Status.SKIP} or (query.extra and query.status):
            matching = [entry for entry in entries if entry.status is query.status]
        else:
            matching = list(entries)
        in_range = (entry for entry in matching if query.spans(entry.sequence))
        found = await _found(in_range, query) if query.containing else list(islice(in_range, query.limit))
        return Page(found, len(matching), limited)

    async def extras(self, stream: Stream, kind: str) -> list[ExtraInfo]:
        """See `Storage.extras`."""
        stored = self._find(stream, self._now())
        if not stored:
            return []
        return stored.state.extra_infos(kind, {name: len(entries) for name, entries in stored.extras.items()})

    async def streams(self, namespace: Namespace, limit: int | None = None) -> list[StreamInfo]:
        """See `Storage.streams`."""
        now_us = self._now()
        known = (
            StreamInfo(Stream(namespace, stream_id), stored.active_us, len(stored.all), len(stored.error))
            for stream_id, stored in reversed(self._streams[namespace].items())
            if stored.expires_us > now_us
        )
        return list(islice(known, limit))

    async def clear(self, stream: Stream, *, reset: bool = False) -> int:
        """See `Storage.clear`."""
        stored = self._find(stream, self._now())
        if not stored:
            return 0
        before = stored.bytes
        cleared = stored.clear(reset=reset)
        self._bytes += stored.bytes - before
        return cleared

    async def clear_extra(self, stream: Stream, name: str, *, reset: bool = False) -> int:
        """See `Storage.clear_extra`."""
        stored = self._find(stream, self._now())
        if not stored:
            return 0
        before = stored.bytes
        cleared = stored.clear_extra(name, reset=reset)
        self._bytes += stored.bytes - before
        return cleared

    async def erase(self) -> None:
        """See `Storage.erase`."""
        for known in self._streams.values():
            known.clear()
        self._untrusted.clear()
        self._bytes = 0

    async def trim(self, size: int) -> float:
        """See `Storage.trim`."""
        if size < self._largest_size:
            for known in self._streams.values():
                for stored in known.values():
                    before = stored.bytes
                    stored.trim(size)
                    self._bytes += stored.bytes - before
            self._largest_size = size
        now_us = self._now()
        while oldest := self._least_recently_active():
            expires_us = self._streams[oldest.namespace][oldest.id].expires_us
            if expires_us > now_us:
                return (expires_us - now_us) / MICROSECONDS
            self._drop(oldest)
        return self._options.ttl_seconds


async def _found(entries: Iterable[Entry], query: Query) -> list[Entry]:
    """Return the entries that contain what a query asks for; others have their turns in between."""
    found: list[Entry] = []
    searched = 0
    for entry in entries:
        if len(found) >= query.limit:
            break
        if query.containing in entry.event:
            found.append(entry)
        searched += len(entry.event)
        if searched >= _SEARCHED_AT_ONCE:
            searched = 0
            await asyncio.sleep(0)
    return found
