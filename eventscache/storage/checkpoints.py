"""How far a source has read, and which process reads: what sidecars share beside events."""

import abc
from collections.abc import Callable, Mapping

from eventscache.clock import MICROSECONDS, monotonic_us


class Checkpoints(abc.ABC):
    """The lease and the checkpoints of one source: small values by name, which are changed by who has the lease.

    Raises `StorageUnavailable` and `StorageError` as a storage does.
    """

    @abc.abstractmethod
    async def hold(self, owner: str, seconds: float) -> bool:
        """Give the lease to `owner` for so many seconds from now, or renew it; return False if another one has it.

        With 0 seconds, `owner` gives its lease back.
        """

    @abc.abstractmethod
    async def load(self) -> dict[bytes, bytes]:
        """Return all checkpoints; they can expire as events do."""

    @abc.abstractmethod
    async def save(self, owner: str, changed: Mapping[bytes, bytes]) -> bool:
        """Change some checkpoints, all of them or none, if `owner` has the lease; return whether it has.

        An empty value removes a checkpoint.
        """


class LocalCheckpoints(Checkpoints):
    """Checkpoints in the memory of this process, for a storage that no other process shares."""

    def __init__(self, now_us: Callable[[], int] = monotonic_us) -> None:
        self._now_us = now_us
        self._owner, self._until_us = "", 0
        self._values: dict[bytes, bytes] = {}

    def _has(self, owner: str) -> bool:
        return self._owner == owner and self._now_us() < self._until_us

    async def hold(self, owner: str, seconds: float) -> bool:
        """See `Checkpoints.hold`."""
        if self._owner != owner and self._now_us() < self._until_us:
            return False
        self._owner, self._until_us = owner, self._now_us() + int(seconds * MICROSECONDS)
        return True

    async def load(self) -> dict[bytes, bytes]:
        """See `Checkpoints.load`."""
        return dict(self._values)

    async def save(self, owner: str, changed: Mapping[bytes, bytes]) -> bool:
        """See `Checkpoints.save`."""
        if not self._has(owner):
            return False
        self._values = {name: value for name, value in {**self._values, **changed}.items() if value}
        return True
