"""Removes the events of streams: of one with a call, of many with a pipeline for some hundred of them."""

from collections.abc import Sequence
from typing import Any

from eventscache.storage.redis.keys import Keys
from eventscache.storage.redis.scripts import Script
from eventscache.storage.redis.topology import Topology
from eventscache.stream import Stream

STREAMS_PER_CALL = 100


class Clearing:
    """Clears each stream in one atomic step."""

    def __init__(self, topology: Topology, keys: Keys) -> None:
        self._topology = topology
        self._keys = keys
        self._script = Script("clear")

    async def clear(self, stream: Stream, *, reset: bool) -> int:
        """Clear a stream; return how many events there were."""
        keys = self._keys.all(stream)
        cleared: int = await self._topology.write(
            keys[0],
            lambda: self._script(self._topology.client, keys, [int(reset)]),
            ambiguous=False,
            frees_memory=True,
        )
        return cleared

    async def clear_many(self, streams: Sequence[Stream], *, reset: bool) -> int:
        """Clear streams; return how many events there were in all. Raises the first error."""
        cleared = 0
        for of_node in self._topology.group_by_node(streams, lambda stream: self._keys.key(stream, "state")):
            for start in range(0, len(of_node), STREAMS_PER_CALL):
                cleared += await self._clear_together(of_node[start : start + STREAMS_PER_CALL], reset=reset)
        return cleared

    async def _clear_together(self, streams: Sequence[Stream], *, reset: bool) -> int:
        """Clear some streams of one server."""

        def run_pipeline() -> Any:
            pipeline = self._topology.client.pipeline(transaction=False)
            for stream in streams:
                self._script.enqueue(pipeline, self._keys.all(stream), [int(reset)])
            return pipeline.execute(raise_on_error=False)

        key = self._keys.key(streams[0], "state")
        replies = await self._topology.write(key, run_pipeline, ambiguous=False, frees_memory=True)
        return sum(
            [
                # One that failed is cleared again by itself, which succeeds or gives the error: the server may not
                # have known the script.
                reply if isinstance(reply, int) else await self.clear(stream, reset=reset)
                for stream, reply in zip(streams, replies, strict=True)
            ]
        )
