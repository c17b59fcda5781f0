"""What became of the events of one caller."""

import asyncio
import enum
from collections import Counter


class Loss(enum.Enum):
    """What the loss of an event means for its sender."""

    PASSING = "it was surely not stored; the storage, or this server, cannot take it now"
    UNCONFIRMED = "it was sent, and may be stored all the same"
    NEW_STREAM = "its stream may not begin now"
    FINAL = "the storage cannot take it, and another try does not help"


class Receipt:
    """Lets a caller wait until each of its events is stored, limited or dropped, and counts these."""

    __slots__ = ("_complete", "_outstanding", "deadline_us", "limited", "losses", "reason", "stored")

    def __init__(self, count: int, deadline_us: int | None = None) -> None:
        self.stored = 0
        self.limited = 0
        self.losses: Counter[Loss] = Counter()
        self.reason = ""  # why the last ones were dropped
        self.deadline_us = deadline_us  # when no retry may begin any more, on this process's monotonic clock
        self._outstanding = count
        self._complete = asyncio.Event()

    @property
    def dropped(self) -> int:
        """How many events were lost."""
        return self.losses.total()

    def resolve(self, *, stored: int = 0, limited: int = 0) -> None:
        """Count events that were stored, or that the limiter or a cooldown has limited."""
        self.stored += stored
        self.limited += limited
        self._count(stored + limited)

    def drop(self, count: int, reason: str = "", loss: Loss = Loss.PASSING) -> None:
        """Count events that were lost; `reason` is for the caller."""
        self.losses[loss] += count
        self.reason = reason
        self._count(count)

    def _count(self, count: int) -> None:
        self._outstanding -= count
        if not self._outstanding:
            self._complete.set()

    @property
    def is_complete(self) -> bool:
        """Whether all events are counted."""
        return not self._outstanding

    async def complete(self) -> None:
        """Return when all events are counted."""
        if self._outstanding:
            await self._complete.wait()
