"""The registry of known streams: one bounded sorted set per namespace, ordered by the last registration."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from eventscache.clock import MICROSECONDS
from eventscache.errors import StorageError, StorageUnavailable, TooManyStreams, UnknownStream
from eventscache.storage.messages import Batch
from eventscache.storage.options import StorageOptions
from eventscache.storage.redis.codec import member, registered_streams, score_us
from eventscache.storage.redis.eviction import SPARE_CANDIDATES, Eviction
from eventscache.storage.redis.keys import Keys
from eventscache.storage.redis.scripts import Script
from eventscache.storage.redis.topology import Topology
from eventscache.stream import Namespace, Stream

T = TypeVar("T")

_REGISTER_EVERY_SECONDS = 10
_SCAN_COUNT = 500
_READ_BEYOND_LIMIT = 900
_ADDED, _TOO_MANY, _MAY_NOT_BEGIN = 1, -1, -2  # as in `lua/register.lua`


class _Terms(NamedTuple):
    """On which terms streams are registered together."""

    namespace: Namespace
    trusted: bool
    may_begin: bool


class Registry:
    """Registers each stream before its first event is stored, so that the number of streams is always bounded."""

    def __init__(self, topology: Topology, keys: Keys, options: StorageOptions) -> None:
        self._topology = topology
        self._keys = keys
        self._options = options
        self._register_script = Script("register")
        self._eviction = Eviction(topology, keys, self.mark_unregistered)
        # The streams that this process registered, and when, in seconds; the oldest registration first.
        self._registered: OrderedDict[Stream, float] = OrderedDict()

    async def register(self, batch: Batch, expiry_ms: int) -> bool:
        """Register the stream of a batch as active; return False if this process did so in the last seconds.

        Raises `TooManyStreams` and `UnknownStream`. While the registry cannot be reached, streams that were registered
        before are accepted.
        """
        if not self._is_due(batch.stream, self._seconds()):
            return False
        registered = await self.register_many([batch], expiry_ms)
        if error := registered.get(batch.stream):
            raise error
        return batch.stream in registered

    async def register_many(self, batches: Sequence[Batch], expiry_ms: int) -> dict[Stream, StorageError | None]:
        """Register the streams that are due; return them, each with None or the error of its registration."""
        now = self._seconds()
        due: dict[_Terms, list[Stream]] = {}
        for batch in batches:
            if self._is_due(batch.stream, now):
                due.setdefault(_Terms(batch.stream.namespace, batch.trusted, batch.may_begin), []).append(batch.stream)
        registered: dict[Stream, StorageError | None] = {}
        for terms, streams in due.items():
            # New streams that may evict others come a few at a time, so that these can make room for all of them.
            evicts = terms.trusted and terms.may_begin
            together = max(1, self._options.max_streams // 4) if evicts else len(streams)
            for first in range(0, len(streams), together):
                registered |= await self._register_together(terms, streams[first : first + together], expiry_ms)
        return registered

    async def _register_together(
        self, terms: _Terms, streams: list[Stream], expiry_ms: int
    ) -> dict[Stream, StorageError | None]:
        """Register streams with one call, and evict as many as are over the bound with a few more."""
        now, namespace = self._seconds(), terms.namespace
        try:
            results, excess, idlest = await self._run_register(namespace, self._arguments(terms, streams, expiry_ms))
        except StorageError as error:
            known = self._registered if isinstance(error, StorageUnavailable) else {}
            return {stream: error for stream in streams if stream not in known}
        registered = {stream: self._error_of(result) for stream, result in zip(streams, results, strict=True)}
        for stream, refused in registered.items():
            if not refused:
                self._mark_registered(stream, now)
        if excess:
            candidates = dict(zip(idlest[::2], idlest[1::2], strict=True))
            try:
                await self._eviction.evict(namespace, excess, candidates)
            except StorageError as error:
                added = [stream for stream, result in zip(streams, results, strict=True) if result == _ADDED]
                registered |= dict.fromkeys(added, error)
        return registered

    def _error_of(self, result: int) -> StorageError | None:
        """Return the error that a result of `lua/register.lua` stands for, if it does."""
        if result == _TOO_MANY:
            return TooManyStreams(
                f"there are {self._options.max_streams} streams, and eventscache.max_streams allows no more"
            )
        if result == _MAY_NOT_BEGIN:
            return UnknownStream("the stream is new, and the batch may not begin one")
        return None

    def _seconds(self) -> float:
        return self._options.now() / MICROSECONDS if self._options.now else asyncio.get_running_loop().time()

    def _is_due(self, stream: Stream, now: float) -> bool:
        return now - self._registered.get(stream, -math.inf) >= _REGISTER_EVERY_SECONDS

    def _mark_registered(self, stream: Stream, now: float) -> None:
        self._registered[stream] = now
        self._registered.move_to_end(stream)
        while len(self._registered) > self._options.max_streams:
            self._registered.popitem(last=False)

    def mark_unregistered(self, stream: Stream) -> None:
        """Make this process register a stream again at its next batch."""
        self._registered.pop(stream, None)

    def _arguments(self, terms: _Terms, streams: Sequence[Stream], expiry_ms: int) -> list[Any]:
        """Return the arguments of `lua/register.lua`, in its order."""
        return [
            self._options.now() if self._options.now else "",
            self._options.max_streams,
            expiry_ms,
            int(terms.trusted),
            int(terms.may_begin),
            len(streams) + SPARE_CANDIDATES,
            *map(member, streams),
        ]

    async def _run_register(self, namespace: Namespace, arguments: list[Any]) -> Any:
        key = self._keys.registry(namespace)
        return await self._topology.write(
            key, lambda: self._register_script(self._topology.client, [key], arguments), ambiguous=False
        )

    async def _delete(self, keys: list[str]) -> None:
        await self._topology.write(
            keys[0], lambda: self._topology.client.delete(*keys), ambiguous=False, frees_memory=True
        )

    async def _read(self, key: str, call: Callable[[], Awaitable[T]], empty: T) -> T:
        """Read the sorted set; if something else overwrote it, it is empty, and the next registration replaces it."""
        try:
            return await self._topology.read(key, call)
        except StorageError as error:
            if "WRONGTYPE" in str(error):
                return empty
            raise

    async def count(self, namespace: Namespace) -> int:
        """Return how many streams are known."""
        key = self._keys.registry(namespace)
        return await self._read(key, lambda: self._topology.client.zcard(key), 0)

    async def newest(self, namespace: Namespace, limit: int) -> list[tuple[Stream, int]]:
        """Return streams that include the most recently active ones, each with its registration in microseconds.

        These are more than `limit`, because an active stream is registered only every few seconds. If many more than
        that are active, only some of them are returned: to find the most recent ones would take too long, and they
        would be others a moment later.
        """
        key, client = self._keys.registry(namespace), self._topology.client
        scored: Any = await self._read(key, lambda: client.zrevrange(key, 0, limit - 1, withscores=True), [])
        if len(scored) == limit:
            since, most = scored[-1][1] - _REGISTER_EVERY_SECONDS * MICROSECONDS, limit + _READ_BEYOND_LIMIT
            scored = await self._read(
                key, lambda: client.zrevrangebyscore(key, "+inf", since, 0, most, withscores=True), []
            )
        return [(stream, score_us(score)) for id_, score in scored for stream in registered_streams(namespace, [id_])]

    async def scan(self, namespace: Namespace, cursor: int) -> tuple[int, list[Stream]]:
        """Return some of the streams, and the cursor for the next call: 0 after the last ones. Begin with 0.

        It scans because ranks shift while streams are active.
        """
        key = self._keys.registry(namespace)
        reply: Any = await self._read(key, lambda: self._topology.client.zscan(key, cursor, count=_SCAN_COUNT), (0, []))
        next_cursor, scored = reply
        return int(next_cursor), [*registered_streams(namespace, (id_ for id_, _ in scored))]

    async def all(self) -> AsyncIterator[Stream]:
        """Yield every known stream."""
        for namespace in Namespace:
            cursor: int | None = 0
            while cursor is not None:
                next_cursor, streams = await self.scan(namespace, cursor)
                for stream in streams:
                    yield stream
                cursor = next_cursor or None

    async def erase(self) -> None:
        """Remove all streams with their data, and the registry itself."""
        async for stream in self.all():
            await self._delete(self._keys.all(stream))
        for namespace in Namespace:
            await self._delete([self._keys.registry(namespace)])
        self._registered.clear()
