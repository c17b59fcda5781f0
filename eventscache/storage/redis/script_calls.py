"""Runs a script for many streams with one round trip."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from eventscache.storage.redis.scripts import Script
from eventscache.storage.redis.topology import Topology


class ScriptCall(NamedTuple):
    """The keys and arguments of one run of a script."""

    keys: list[str]
    arguments: list[Any]


async def run_script(topology: Topology, script: Script, call: ScriptCall) -> Any:
    """Run a script that frees memory and may run twice; return its reply."""
    return await topology.write(
        call.keys[0], lambda: script(topology.client, *call), ambiguous=False, frees_memory=True
    )


async def run_script_many(topology: Topology, script: Script, calls: Sequence[ScriptCall]) -> AsyncIterator[int]:
    """Run such a script for streams of one server, each run by itself; yield the replies, which are integers.

    One that failed is run again, which succeeds or gives the error: the server may not have known the script.
    """

    def run_pipeline() -> Any:
        pipeline = topology.client.pipeline(transaction=False)
        for call in calls:
            script.enqueue(pipeline, *call)
        return pipeline.execute(raise_on_error=False)

    replies = await topology.write(calls[0].keys[0], run_pipeline, ambiguous=False, frees_memory=True)
    for call, reply in zip(calls, replies, strict=True):
        yield reply if isinstance(reply, int) else await run_script(topology, script, call)
