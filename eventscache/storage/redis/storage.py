"""The storage contract over Redis: each operation is one Lua script, or one command for each key."""

import asyncio
import contextlib
import math
from collections.abc import Container, Sequence
from itertools import starmap
from typing import Any, Self

import msgspec

from eventscache.errors import StorageError, StorageUnavailable
from eventscache.storage.base import Storage
from eventscache.storage.messages import Admission, Batch, Page, Query, StreamInfo
from eventscache.storage.options import StorageOptions, expiry_seconds
from eventscache.storage.redis.codec import STATUS_LETTERS, admission, entry, insert_arguments, is_entry
from eventscache.storage.redis.connect import Client, client_from_url
from eventscache.storage.redis.driver_errors import translate
from eventscache.storage.redis.keys import Keys
from eventscache.storage.redis.memory_guard import MemoryGuard
from eventscache.storage.redis.registry import Registry, active_us
from eventscache.storage.redis.scripts import Script
from eventscache.storage.redis.topology import topology_of
from eventscache.stream import Namespace, Status, Stream

_STREAMS_AT_ONCE = 500


class RedisStorage(Storage):
    """Keeps each stream under five keys that share a Cluster slot; `lua/insert.lua` says what they hold."""

    def __init__(self, client: Client, options: StorageOptions | None = None) -> None:
        self._client: Any = client
        self._options = options or StorageOptions()
        self._keys = Keys(self._options.prefix)
        self._topology = topology_of(client, _calls(self._options), self._options.timeout_seconds)
        self._registry = Registry(self._topology, self._keys, self._options)
        self._memory_guard = MemoryGuard(self._topology, self._registry, self._options.max_memory_percent)
        self._insert = Script("insert")
        self._fetch = Script("fetch")
        self._clear = Script("clear")
        self._trim_cursors: dict[Namespace, int | None] = dict.fromkeys(Namespace, 0)

    @classmethod
    def from_url(cls, url: str, options: StorageOptions) -> Self:
        """Return a storage for one of the URLs that `eventscache.storage.redis.connect` knows."""
        return cls(client_from_url(url, options, _calls(options) + 2), options)

    async def open(self) -> None:
        """See `Storage.open`."""
        self._memory_guard.start()

    async def close(self) -> None:
        """See `Storage.close`."""
        await self._memory_guard.end()
        await self._topology.close()

    async def ping(self) -> None:
        """See `Storage.ping`."""
        await self._topology.ping()

    def _now(self) -> int | str:
        return self._options.now() if self._options.now else ""

    async def insert(self, batch: Batch) -> Admission:
        """See `Storage.insert`."""
        noted = await self._registry.note(batch, self._expiry_ms(batch))
        keys = self._keys.all(batch.stream)
        arguments = insert_arguments([batch], self._now(), self._expiry_ms(batch))
        [reply] = await self._topology.insert(keys[0], lambda pipe: self._insert(pipe, keys, arguments))
        return await self._admission(batch, reply, noted=noted)

    async def insert_many(self, batches: Sequence[Batch]) -> list[Admission | StorageError]:
        """See `Storage.insert_many`: one call for each server, or of a Cluster one pipeline."""
        if len(batches) < 2:  # noqa: PLR2004
            return [await self._insert_one(batch) for batch in batches]
        noted = await self._registry.note_many(batches, self._expiry_ms(batches[0]))
        answers: dict[Stream, Admission | StorageError] = {
            stream: fault for stream, fault in noted.items() if isinstance(fault, StorageError)
        }
        registered = [batch for batch in batches if batch.stream not in answers] if answers else batches
        nodes = self._topology.by_node(registered, lambda batch: self._keys.key(batch.stream, "state"))
        if len(nodes) == 1 and not answers:
            return await self._insert_at_node(batches, noted)
        for of_node, answered in zip(
            nodes, await asyncio.gather(*(self._insert_at_node(of_node, noted) for of_node in nodes)), strict=True
        ):
            answers.update(zip((batch.stream for batch in of_node), answered, strict=True))
        return [answers[batch.stream] for batch in batches]

    async def _insert_at_node(
        self, batches: Sequence[Batch], noted: Container[Stream]
    ) -> list[Admission | StorageError]:
        """Insert batches that one server keeps; `noted` are the streams that have just been registered."""
        try:
            replies = await self._insert_together(batches)
        except StorageUnavailable as fault:
            return [fault] * len(batches)
        return [
            # What went wrong with one of them, by itself and under the same number, is found out or put right.
            await self._insert_one(batch)
            if not isinstance(reply, list)
            else await self._admission(batch, reply, noted=batch.stream in noted)
            for batch, reply in zip(batches, replies, strict=True)
        ]

    async def _insert_together(self, batches: Sequence[Batch]) -> list[Any]:
        """Return a reply to each batch, or something that is no list where it met an error."""
        key = self._keys.key(batches[0].stream, "state")
        quota, writer = batches[0].quota, batches[0].writer
        if self._topology.pipe and all(batch.quota == quota and batch.writer == writer for batch in batches):
            keys = [key for batch in batches for key in self._keys.all(batch.stream)]
            arguments = insert_arguments(batches, self._now(), self._expiry_ms(batches[0]))
            replies: list[Any] = await self._topology.insert(key, lambda pipe: self._insert(pipe, keys, arguments))
            return replies

        def send() -> Any:
            pipeline = self._client.pipeline(transaction=False)
            for batch in batches:
                arguments = insert_arguments([batch], self._now(), self._expiry_ms(batch))
                self._insert.enqueue(pipeline, self._keys.all(batch.stream), arguments)
            return pipeline.execute(raise_on_error=False)

        replies = await self._topology.write(key, send)
        return [reply[0] if isinstance(reply, list) else reply for reply in replies]

    def _expiry_ms(self, batch: Batch) -> int:
        return expiry_seconds(self._options.ttl_seconds, batch.quota) * 1000

    async def _admission(self, batch: Batch, reply: Sequence[Any], *, noted: bool) -> Admission:
        answer, created = admission(reply)
        if created and not noted:  # it was displaced by another process since this one registered it
            self._registry.forget(batch.stream)
            with contextlib.suppress(StorageError):  # the events are stored; the next batch registers it
                await self._registry.note(msgspec.structs.replace(batch, may_evict=True), self._expiry_ms(batch))
        return answer

    async def fetch(self, stream: Stream, query: Query) -> Page:
        """See `Storage.fetch`."""
        errors = query.status is Status.ERROR
        kind = "error" if errors else "all"
        keys = [self._keys.key(stream, name) for name in ("state", kind, f"{kind}:at")]
        arguments = [
            self._now(),
            "e" if errors else "a",
            "" if errors or query.status is None else STATUS_LETTERS[query.status],
            "" if query.before is None else query.before,
            "" if query.after is None else query.after,
            query.limit,
        ]
        all_match = arguments[2:5] == ["", "", ""]
        if all_match and query.limit and (page := await self._fetch_newest(keys, arguments)):
            return page
        total, limited, unreadable, *flat = await self._topology.read(
            keys[0], lambda: self._fetch(self._client, keys, arguments)
        )
        return Page(list(map(entry, flat[::2], flat[1::2])), total, limited, unreadable)

    async def _fetch_newest(self, keys: list[str], arguments: list[Any]) -> Page | None:
        """Return what needs no choice by a script: that would copy all events, at thirty times what Redis spends else.

        None if something is not as it should be; the script can tell what.
        """
        *others, limit = arguments
        commands = (
            self._fetch.command(keys, [*others, 0]),
            ("LRANGE", keys[1], 0, limit - 1),
            ("LRANGE", keys[2], 0, limit - 1),
        )
        replies = await self._topology.read_at_once(keys[0], commands)
        if replies is None or any(isinstance(reply, Exception) for reply in replies):
            return None
        (total, limited, unreadable), events, stamps = replies
        good = [(stamp, event) for stamp, event in zip(stamps, events, strict=False) if is_entry(stamp, event)]
        return Page(list(starmap(entry, good)), total, limited, unreadable + len(events) - len(good))

    async def streams(self, namespace: Namespace, limit: int | None = None) -> list[StreamInfo]:
        """See `Storage.streams`."""
        most = self._options.max_streams if limit is None else min(limit, self._options.max_streams)
        known = await self._registry.newest(namespace, most) if most else []
        infos: list[StreamInfo] = []
        for of_node in self._topology.by_node(known, lambda known: self._keys.key(known[0], "state")):
            for start in range(0, len(of_node), _STREAMS_AT_ONCE):
                infos += await self._describe(of_node[start : start + _STREAMS_AT_ONCE])
        return sorted(infos, key=lambda info: -info.last_active_us)[:most]

    async def _describe(self, registered: Sequence[tuple[Stream, int]]) -> list[StreamInfo]:
        commands: list[tuple[str, ...]] = []
        for stream, _ in registered:
            state, all_, _, error, _ = self._keys.all(stream)
            commands += (("HGET", state, "clock"), ("LLEN", all_), ("LLEN", error))
        replies = iter(await self._topology.read_many(commands[0][1], commands))
        infos = []
        for (stream, registered_us), clock, total, errors in zip(registered, replies, replies, replies, strict=True):
            if clock is not None:  # registered, but expired since, or never written
                infos.append(StreamInfo(stream, active_us(clock) or registered_us, _length(total), _length(errors)))
        return infos

    async def clear(self, stream: Stream, *, reset: bool = False) -> int:
        """See `Storage.clear`."""
        keys = self._keys.all(stream)
        cleared: int = await self._topology.write(
            keys[0], lambda: self._clear(self._client, keys, [int(reset)]), ambiguous=False, frees=True
        )
        return cleared

    async def erase(self) -> None:
        """See `Storage.erase`."""
        await self._registry.erase()

    async def trim(self, size: int) -> float:
        """Cut some of the known streams; Redis itself drops what has expired.

        One pass over all of them is enough: a smaller size comes with a new process, and whoever is written to is
        cut by the insert.
        """
        for namespace, cursor in self._trim_cursors.items():
            if cursor is None:
                continue
            following, streams = await self._registry.some(namespace, cursor)
            for of_node in self._topology.by_node(streams, lambda stream: self._keys.key(stream, "all")):
                await self._cut(of_node, size)
            self._trim_cursors[namespace] = following or None
            return 0
        return math.inf

    async def _cut(self, streams: Sequence[Stream], size: int) -> None:
        def cut() -> Any:
            pipeline = self._client.pipeline(transaction=False)
            for stream in streams:
                pipeline.ltrim(self._keys.key(stream, "all"), 0, size - 1)
                pipeline.ltrim(self._keys.key(stream, "error"), 0, size - 1)
            return pipeline.execute(raise_on_error=False)

        key = self._keys.key(streams[0], "all")
        for reply in await self._topology.write(key, cut, ambiguous=False, frees=True):
            _length(reply)


def _calls(options: StorageOptions) -> int:
    """Return how many calls go to a server at a time: the inserts, as many reads, and a ping."""
    return 2 * options.pool_size + 2


def _length(reply: Any) -> int:
    """Return one number of a pipeline's replies; 0 if something else wrote over the key."""
    if not isinstance(reply, Exception):
        return int(reply)
    if "WRONGTYPE" in str(reply):
        return 0
    raise translate(reply, ambiguous=False).error from reply
