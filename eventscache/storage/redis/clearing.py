"""Removes the events of streams: of one with a call, of many with a pipeline for each hundred of them."""

from collections.abc import Sequence

from eventscache.storage.redis.keys import EXTRA_KINDS, Keys
from eventscache.storage.redis.script_calls import ScriptCall, run_script, run_script_many
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
        self._extra_script = Script("clear_extra")

    async def clear(self, stream: Stream, *, reset: bool) -> int:
        """Clear a stream; return how many events there were."""
        cleared: int = await run_script(self._topology, self._script, self._call(stream, reset=reset))
        return cleared

    async def clear_extra(self, stream: Stream, name: str, *, reset: bool) -> int:
        """Clear one extra collection; return how many events there were."""
        keys = [self._keys.key(stream, kind) for kind in EXTRA_KINDS]
        call = ScriptCall(keys, [name.encode(errors="surrogatepass"), int(reset)])
        cleared: int = await run_script(self._topology, self._extra_script, call)
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
        calls = [self._call(stream, reset=reset) for stream in streams]
        return sum([cleared async for cleared in run_script_many(self._topology, self._script, calls)])

    def _call(self, stream: Stream, *, reset: bool) -> ScriptCall:
        return ScriptCall(self._keys.all(stream), [int(reset)])
