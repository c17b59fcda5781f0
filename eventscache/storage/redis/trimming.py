"""Trims streams that nobody writes to, after the size was lowered."""

import math
from collections.abc import Sequence
from typing import Any

from eventscache.storage.redis.codec import list_length
from eventscache.storage.redis.keys import Keys
from eventscache.storage.redis.registry import Registry
from eventscache.storage.redis.topology import Topology
from eventscache.stream import Namespace, Stream


class Trimming:
    """One pass over all known streams; Redis itself drops those that have expired.

    One pass is enough: a smaller size comes with a new process, and each insert trims its own stream.
    """

    def __init__(self, topology: Topology, keys: Keys, registry: Registry) -> None:
        self._topology = topology
        self._keys = keys
        self._registry = registry
        self._cursors: dict[Namespace, int | None] = dict.fromkeys(Namespace, 0)  # None when a namespace is done

    async def next_streams(self, size: int) -> float:
        """Trim some streams; return 0, or infinity when the pass is complete."""
        for namespace, cursor in self._cursors.items():
            if cursor is None:
                continue
            next_cursor, streams = await self._registry.scan(namespace, cursor)
            for of_node in self._topology.group_by_node(streams, lambda stream: self._keys.key(stream, "all")):
                await self._trim(of_node, size)
            self._cursors[namespace] = next_cursor or None
            return 0
        return math.inf

    async def _trim(self, streams: Sequence[Stream], size: int) -> None:
        def run_pipeline() -> Any:
            pipeline = self._topology.client.pipeline(transaction=False)
            for stream in streams:
                pipeline.ltrim(self._keys.key(stream, "all"), 0, size - 1)
                pipeline.ltrim(self._keys.key(stream, "error"), 0, size - 1)
            return pipeline.execute(raise_on_error=False)

        key = self._keys.key(streams[0], "all")
        for reply in await self._topology.write(key, run_pipeline, ambiguous=False, frees_memory=True):
            list_length(reply)
