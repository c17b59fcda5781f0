"""The list of known streams, with what they hold."""

from collections.abc import Sequence

from eventscache.storage.messages import StreamInfo
from eventscache.storage.redis.codec import active_us, list_length
from eventscache.storage.redis.keys import Keys
from eventscache.storage.redis.registry import Registry
from eventscache.storage.redis.topology import Topology
from eventscache.stream import Namespace, Stream

_STREAMS_PER_CALL = 500


class StreamList:
    """Reads which streams are registered, and describes each from its own keys."""

    def __init__(self, topology: Topology, keys: Keys, registry: Registry) -> None:
        self._topology = topology
        self._keys = keys
        self._registry = registry

    async def most_recent(self, namespace: Namespace, limit: int) -> list[StreamInfo]:
        """Return at most `limit` streams, most recently active first."""
        registered = await self._registry.newest(namespace, limit) if limit else []
        infos: list[StreamInfo] = []
        for of_node in self._topology.group_by_node(registered, lambda pair: self._keys.key(pair[0], "state")):
            for start in range(0, len(of_node), _STREAMS_PER_CALL):
                infos += await self._describe(of_node[start : start + _STREAMS_PER_CALL])
        return sorted(infos, key=lambda info: -info.last_active_us)[:limit]

    async def _describe(self, registered: Sequence[tuple[Stream, int]]) -> list[StreamInfo]:
        commands: list[tuple[str, ...]] = []
        for stream, _ in registered:
            state, all_, _, error, _ = self._keys.lists(stream)
            commands += (("HGET", state, "clock"), ("LLEN", all_), ("LLEN", error))
        replies = iter(await self._topology.read_many(commands[0][1], commands))
        infos = []
        for (stream, registered_us), clock, all_, error in zip(registered, replies, replies, replies, strict=True):
            if clock is not None:  # else it is registered, but has expired or was never written
                last_active_us = active_us(clock) or registered_us
                infos.append(StreamInfo(stream, last_active_us, list_length(all_), list_length(error)))
        return infos
