"""A lease: only one process at a time does what it is for, such as following a place."""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable

from eventscache.clock import Clock
from eventscache.errors import EventsCacheError, StorageError
from eventscache.storage.checkpoints import Checkpoints

LEASE_SECONDS = 3.0
RENEW_SECONDS = 1.0
"""So the next process takes over at most four seconds after the one with the lease died."""
_LEAST_SECONDS = 0.5  # left of a lease, for one more call of the storage


class LeaseLost(EventsCacheError):
    """Another process has it now, or the storage did not renew the lease in time."""


class Lease:
    """The right to do that, which is kept in the storage and renewed while it is used."""

    def __init__(self, checkpoints: Checkpoints, clock: Clock) -> None:
        self.owner = secrets.token_urlsafe(9)
        self._checkpoints = checkpoints
        self._clock = clock
        self._until = 0.0

    def require(self) -> None:
        """Raise `LeaseLost` unless the lease surely lasts long enough for a call of the storage."""
        if self._until - self._clock.now() < _LEAST_SECONDS:
            raise LeaseLost("the lease has ended")

    async def acquire(self) -> bool:
        """Return whether this process has the lease now. Raises `StorageError`."""
        asked = self._clock.now()
        held = await self._checkpoints.hold(self.owner, LEASE_SECONDS)
        if held:
            self._until = asked + LEASE_SECONDS
        return held

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Work for as long as the lease can be renewed, then give it back. Raises `LeaseLost`, and what `work` does."""
        tasks = [asyncio.ensure_future(work()), asyncio.ensure_future(self._keep())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._until = 0.0
            with contextlib.suppress(StorageError):  # then it ends by itself
                await self._checkpoints.hold(self.owner, 0)
        for task in tasks:
            if not task.cancelled():
                task.result()

    async def _keep(self) -> None:
        while True:
            await self._clock.sleep(RENEW_SECONDS)
            try:
                held = await self.acquire()
            except StorageError:
                held = self._clock.now() < self._until
            if not held:
                raise LeaseLost("another process has it, or the storage did not renew the lease in time")
