"""The lease and the checkpoints of a source, in Redis."""

import functools
from collections.abc import Mapping
from typing import Any

from eventscache.errors import StorageError
from eventscache.storage.checkpoints import Checkpoints
from eventscache.storage.redis.keys import Keys
from eventscache.storage.redis.scripts import Script
from eventscache.storage.redis.topology import Topology

_PAIRS_PER_CALL = 500


class RedisCheckpoints(Checkpoints):
    """Keeps the lease and the checkpoints in two hashes that share a Cluster slot; another one lists all sources."""

    def __init__(self, topology: Topology, keys: Keys, name: str, expiry_ms: int) -> None:
        self._topology = topology
        self._name = name
        self._names = keys.sources()
        self._is_listed = False
        self._lease, self._checkpoints = keys.source(name)
        self._expiry_ms = expiry_ms
        self._lease_script, self._save_script = Script("lease"), Script("checkpoint")

    async def hold(self, owner: str, seconds: float) -> bool:
        """See `Checkpoints.hold`."""
        if not self._is_listed:
            await self._write(self._names, "HSET", self._name, 1)
            await self._write(self._names, "PEXPIRE", self._expiry_ms)
            self._is_listed = True
        return bool(await self._run(self._lease_script, [self._lease], [owner, int(seconds * 1000)]))

    async def load(self) -> dict[bytes, bytes]:
        """See `Checkpoints.load`."""
        try:
            return await self._topology.read(
                self._checkpoints, lambda: self._topology.client.hgetall(self._checkpoints)
            )
        except StorageError as fault:
            if "WRONGTYPE" in str(fault.__cause__):  # something else wrote it: the next `save` replaces it
                return {}
            raise

    async def save(self, owner: str, changed: Mapping[bytes, bytes]) -> bool:
        """See `Checkpoints.save`; very many are changed in several steps."""
        pairs = [*changed.items()]
        held = True
        for first in range(0, len(pairs), _PAIRS_PER_CALL):
            some = [part for pair in pairs[first : first + _PAIRS_PER_CALL] for part in pair]
            arguments = [owner, self._expiry_ms, *some]
            held = held and bool(await self._run(self._save_script, [self._lease, self._checkpoints], arguments))
        return held

    async def _write(self, key: str, command: str, *arguments: Any) -> None:
        await self._topology.write(
            key, lambda: self._topology.client.execute_command(command, key, *arguments), ambiguous=False
        )

    async def _run(self, script: Script, keys: list[str], arguments: list[Any]) -> Any:
        """Run a script that may run twice."""
        return await self._topology.write(
            keys[0], lambda: script(self._topology.client, keys, arguments), ambiguous=False
        )


async def erase_checkpoints(topology: Topology, keys: Keys) -> None:
    """Remove the leases and the checkpoints of all sources."""
    listed = keys.sources()
    names = await topology.read(listed, lambda: topology.client.hgetall(listed))
    for key in [key for name in names for key in keys.source(name.decode())] + [listed]:
        await topology.write(key, functools.partial(topology.client.delete, key), ambiguous=False, frees_memory=True)
