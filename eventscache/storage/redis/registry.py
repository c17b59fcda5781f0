"""The known streams: a sorted set for each namespace, bounded, by the time of their last activity."""

import asyncio
import contextlib
import math
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from eventscache.clock import MICROSECONDS
from eventscache.errors import StorageError, StorageUnavailable, TooManyStreams
from eventscache.storage.messages import Batch
from eventscache.storage.options import StorageOptions
from eventscache.storage.redis.keys import Keys
from eventscache.storage.redis.scripts import Script
from eventscache.storage.redis.topology import Topology
from eventscache.stream import Namespace, Stream

T = TypeVar("T")

_REGISTER_EVERY_SECONDS = 10
_AT_ONCE = 500
_LOOKED_AT_BESIDE = 900
_FAR_FUTURE_US = 10**16
_DISPLACED_AT_ONCE = 16  # streams that one new stream looks at, to make room


class Registry:
    """Registers streams before their first event is stored, so that none is ever without a bound."""

    def __init__(self, topology: Topology, keys: Keys, options: StorageOptions) -> None:
        self._topology = topology
        self._keys = keys
        self._options = options
        self._register = Script("register")
        self._displace = Script("evict")
        self._forget = Script("unregister")
        # The streams that this process registered, and when in seconds; longest ago first.
        self._registered: OrderedDict[Stream, float] = OrderedDict()

    async def note(self, batch: Batch, expiry_ms: int) -> bool:
        """Register a batch's stream as active; return False if this process has done so a short while ago.

        Raises `TooManyStreams`. A stream that was registered before goes on while the set cannot be reached.
        """
        now = self._seconds()
        if not self._due(batch.stream, now):
            return False
        key = self._keys.registry(batch.stream.namespace)
        arguments = self._arguments([batch.stream], expiry_ms, displace=batch.may_evict)
        try:
            [(surplus, *idlest)] = await self._run(self._register, key, [key], arguments)
        except StorageUnavailable:
            if batch.stream in self._registered:
                return False
            raise
        if surplus < 0:
            raise TooManyStreams(f"there are {self._options.max_streams} streams, and no more are allowed")
        self._remember(batch.stream, now)
        if surplus:
            await self._make_room(batch.stream.namespace, surplus, dict(zip(idlest[::2], idlest[1::2], strict=True)))
        return True

    async def note_many(self, batches: Sequence[Batch], expiry_ms: int) -> dict[Stream, StorageError | None]:
        """Register what is due; return those streams, and what was wrong with them."""
        now = self._seconds()
        due = {batch.stream: batch for batch in batches if self._due(batch.stream, now)}
        noted: dict[Stream, StorageError | None] = {}
        for namespace in Namespace:
            of_one = [stream for stream in due if stream.namespace is namespace]
            if len(of_one) > 1:
                noted |= await self._note_together(namespace, of_one, expiry_ms)
        for stream, batch in due.items():
            if stream not in noted:
                try:
                    if await self.note(batch, expiry_ms):
                        noted[stream] = None
                except StorageError as fault:
                    noted[stream] = fault
        return noted

    async def _note_together(self, namespace: Namespace, streams: list[Stream], expiry_ms: int) -> dict[Stream, None]:
        """Register in one go, as far as there is room and the server obliges; return what that was.

        The rest is for `note`, which makes room, and says what is wrong.
        """
        now = self._seconds()
        key = self._keys.registry(namespace)
        try:
            replies = await self._run(self._register, key, [key], self._arguments(streams, expiry_ms, displace=False))
        except StorageError:
            return {}
        noted = dict.fromkeys(stream for stream, reply in zip(streams, replies, strict=True) if reply == [0])
        for stream in noted:
            self._remember(stream, now)
        return noted

    def _seconds(self) -> float:
        return self._options.now() / MICROSECONDS if self._options.now else asyncio.get_running_loop().time()

    def _due(self, stream: Stream, now: float) -> bool:
        return now - self._registered.get(stream, -math.inf) >= _REGISTER_EVERY_SECONDS

    def _remember(self, stream: Stream, now: float) -> None:
        self._registered[stream] = now
        self._registered.move_to_end(stream)
        while len(self._registered) > self._options.max_streams:
            self._registered.popitem(last=False)

    def _arguments(self, streams: Iterable[Stream], expiry_ms: int, *, displace: bool) -> list[Any]:
        """Return what `lua/register.lua` is given, in its order."""
        return [
            self._options.now() if self._options.now else "",
            self._options.max_streams,
            expiry_ms,
            int(displace),
            _DISPLACED_AT_ONCE,
            *map(_member, streams),
        ]

    async def _make_room(self, namespace: Namespace, surplus: int, named: dict[bytes, bytes]) -> None:
        """Let so many of the named streams leave: those that are the idlest by their own state.

        What cannot be reached now stays known, and is named again.
        """
        streams = [*_streams(namespace, named)]
        outcome = dict.fromkeys(named.keys() - set(map(_member, streams)), 0)  # ids that nobody ever wrote
        # A stream without a state was registered, and is about to be written to.
        registered_us = {stream: _time_of(float(named[_member(stream)])) for stream in streams}
        activity = {stream: last or registered_us[stream] for stream, last in (await self._activity(streams)).items()}
        for stream, last_us in sorted(activity.items(), key=lambda item: item[1]):
            outcome[_member(stream)] = last_us
            if surplus > list(outcome.values()).count(0):
                with contextlib.suppress(StorageUnavailable):
                    outcome[_member(stream)] = await self._let_leave(stream, last_us)
        if outcome:
            key = self._keys.registry(namespace)
            triples = [part for member, last_us in outcome.items() for part in (member, named[member], last_us)]
            with contextlib.suppress(StorageUnavailable):
                await self._run(self._forget, key, [key], triples)

    async def _activity(self, streams: list[Stream]) -> dict[Stream, int]:
        """Return when each stream that can be reached was active, in microseconds; 0 for one that is gone."""
        activity: dict[Stream, int] = {}
        for of_node in self._topology.by_node(streams, self._state):
            clocks = [("HGET", self._state(stream), "clock") for stream in of_node]
            with contextlib.suppress(StorageUnavailable):
                replies = await self._topology.read_many(clocks[0][1], clocks)
                activity.update(zip(of_node, map(active_us, replies), strict=True))
        return activity

    def _state(self, stream: Stream) -> str:
        return self._keys.key(stream, "state")

    async def _let_leave(self, stream: Stream, last_us: int) -> int:
        """Delete a stream, unless it was active later than that; return when, or 0."""
        keys = self._keys.all(stream)
        later_us: int = await self._run(self._displace, keys[0], keys, [last_us])
        if not later_us:
            self.forget(stream)
        return later_us

    async def _run(self, script: Script, key: str, keys: list[str], arguments: list[Any]) -> Any:
        return await self._topology.write(
            key,
            lambda: script(self._topology.client, keys, arguments),
            ambiguous=False,
            frees=script is not self._register,
        )

    def forget(self, stream: Stream) -> None:
        """Register a stream again at its next batch."""
        self._registered.pop(stream, None)

    async def _delete(self, keys: list[str]) -> None:
        await self._topology.write(keys[0], lambda: self._topology.client.delete(*keys), ambiguous=False, frees=True)

    async def _read(self, key: str, call: Callable[[], Awaitable[T]], empty: T) -> T:
        """Read of the set; if something else wrote over it, it is empty: the next registration makes it anew."""
        try:
            return await self._topology.read(key, call)
        except StorageError as fault:
            if "WRONGTYPE" in str(fault):
                return empty
            raise

    async def count(self, namespace: Namespace) -> int:
        """Return how many streams are known."""
        key = self._keys.registry(namespace)
        return await self._read(key, lambda: self._topology.client.zcard(key), 0)

    async def newest(self, namespace: Namespace, limit: int) -> list[tuple[Stream, int]]:
        """Return streams among which the most recently active ones are, and when each was registered, in microseconds.

        Those are more than `limit`: a stream that is in use is registered only so often. Where that many and some more
        are in use, which of these are the most recent ones would take all the time there is to find out, and is
        another answer at once: it is some of them.
        """
        key, client = self._keys.registry(namespace), self._topology.client
        first: Any = await self._read(key, lambda: client.zrevrange(key, 0, limit - 1, withscores=True), [])
        if len(first) == limit:
            since, most = first[-1][1] - _REGISTER_EVERY_SECONDS * MICROSECONDS, limit + _LOOKED_AT_BESIDE
            first = await self._read(
                key, lambda: client.zrevrangebyscore(key, "+inf", since, 0, most, withscores=True), []
            )
        return [(stream, _time_of(score)) for member, score in first for stream in _streams(namespace, [member])]

    async def some(self, namespace: Namespace, cursor: int) -> tuple[int, list[Stream]]:
        """Return some of the streams, and the cursor for the next: 0 when all have been seen. Starts with 0.

        By a scan, since ranks shift while streams are active.
        """
        key = self._keys.registry(namespace)
        reply: Any = await self._read(key, lambda: self._topology.client.zscan(key, cursor, count=_AT_ONCE), (0, []))
        following, scored = reply
        return int(following), [*_streams(namespace, (member for member, _ in scored))]

    async def all(self) -> AsyncIterator[Stream]:
        """Yield every known stream."""
        for namespace in Namespace:
            cursor: int | None = 0
            while cursor is not None:
                following, streams = await self.some(namespace, cursor)
                for stream in streams:
                    yield stream
                cursor = following or None

    async def erase(self) -> None:
        """Remove all streams, and what is known of them."""
        async for stream in self.all():
            await self._delete(self._keys.all(stream))
        for namespace in Namespace:
            await self._delete([self._keys.registry(namespace)])
        self._registered.clear()


def active_us(clock: Any) -> int:
    """Return when a stream was active by its state's clock, in microseconds; 0 if there is none, or not ours."""
    try:
        last_us, offset_us = map(int, clock.split())
    except (AttributeError, ValueError):
        return 0
    return last_us - offset_us if last_us - offset_us < _FAR_FUTURE_US else 0


def _time_of(score: float) -> int:
    """Return a score as a time in microseconds; one that we never wrote is cut to the times that there are."""
    return int(min(max(score, 0), _FAR_FUTURE_US - 1))


def _member(stream: Stream) -> bytes:
    return stream.id.encode(errors="surrogatepass")


def _streams(namespace: Namespace, members: Iterable[bytes]) -> Iterable[Stream]:
    for member in members:
        try:
            yield Stream(namespace, member.decode(errors="surrogatepass"))
        except UnicodeDecodeError:
            continue  # nothing that we ever wrote
