"""The storage for more than one process: a Redis, in which every operation is one Lua script."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import quote

import msgspec
import redis.asyncio
from redis import exceptions as driver
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from eventscache.errors import ConfigError, StorageError, StorageUnavailable, StreamsExhausted
from eventscache.storage.base import (
    MICROSECONDS,
    Admission,
    Batch,
    Entry,
    Offer,
    Page,
    Query,
    Quota,
    Refusal,
    Storage,
    StorageOptions,
    StreamInfo,
    Verdict,
    expiry_seconds,
)
from eventscache.storage.scripts import Script
from eventscache.stream import Namespace, Status, Stream

_LETTERS = {Status.SUCCESS: "s", Status.SKIP: "k", Status.ERROR: "e"}
_STATUSES = {letter.encode(): status for status, letter in _LETTERS.items()}
_STALE = 2
_REGISTER_EVERY_SECONDS = 10
_STREAMS_AT_ONCE = 500
# Texts of replies that pass by themselves: the server is full, busy with somebody's script, starting, a replica,
# or between two masters. redis-py has classes for some of them only, and not in each version of the server.
_PASSING = (
    "OOM",
    "BUSY",
    "LOADING",
    "READONLY",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "NOREPLICAS",
    "MISCONF",
    "UNKILLABLE",
)

# What it says when the user name or password is wrong or missing; the class differs by version and moment.
_NO_ACCESS = ("HELLO must be called", "invalid username-password", "Authentication required")
# What redis-py says when it had no connection to send on.
_NEVER_SENT = ("connecting to", "No connection available", "Connection refused")


class RedisStorage(Storage):
    """Keeps each stream under five keys that share a Cluster slot; `lua/insert.lua` says what they hold."""

    def __init__(self, client: "redis.asyncio.Redis", options: StorageOptions | None = None) -> None:
        self._client = client
        self._options = options or StorageOptions()
        self._insert = Script("insert")
        self._fetch = Script("fetch")
        self._clear = Script("clear")
        self._register = Script("register")
        # The streams that this process registered of late, and when in seconds; longest ago first.
        self._registered: OrderedDict[Stream, float] = OrderedDict()
        self._trim_cursors: dict[Namespace, int | None] = dict.fromkeys(Namespace, 0)

    @classmethod
    def from_url(cls, url: str, options: StorageOptions) -> Self:
        """Return a storage for `redis://`, `rediss://` or `unix://`, as redis-py reads them."""
        try:
            pool: Any = redis.asyncio.BlockingConnectionPool.from_url(
                url,
                max_connections=2 * options.pool_size + 2,
                timeout=options.timeout_seconds,
                socket_timeout=options.timeout_seconds,
                socket_connect_timeout=options.timeout_seconds,
                # The one place that tries again is above the storage, with the batch's own number.
                retry=Retry(NoBackoff(), 0),
            )
        except (ValueError, TypeError):  # whose text can hold a piece of the password
            raise ConfigError(
                "not a usable Redis URL; it is redis://[[user]:password@]host[:port][/database]"
            ) from None
        return cls(redis.asyncio.Redis(connection_pool=pool), options)

    async def close(self) -> None:
        """See `Storage.close`."""
        await self._client.aclose()
        await self._client.connection_pool.disconnect()

    async def ping(self) -> None:
        """See `Storage.ping`."""
        async with _translated():
            await self._client.ping()

    def _key(self, stream: Stream, kind: str) -> str:
        quoted = quote(stream.id, safe="", errors="surrogatepass")
        return f"{self._options.prefix}:v1:{{{stream.namespace[0]}.{quoted}}}:{kind}"

    def _keys(self, stream: Stream) -> list[str]:
        return [self._key(stream, kind) for kind in ("state", "all", "all:at", "error", "error:at")]

    def _registry(self, namespace: Namespace) -> str:
        return f"{self._options.prefix}:v1:streams:{namespace[0]}"

    def _now(self) -> int | str:
        return self._options.now() if self._options.now else ""

    async def insert(self, batch: Batch) -> Admission:
        """See `Storage.insert`."""
        expiry_ms = expiry_seconds(self._options.ttl_seconds, batch.quota) * 1000
        async with _translated(ambiguous=False):
            noted = await self._note_activity(batch, expiry_ms)
        async with _translated():
            reply = await self._insert(
                self._client,
                self._keys(batch.stream),
                [
                    self._now(),
                    batch.quota.size,
                    batch.quota.window_us,
                    expiry_ms,
                    batch.writer,
                    batch.number,
                    batch.all.surplus,
                    batch.error.surplus,
                    _carried(batch.all.carried),
                    _carried(batch.error.carried),
                    "".join(map(_letter, batch.offers)),
                    *(offer.event for offer in batch.offers),
                ],
            )
            kind, all_admitted, all_retry, error_admitted, error_retry, other_quota, created = reply
            if created and not noted:  # it was displaced by another process since this one registered it
                del self._registered[batch.stream]
                await self._note_activity(msgspec.structs.replace(batch, may_displace=True), expiry_ms)
        return Admission(
            Verdict(all_admitted, all_retry) if all_admitted >= 0 else None,
            Verdict(error_admitted, error_retry) if error_admitted >= 0 else None,
            stale=kind == _STALE,
            other_quota=Quota(*map(int, other_quota.split())) if other_quota else None,
        )

    async def _note_activity(self, batch: Batch, expiry_ms: int) -> bool:
        """Register the stream before its first event is stored, so that none is ever without a bound.

        Returns False if this process has done so a short while ago.
        """
        now = self._options.now() / MICROSECONDS if self._options.now else asyncio.get_running_loop().time()
        if now - self._registered.get(batch.stream, -math.inf) < _REGISTER_EVERY_SECONDS:
            return False
        namespace = batch.stream.namespace
        admitted, *displaced = await self._register(
            self._client,
            [self._registry(namespace)],
            [
                self._now(),
                batch.stream.id.encode(errors="surrogatepass"),
                self._options.max_streams,
                expiry_ms,
                int(batch.may_displace),
            ],
        )
        if not admitted:
            raise StreamsExhausted(f"there are {self._options.max_streams} streams, and no more are allowed")
        for stream_id in displaced:
            gone = _stream(namespace, stream_id)
            self._registered.pop(gone, None)
            await self._client.delete(*self._keys(gone))
        self._registered[batch.stream] = now
        self._registered.move_to_end(batch.stream)
        while len(self._registered) > self._options.max_streams:
            self._registered.popitem(last=False)
        return True

    async def fetch(self, stream: Stream, query: Query) -> Page:
        """See `Storage.fetch`."""
        errors = query.status is Status.ERROR
        kind = "error" if errors else "all"
        async with _translated(ambiguous=False):
            total, limited, *flat = await self._fetch(
                self._client,
                [self._key(stream, "state"), self._key(stream, kind), self._key(stream, f"{kind}:at")],
                [
                    self._now(),
                    "e" if errors else "a",
                    "" if errors or query.status is None else _LETTERS[query.status],
                    "" if query.before is None else query.before,
                    "" if query.after is None else query.after,
                    query.limit,
                ],
            )
        return Page(list(map(_entry, flat[::2], flat[1::2])), total, limited)

    async def streams(self, namespace: Namespace) -> list[StreamInfo]:
        """See `Storage.streams`."""
        async with _translated(ambiguous=False):
            ids: Any = await self._client.zrevrange(self._registry(namespace), 0, self._options.max_streams - 1)
            known = [_stream(namespace, stream_id) for stream_id in ids]
            infos: list[StreamInfo] = []
            for start in range(0, len(known), _STREAMS_AT_ONCE):
                infos += await self._describe(known[start : start + _STREAMS_AT_ONCE])
        return sorted(infos, key=lambda info: -info.last_active_us)

    async def _describe(self, streams: Sequence[Stream]) -> list[StreamInfo]:
        pipeline = self._client.pipeline(transaction=False)
        for stream in streams:
            pipeline.hget(self._key(stream, "state"), "clock")
            pipeline.llen(self._key(stream, "all"))
            pipeline.llen(self._key(stream, "error"))
        replies = iter(await pipeline.execute())
        infos = []
        for stream, clock, total, errors in zip(streams, replies, replies, replies, strict=True):
            if clock:  # registered, but expired since, or never written
                last_us, offset_us = map(int, clock.split())
                infos.append(StreamInfo(stream, last_us - offset_us, total, errors))
        return infos

    async def clear(self, stream: Stream, *, reset: bool = False) -> int:
        """See `Storage.clear`."""
        async with _translated():
            cleared: int = await self._clear(self._client, self._keys(stream), [int(reset)])
        return cleared

    async def trim(self, size: int) -> float:
        """Cut some of the known streams; Redis itself drops what has expired.

        One pass over all of them is enough: a smaller size comes with a new process, and whoever is written to is
        cut by the insert.
        """
        for namespace, cursor in self._trim_cursors.items():
            if cursor is None:
                continue
            async with _translated():
                # By a scan: ranks shift while other streams are active.
                reply: Any = await self._client.zscan(self._registry(namespace), cursor, count=_STREAMS_AT_ONCE)
                following, scored = reply
                pipeline = self._client.pipeline(transaction=False)
                for stream_id, _ in scored:
                    stream = _stream(namespace, stream_id)
                    pipeline.ltrim(self._key(stream, "all"), 0, size - 1)
                    pipeline.ltrim(self._key(stream, "error"), 0, size - 1)
                await pipeline.execute()
            self._trim_cursors[namespace] = following or None
            return 0
        return math.inf


def _stream(namespace: Namespace, stream_id: bytes) -> Stream:
    return Stream(namespace, stream_id.decode(errors="surrogatepass"))


def _carried(refusals: Sequence[Refusal]) -> str:
    return " ".join(f"{age_us}:{events}" for age_us, events in refusals if events)


def _letter(offer: Offer) -> str:
    if offer.status is not Status.ERROR:
        return _LETTERS[offer.status]
    if not offer.to_error:
        return "a"
    return "e" if offer.to_all else "x"


def _entry(stamp: bytes, event: bytes) -> Entry:
    admitted_us, _, sequence = stamp[1:].partition(b":")
    return Entry(int(sequence), int(admitted_us), _STATUSES[stamp[:1]], event)


@asynccontextmanager
async def _translated(*, ambiguous: bool = True) -> AsyncIterator[None]:
    """Turn whatever the driver raises into this package's errors; secrets stay out of the text.

    `ambiguous` says whether a call that got no answer may have changed something that matters.
    """
    try:
        yield
    except (driver.TimeoutError, driver.ConnectionError, OSError) as fault:
        if isinstance(fault, driver.AuthenticationError) or any(text in str(fault) for text in _NO_ACCESS):
            raise StorageUnavailable("Redis refuses the user name or password", ambiguous=False) from None
        sent = not any(text in str(fault) for text in _NEVER_SENT)
        raise StorageUnavailable(f"no answer from Redis: {fault}", ambiguous=ambiguous and sent) from fault
    except driver.ResponseError as fault:
        text = str(fault)
        passing = isinstance(fault, driver.OutOfMemoryError) or any(word in text for word in _PASSING)
        if passing:
            raise StorageUnavailable(f"Redis answered: {text}", ambiguous=False) from fault
        raise StorageError(f"Redis answered: {text}") from fault
    except driver.RedisError as fault:
        raise StorageUnavailable(f"Redis failed: {fault}", ambiguous=ambiguous) from fault
