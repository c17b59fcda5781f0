"""The storage contract over Redis: each operation is one Lua script, or one command per key."""

import asyncio
import contextlib
from collections.abc import Container, Sequence
from typing import Any, Self

import msgspec

from eventscache.errors import StorageError, StorageUnavailable
from eventscache.storage.base import Storage
from eventscache.storage.messages import Admission, Batch, ExtraInfo, Page, Query, StreamInfo
from eventscache.storage.options import StorageOptions, expiry_seconds
from eventscache.storage.redis.checkpoints import RedisCheckpoints, erase_checkpoints
from eventscache.storage.redis.clearing import Clearing
from eventscache.storage.redis.codec import (
    STATUS_LETTERS,
    admission,
    any_extras,
    entries,
    extra_infos,
    insert_arguments,
    list_length,
)
from eventscache.storage.redis.connect import Client, client_from_url
from eventscache.storage.redis.keys import EXTRA_KINDS, Keys
from eventscache.storage.redis.memory_guard import MemoryGuard
from eventscache.storage.redis.registry import Registry
from eventscache.storage.redis.scripts import Script
from eventscache.storage.redis.server_watch import ServerWatch
from eventscache.storage.redis.stream_list import StreamList
from eventscache.storage.redis.topology import topology_of
from eventscache.storage.redis.trimming import Trimming
from eventscache.stream import Namespace, Status, Stream


