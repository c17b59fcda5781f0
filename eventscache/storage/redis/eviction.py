"""Evicts the least recently active streams, to make room for new ones."""

import contextlib
from collections.abc import Callable, Sequence

from eventscache.errors import StorageUnavailable
from eventscache.storage.redis.codec import active_us, member, registered_streams, score_us
from eventscache.storage.redis.keys import Keys
from eventscache.storage.redis.script_calls import ScriptCall, run_script, run_script_many
from eventscache.storage.redis.scripts import Script
from eventscache.storage.redis.topology import Topology
from eventscache.stream import Namespace, Stream

SPARE_CANDIDATES = 15
"""How many more streams are considered for eviction than new ones come: some may prove to be active."""


class Eviction:
    """Evicts streams that the registry names, but only those whose own state says that they are idle."""

    def __init__(self, topology: Topology, keys: Keys, on_evicted: Callable[[Stream], None]) -> None:
        self._topology = topology
        self._keys = keys
        self._on_evicted = on_evicted
        self._evict_script = Script("evict")
        self._unregister_script = Script("unregister")

    async def evict(self, namespace: Namespace, excess: int, candidates: dict[bytes, bytes]) -> None:
        """Evict `excess` of the candidates (members of the registry with their scores), the least recently active.

        A candidate that cannot be reached now stays registered, and will be a candidate again. However many there are,
        this takes a few round trips to each server, unless they prove to be active.
        """
        streams = [*registered_streams(namespace, candidates)]
        # By member: when it was active, 0 for one that is gone, and for ids that something else wrote.
        activity = dict.fromkeys(candidates.keys() - set(map(member, streams)), 0)
        excess -= len(activity)
        waiting = await self._least_recent_first(streams, candidates)
        while waiting and excess > 0:
            some, waiting = waiting[:excess], waiting[excess:]
            for stream, last_us in (await self._evict_streams(some)).items():
                activity[member(stream)] = last_us
                excess -= not last_us
        activity |= {member(stream): last_us for stream, last_us in waiting}
        if activity:
            await self._unregister(namespace, candidates, activity)

    async def _least_recent_first(
        self, streams: list[Stream], candidates: dict[bytes, bytes]
    ) -> list[tuple[Stream, int]]:
        """Return each stream that can be reached, and its last activity in microseconds.

        A stream without a state was registered, and is about to be written to: its registration counts.
        """
        activity = {
            stream: last_us or score_us(float(candidates[member(stream)]))
            for stream, last_us in (await self._activity(streams)).items()
        }
        return sorted(activity.items(), key=lambda item: item[1])

    async def _activity(self, streams: list[Stream]) -> dict[Stream, int]:
        """Return the last activity of each stream that can be reached, in microseconds; 0 for one without a state."""
        activity: dict[Stream, int] = {}
        for of_node in self._topology.group_by_node(streams, self._state_key):
            clocks = [("HGET", self._state_key(stream), "clock") for stream in of_node]
            with contextlib.suppress(StorageUnavailable):
                replies = await self._topology.read_many(clocks[0][1], clocks)
                activity.update(zip(of_node, map(active_us, replies), strict=True))
        return activity

    def _state_key(self, stream: Stream) -> str:
        return self._keys.key(stream, "state")

    async def _evict_streams(self, streams: Sequence[tuple[Stream, int]]) -> dict[Stream, int]:
        """Delete streams that were not active after the given time; return the last activity of each then, or 0."""
        activity = dict(streams)
        for of_node in self._topology.group_by_node(streams, lambda known: self._state_key(known[0])):
            calls = [ScriptCall(self._keys.all(stream), [last_us]) for stream, last_us in of_node]
            known = iter(of_node)
            with contextlib.suppress(StorageUnavailable):
                async for later_us in run_script_many(self._topology, self._evict_script, calls):
                    stream, _ = next(known)
                    activity[stream] = later_us
                    if not later_us:
                        self._on_evicted(stream)
        return activity

    async def _unregister(
        self, namespace: Namespace, candidates: dict[bytes, bytes], activity: dict[bytes, int]
    ) -> None:
        """Remove the streams that are gone from the registry, and correct the scores of the others."""
        triples = [part for id_, last_us in activity.items() for part in (id_, candidates[id_], last_us)]
        with contextlib.suppress(StorageUnavailable):
            call = ScriptCall([self._keys.registry(namespace)], triples)
            await run_script(self._topology, self._unregister_script, call)
