"""What one process believes of one Redis server, and how it behaves towards it."""

import asyncio
import time
from collections.abc import Callable

from eventscache.errors import StorageUnavailable
from eventscache.storage.redis.driver_errors import Sign, translate

# Pauses in which a server that is away is left alone, and in which one is that does not let us in.
_AWAY_SECONDS = (0.05, 0.25)
_FORBIDDEN_SECONDS = (1.0, 30.0)
_SILENCES = 2


class Breaker:
    """Lets calls fail at once while a server is away, but for one at a time that finds out. Times in seconds."""

    def __init__(self) -> None:
        self.reason = ""
        self._silences = 0
        self._pause = 0.0
        self._closed_until: float | None = None
        self._probing = False

    def enter(self, now: float) -> bool:
        """Return whether this call is the one that finds out; raise `StorageUnavailable` if it is to fail at once."""
        if self._closed_until is None:
            return False
        if self._probing or now < self._closed_until:
            raise StorageUnavailable(self.reason, ambiguous=False)
        self._probing = True
        return True

    def leave(self, *, probe: bool) -> None:
        """Note that a call is over, whatever came of it."""
        if probe:
            self._probing = False

    def note(self, sign: Sign, reason: str, now: float, *, probe: bool) -> None:
        """Learn from what became of a call."""
        if sign is Sign.ANSWERS:
            self._silences, self._pause, self._closed_until = 0, 0.0, None
            return
        self._silences += sign is Sign.SILENT
        enough = sign in {Sign.GONE, Sign.FORBIDS} or self._silences >= _SILENCES
        # Calls that were under way when the first of them failed have nothing to add.
        if probe or (enough and self._closed_until is None):
            first, longest = _FORBIDDEN_SECONDS if sign is Sign.FORBIDS else _AWAY_SECONDS
            self._pause = min(max(first, 2 * self._pause), longest)
            self._closed_until = now + self._pause
            self.reason = reason


class Node:
    """One server: whether it answers, how many calls to it are under way, and whether it is too full to write to."""

    def __init__(
        self, name: str, calls: int, timeout_seconds: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self.full = ""  # why nothing is written to it, if so
        self._timeout_seconds = timeout_seconds
        self._now = now
        self._breaker = Breaker()
        self._free = asyncio.Semaphore(calls)

    def require_room(self) -> None:
        """Raise `StorageUnavailable` if the server is too full to be written to."""
        if self.full:
            raise StorageUnavailable(self.full, ambiguous=False)

    def call(self, *, ambiguous: bool) -> "_Call":
        """Run the driver's part of a call; whatever that raises comes out as an error of this package."""
        return _Call(self, ambiguous=ambiguous)

    async def enter(self) -> bool:
        """Wait for a free connection, as long as one try may take; return whether this call finds out if it answers."""
        probe = self._breaker.enter(self._now())
        if not self._free.locked():
            await self._free.acquire()
            return probe
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._free.acquire()
        except BaseException as fault:
            self._breaker.leave(probe=probe)
            if isinstance(fault, TimeoutError):
                raise StorageUnavailable(f"all connections to {self.name} are busy", ambiguous=False) from None
            raise
        return probe

    def note(self, sign: Sign, reason: str, *, probe: bool) -> None:
        """Learn from what became of a call."""
        self._breaker.note(sign, reason, self._now(), probe=probe)

    def leave(self, *, probe: bool) -> None:
        """Let the next call in."""
        self._free.release()
        self._breaker.leave(probe=probe)


class _Call:
    """One call of a node; no generator, since there is one for each insert."""

    __slots__ = ("_ambiguous", "_cancels", "_node", "_probe", "_task")

    def __init__(self, node: Node, *, ambiguous: bool) -> None:
        self._node = node
        self._ambiguous = ambiguous
        self._task = asyncio.current_task()
        self._cancels = self._task.cancelling() if self._task else 0
        self._probe = False

    async def __aenter__(self) -> None:
        self._probe = await self._node.enter()

    async def __aexit__(self, kind: object, fault: BaseException | None, trace: object) -> None:
        error = None
        try:
            if isinstance(fault, Exception):
                error, sign = translate(fault, ambiguous=self._ambiguous)
                self._node.note(sign, str(error), probe=self._probe)
                error.__cause__ = None if sign is Sign.FORBIDS else fault
            elif fault is None:
                self._node.note(Sign.ANSWERS, "", probe=self._probe)
        finally:
            self._node.leave(probe=self._probe)
        # Before Python 3.12, the driver's `asyncio.wait_for` can swallow a cancellation.
        if self._task and self._task.cancelling() > self._cancels and not isinstance(fault, asyncio.CancelledError):
            raise asyncio.CancelledError
        if error:
            raise error