class RedisStorage(Storage):
    """Keeps each stream under up to seven keys that share a Cluster slot; `lua/insert.lua` describes them."""

    has_extras = True

    def __init__(self, client: Client, options: StorageOptions | None = None) -> None:
        self._client: Any = client
        self._options = options or StorageOptions()
        self._keys = Keys(self._options.prefix)
        self._topology = topology_of(client, _max_calls(self._options), self._options.timeout_seconds)
        self._registry = Registry(self._topology, self._keys, self._options)
        memory_guard = MemoryGuard(self._registry, self._options.max_memory_percent)
        self._watch = ServerWatch(self._topology, self._keys, memory_guard, self._options.timeout_seconds)
        self._insert = Script("insert")
        self._fetch = Script("fetch")
        self._fetch_extra = Script("fetch_extra")
        self._clearing = Clearing(self._topology, self._keys)
        self._stream_list = StreamList(self._topology, self._keys, self._registry)
        self._trimming = Trimming(self._topology, self._keys, self._registry)

    @classmethod
    def from_url(cls, url: str, options: StorageOptions) -> Self:
        """Return a storage for one of the URLs that `eventscache.storage.redis.connect` supports."""
        return cls(client_from_url(url, options, _max_calls(options) + 2), options)

    async def open(self) -> None:
        """See `Storage.open`."""
        await self._watch.start()

    async def close(self) -> None:
        """See `Storage.close`."""
        await self._watch.stop()
        await self._topology.close()

    @property
    def open_breakers(self) -> int:
        """See `Storage`."""
        return self._topology.nodes_away

    @property
    def refusing(self) -> int:
        """See `Storage`."""
        return self._topology.nodes_refusing

    async def ping(self) -> None:
        """See `Storage.ping`."""
        await self._topology.ping()

    async def ready(self) -> None:
        """See `Storage.ready`."""
        await self._watch.ready()

    def checkpoints(self, source: str) -> RedisCheckpoints:
        """See `Storage.checkpoints`."""
        return RedisCheckpoints(self._topology, self._keys, source, self._options.ttl_seconds * 1000)

    def _now(self) -> int | str:
        return self._options.now() if self._options.now else ""

    async def insert(self, batch: Batch) -> Admission:
        """See `Storage.insert`."""
        registered = await self._registry.register(batch, self._expiry_ms(batch))
        keys = self._insert_keys([batch])
        arguments = insert_arguments([batch], self._now(), self._expiry_ms(batch))
        [reply] = await self._topology.insert(keys[0], lambda connection: self._insert(connection, keys, arguments))
        return await self._admission(batch, reply, registered=registered)

    async def insert_many(self, batches: Sequence[Batch]) -> list[Admission | StorageError]:
        """See `Storage.insert_many`: one call for each server, or one pipeline for a Cluster."""
        if len(batches) < 2:  # noqa: PLR2004
            return [await self._insert_one(batch) for batch in batches]
        registered = await self._registry.register_many(batches, self._expiry_ms(batches[0]))
        answers: dict[Stream, Admission | StorageError] = {
            stream: error for stream, error in registered.items() if isinstance(error, StorageError)
        }
        accepted = [batch for batch in batches if batch.stream not in answers] if answers else batches
        nodes = self._topology.group_by_node(accepted, lambda batch: self._keys.key(batch.stream, "state"))
        if len(nodes) == 1 and not answers:
            return await self._insert_at_node(batches, registered)
        for of_node, answered in zip(
            nodes, await asyncio.gather(*(self._insert_at_node(of_node, registered) for of_node in nodes)), strict=True
        ):
            answers.update(zip((batch.stream for batch in of_node), answered, strict=True))
        return [answers[batch.stream] for batch in batches]

    async def _insert_at_node(
        self, batches: Sequence[Batch], registered: Container[Stream]
    ) -> list[Admission | StorageError]:
        """Insert the batches of one server; `registered` are the streams that were registered just now."""
        try:
            replies = await self._insert_together(batches)
        except StorageUnavailable as error:
            return [error] * len(batches)
        return [
            # A batch that failed is inserted again by itself, under the same number: that succeeds or gives the error.
            await self._insert_one(batch)
            if not isinstance(reply, list)
            else await self._admission(batch, reply, registered=batch.stream in registered)
            for batch, reply in zip(batches, replies, strict=True)
        ]

    async def _insert_together(self, batches: Sequence[Batch]) -> list[Any]:
        """Return a reply to each batch; a reply that is no list is an error."""
        key = self._keys.key(batches[0].stream, "state")
        quota, writer = batches[0].quota, batches[0].writer
        if self._topology.insert_connection and all(
            batch.quota == quota and batch.writer == writer for batch in batches
        ):
            keys = self._insert_keys(batches)
            arguments = insert_arguments(batches, self._now(), self._expiry_ms(batches[0]))
            replies: list[Any] = await self._topology.insert(
                key, lambda connection: self._insert(connection, keys, arguments)
            )
            return replies

        def run_pipeline() -> Any:
            pipeline = self._client.pipeline(transaction=False)
            for batch in batches:
                arguments = insert_arguments([batch], self._now(), self._expiry_ms(batch))
                self._insert.enqueue(pipeline, self._insert_keys([batch]), arguments)
            return pipeline.execute(raise_on_error=False)

        replies = await self._topology.write(key, run_pipeline)
        return [reply[0] if isinstance(reply, list) else reply for reply in replies]

    def _insert_keys(self, batches: Sequence[Batch]) -> list[str]:
        keys_of = self._keys.all if any_extras(batches) else self._keys.lists
        return [key for batch in batches for key in keys_of(batch.stream)]

    def _expiry_ms(self, batch: Batch) -> int:
        return expiry_seconds(self._options.ttl_seconds, batch.quota) * 1000

    async def _admission(self, batch: Batch, reply: Sequence[Any], *, registered: bool) -> Admission:
        answer, created = admission(batch, reply)
        if created and not registered:  # another process evicted the stream since this one registered it
            self._registry.mark_unregistered(batch.stream)
            again = msgspec.structs.replace(batch, trusted=True, may_begin=True)
            with contextlib.suppress(StorageError):  # the events are stored; the next batch registers it
                await self._registry.register(again, self._expiry_ms(batch))
        return answer

    async def fetch(self, stream: Stream, query: Query) -> Page:
        """See `Storage.fetch`."""
        if query.extra:
            return await self._fetch_of_extra(stream, query)
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
            query.containing,
        ]
        all_match = arguments[2:5] == ["", "", ""] and not query.containing
        if all_match and query.limit and (page := await self._fetch_newest(keys, arguments)):
            return page
        total, limited, unreadable, *flat = await self._topology.read(
            keys[0], lambda: self._fetch(self._client, keys, arguments)
        )
        return Page(entries(flat[::2], flat[1::2]), total, limited, unreadable)

    async def _fetch_of_extra(self, stream: Stream, query: Query) -> Page:
        keys = [self._keys.key(stream, kind) for kind in EXTRA_KINDS]
        arguments = [
            query.extra.encode(errors="surrogatepass"),
            "" if query.status is None else STATUS_LETTERS[query.status],
            "" if query.before is None else query.before,
            "" if query.after is None else query.after,
            query.limit,
            query.containing,
        ]
        total, limited, unreadable, *flat = await self._topology.read(
            keys[0], lambda: self._fetch_extra(self._client, keys, arguments)
        )
        return Page(entries(flat[::2], flat[1::2]), total, limited, unreadable)

    async def extras(self, stream: Stream, kind: str) -> list[ExtraInfo]:
        """See `Storage.extras`."""
        key = self._keys.key(stream, EXTRA_KINDS[0])
        [reply] = await self._topology.read_many(key, [("HGETALL", key)])
        if isinstance(reply, Exception):
            list_length(reply)
            return []
        pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2], strict=True)
        return extra_infos(dict(pairs), kind)

    async def _fetch_newest(self, keys: list[str], arguments: list[Any]) -> Page | None:
        """Return the newest events without a filter, from the lists themselves: a script would cost thirty times more.

        Return None if a reply is an error; the script then finds out the reason.
        """
        *others, limit, containing = arguments
        commands = (
            self._fetch.command(keys, [*others, 0, containing]),
            ("LRANGE", keys[1], 0, limit - 1),
            ("LRANGE", keys[2], 0, limit - 1),
        )
        replies = await self._topology.read_in_transaction(keys[0], commands)
        if replies is None or any(isinstance(reply, Exception) for reply in replies):
            return None
        (total, limited, unreadable), events, admission_log = replies
        good = entries(admission_log, events)
        return Page(good, total, limited, unreadable + len(events) - len(good))

    async def streams(self, namespace: Namespace, limit: int | None = None) -> list[StreamInfo]:
        """See `Storage.streams`."""
        most = self._options.max_streams if limit is None else min(limit, self._options.max_streams)
        return await self._stream_list.most_recent(namespace, most)

    async def clear(self, stream: Stream, *, reset: bool = False) -> int:
        """See `Storage.clear`."""
        return await self._clearing.clear(stream, reset=reset)

    async def clear_many(self, streams: Sequence[Stream], *, reset: bool = False) -> int:
        """See `Storage.clear_many`: a pipeline for each hundred streams of a server."""
        return await self._clearing.clear_many(streams, reset=reset)

    async def clear_extra(self, stream: Stream, name: str, *, reset: bool = False) -> int:
        """See `Storage.clear_extra`."""
        return await self._clearing.clear_extra(stream, name, reset=reset)

    async def erase(self) -> None:
        """See `Storage.erase`."""
        await self._registry.erase()
        await erase_checkpoints(self._topology, self._keys)

    async def trim(self, size: int) -> float:
        """See `Storage.trim`."""
        return await self._trimming.next_streams(size)


def _max_calls(options: StorageOptions) -> int:
    """Return how many calls a server gets at a time: the inserts, as many reads, and two more, as for a ping."""
    return 2 * options.pool_size + 2
