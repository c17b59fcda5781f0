"""One Redis server as this process sees it, and the rules for calling it."""

import asyncio
import time
from collections.abc import Callable

from eventscache.errors import StorageRefused, StorageUnavailable
from eventscache.storage.redis.circuit_breaker import CircuitBreaker
from eventscache.storage.redis.driver_errors import Outcome, translate


class Node:
    """One server: its circuit breaker, how many calls to it are in progress, and whether it is too full to write to."""

    def __init__(
        self, name: str, max_calls: int, timeout_seconds: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self.too_full = ""  # the reason why nothing is written to it, or empty
        self.refusal = ""  # why it refuses commands that are needed, or empty
        self.forbidden = ""  # the same if some commands are missing: a script would break off after others
        self._timeout_seconds = timeout_seconds
        self._now = now
        self._breaker = CircuitBreaker()
        self._free_calls = asyncio.Semaphore(max_calls)

    @property
    def is_away(self) -> bool:
        """Whether calls fail at once, or one probes whether it is back."""
        return self._breaker.is_open

    @property
    def refuses(self) -> bool:
        """Whether it answers, but takes no events now, by what it said last."""
        return not self._breaker.is_open and bool(self.too_full or self.refusal or self.forbidden)

    def require_writable(self) -> None:
        """Raise `StorageRefused` if nothing may be written: it is too full, or a script would do one half only."""
        if reason := self.too_full or self.forbidden:
            raise StorageRefused(reason)

    def call(self, *, ambiguous: bool) -> "_Call":
        """Return a context for one call of the driver, which translates the errors of the driver.

        `ambiguous` says whether it matters if a call without an answer was carried out.
        """
        return _Call(self, ambiguous=ambiguous)

    async def enter(self) -> bool:
        """Wait for a free connection, at most as long as one try may take; return whether this call is the probe."""
        probe = self._breaker.enter(self._now())
        if not self._free_calls.locked():
            await self._free_calls.acquire()
            return probe
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._free_calls.acquire()
        except BaseException as error:
            self._breaker.leave(probe=probe)
            if isinstance(error, TimeoutError):
                raise StorageUnavailable(
                    f"all connections to {self.name} are busy: it is slow, or server.cache.pool.size is too small",
                    ambiguous=False,
                ) from None
            raise
        return probe

    def record(self, outcome: Outcome, reason: str, *, probe: bool) -> None:
        """Pass the outcome of a call to the circuit breaker."""
        self._breaker.record(outcome, reason, self._now(), probe=probe)

    def leave(self, *, probe: bool) -> None:
        """End a call and let the next one start."""
        self._free_calls.release()
        self._breaker.leave(probe=probe)


class _Call:
    """One call of a node. A class and no generator, because there is one for each insert."""

    __slots__ = ("_ambiguous", "_cancels", "_node", "_probe", "_task")

    def __init__(self, node: Node, *, ambiguous: bool) -> None:
        self._node = node
        self._ambiguous = ambiguous
        self._task = asyncio.current_task()
        self._cancels = self._task.cancelling() if self._task else 0
        self._probe = False

    async def __aenter__(self) -> None:
        self._probe = await self._node.enter()

    async def __aexit__(self, kind: object, raised: BaseException | None, trace: object) -> None:
        error = None
        try:
            if isinstance(raised, Exception):
                error, outcome = translate(raised, ambiguous=self._ambiguous)
                self._node.record(outcome, str(error), probe=self._probe)
                error.__cause__ = None if outcome is Outcome.DENIED else raised
            elif raised is None:
                self._node.record(Outcome.ANSWERED, "", probe=self._probe)
        finally:
            self._node.leave(probe=self._probe)
        # Before Python 3.12, the driver's `asyncio.wait_for` can swallow a cancellation.
        if self._task and self._task.cancelling() > self._cancels and not isinstance(raised, asyncio.CancelledError):
            raise asyncio.CancelledError
        if error:
            raise error
