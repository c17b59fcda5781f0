"""Watches the servers: every second whether each of them takes our commands, and how full it is."""

import asyncio
import contextlib
import functools

import structlog

from eventscache.errors import StorageRefused, StorageUnavailable
from eventscache.storage.redis.keys import Keys
from eventscache.storage.redis.memory_guard import MemoryGuard
from eventscache.storage.redis.refusals import CommandRefused
from eventscache.storage.redis.topology import Primary, Topology
from eventscache.storage.redis.write_probe import find_refusal

_log = structlog.get_logger()

_CHECK_EVERY_SECONDS = 1.0
_MAX_PROBE_KEYS = 1000  # a primary of a Cluster serves one of so many keys, or hardly any slot


class ServerWatch:
    """Checks all servers every second, and logs when one begins and when it ends to refuse what is needed.

    So an operator learns it before an event does.
    """

    def __init__(self, topology: Topology, keys: Keys, memory_guard: MemoryGuard, timeout_seconds: float) -> None:
        self._topology = topology
        self._keys = keys
        self._memory_guard = memory_guard
        self._timeout_seconds = timeout_seconds
        self._unwatched: set[str] = set()  # servers whose user may not use transactions
        self._probes: dict[str, asyncio.Task[None]] = {}  # in progress, by server
        self._checked = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the checks; return after the first one, or when that takes longer than a call may take."""
        self._task = asyncio.create_task(self._check_until_stopped())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timeout_seconds):
                await self._checked.wait()

    async def stop(self) -> None:
        """Stop after the check in progress: a call that is cancelled costs its connection."""
        self._stopping.set()
        if self._task:
            await self._task
            self._task = None
        await asyncio.gather(*self._probes.values(), return_exceptions=True)

    async def _check_until_stopped(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(StorageUnavailable):  # no server is known
                await self.check()
            self._checked.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CHECK_EVERY_SECONDS):
                    await self._stopping.wait()

    async def check(self) -> None:
        """Check every server once. Raises `StorageUnavailable` if none is known."""
        for primary in await self._topology.primaries():
            await self._memory_guard.check(primary)
            with contextlib.suppress(StorageUnavailable):  # logged, or told by the next call
                await self._probe(primary)

    async def ready(self) -> None:
        """Return if one of the servers takes writes now, else raise the `StorageUnavailable` of the last one."""
        error = StorageUnavailable("no server is known: check the addresses in eventscache.storage", ambiguous=False)
        for primary in await self._topology.primaries():
            try:
                await self._probe(primary)
                if primary.node.too_full:
                    await self._memory_guard.check(primary)
                primary.node.require_writable()
                return  # noqa: TRY300 - in a loop that goes on after an error
            except StorageUnavailable as unavailable:
                error = unavailable
        raise error

    async def _probe(self, primary: Primary) -> None:
        """Raise why a server is of no use now. Callers share a probe in progress: many cost no more than one."""
        name = primary.node.name
        probe = self._probes.get(name)
        if probe is None:
            probe = self._probes[name] = asyncio.create_task(self._run_probe(primary))
            probe.add_done_callback(functools.partial(self._on_probe_done, name))
        await asyncio.shield(probe)

    def _on_probe_done(self, name: str, probe: "asyncio.Task[None]") -> None:
        del self._probes[name]
        if not probe.cancelled():
            probe.exception()  # mark it as retrieved: a cancelled caller does not do so

    async def _run_probe(self, primary: Primary) -> None:
        try:
            refusal = await self._find_refusal(primary)
        except StorageRefused as refused:
            refusal = refused
        self._log_change(primary, refusal)
        if refusal:
            raise refusal

    async def _find_refusal(self, primary: Primary) -> StorageRefused | None:
        node = primary.node
        try:
            async with node.call(ambiguous=False), primary.conversation() as conversation:
                refusal = await find_refusal(conversation, self._key_of(primary))
        except CommandRefused as refused:
            async with node.call(ambiguous=False):
                await primary.send("PING")
            # Only the transaction is refused, without which everything works.
            if node.name not in self._unwatched:
                self._unwatched.add(node.name)
                reason = str(refused)
                _log.warning(
                    "cannot see whether Redis takes writes: its user needs +multi", server=node.name, reason=reason
                )
            return None
        self._unwatched.discard(node.name)
        return refusal

    def _key_of(self, primary: Primary) -> str:
        """Return a key for probes that the server serves; any key if it serves hardly one."""
        keys = map(self._keys.probe, range(_MAX_PROBE_KEYS))
        return next(filter(primary.serves, keys), self._keys.probe(0))

    def _log_change(self, primary: Primary, refusal: StorageRefused | None) -> None:
        node, reason = primary.node, str(refusal or "")
        if reason and reason != node.refusal:
            _log.error("Redis refuses commands that are needed", server=node.name, reason=reason)
        elif node.refusal and not reason:
            _log.info("Redis takes all commands again", server=node.name)
        node.refusal = reason
        node.forbidden = reason if isinstance(refusal, CommandRefused) else ""
