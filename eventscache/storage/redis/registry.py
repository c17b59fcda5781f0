"""The known streams: a sorted set for each namespace, bounded, by the time of their last activity."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from typing import Any

from eventscache.errors import StorageError, StreamsExhausted
from eventscache.storage.base import MICROSECONDS, Batch, StorageOptions
from eventscache.storage.redis.deployment import Deployment
from eventscache.storage.redis.keys import Keys
from eventscache.storage.redis.scripts import Script
from eventscache.stream import Namespace, Stream

_REGISTER_EVERY_SECONDS = 10
_AT_ONCE = 500


class Registry:
    """Registers streams before their first event is stored, so that none is ever without a bound."""

    def __init__(self, deployment: Deployment, keys: Keys, options: StorageOptions) -> None:
        self._deployment = deployment
        self._keys = keys
        self._options = options
        self._register = Script("register")
        # The streams that this process registered of late, and when in seconds; longest ago first.
        self._registered: OrderedDict[Stream, float] = OrderedDict()
        self._leaving: set[Stream] = set()  # displaced, but their keys may still be there

    async def note(self, batch: Batch, expiry_ms: int) -> bool:
        """Register a batch's stream as active; return False if this process has done so a short while ago.

        Raises `StreamsExhausted`.
        """
        now = self._options.now() / MICROSECONDS if self._options.now else asyncio.get_running_loop().time()
        if now - self._registered.get(batch.stream, -math.inf) < _REGISTER_EVERY_SECONDS:
            return False
        namespace = batch.stream.namespace
        key = self._keys.registry(namespace)
        arguments = [
            self._options.now() if self._options.now else "",
            batch.stream.id.encode(errors="surrogatepass"),
            self._options.max_streams,
            expiry_ms,
            int(batch.may_displace),
        ]
        admitted, *displaced = await self._deployment.write(
            key, lambda: self._register(self._deployment.client, [key], arguments), ambiguous=False
        )
        if not admitted:
            raise StreamsExhausted(f"there are {self._options.max_streams} streams, and no more are allowed")
        self._leaving.update(_streams(namespace, displaced))
        self._leaving.discard(batch.stream)
        for stream in [*self._leaving]:
            self._registered.pop(stream, None)
            await self._delete(self._keys.all(stream))
            self._leaving.discard(stream)
        self._registered[batch.stream] = now
        self._registered.move_to_end(batch.stream)
        while len(self._registered) > self._options.max_streams:
            self._registered.popitem(last=False)
        return True

    def forget(self, stream: Stream) -> None:
        """Register a stream again at its next batch."""
        self._registered.pop(stream, None)

    async def _delete(self, keys: list[str]) -> None:
        await self._deployment.write(keys[0], lambda: self._deployment.client.delete(*keys), ambiguous=False)

    async def count(self, namespace: Namespace) -> int:
        """Return how many streams are known."""
        key = self._keys.registry(namespace)
        known: int = await self._deployment.read(key, lambda: self._deployment.client.zcard(key))
        return known

    async def newest(self, namespace: Namespace, limit: int) -> list[tuple[Stream, int]]:
        """Return the most recently registered streams, and when that was in microseconds."""
        key = self._keys.registry(namespace)
        try:
            reply = await self._deployment.read(
                key, lambda: self._deployment.client.zrevrange(key, 0, limit - 1, withscores=True)
            )
        except StorageError as fault:
            if "WRONGTYPE" in str(fault):  # something else wrote over it: the next registration replaces it
                return []
            raise
        return [(stream, int(score)) for member, score in reply for stream in _streams(namespace, [member])]

    async def some(self, namespace: Namespace, cursor: int) -> tuple[int, list[Stream]]:
        """Return some of the streams, and the cursor for the next: 0 when all have been seen. Starts with 0.

        By a scan, since ranks shift while streams are active.
        """
        key = self._keys.registry(namespace)
        reply: Any = await self._deployment.read(
            key, lambda: self._deployment.client.zscan(key, cursor, count=_AT_ONCE)
        )
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


def _streams(namespace: Namespace, members: Iterable[bytes]) -> Iterable[Stream]:
    for member in members:
        try:
            yield Stream(namespace, member.decode(errors="surrogatepass"))
        except UnicodeDecodeError:
            continue  # nothing that we ever wrote
