"""What became of the events of one caller."""

import asyncio


class Receipt:
    """Lets a caller wait until each of its events is stored, limited or dropped, and counts these."""

    __slots__ = (
        "_complete",
        "_outstanding",
        "deadline_us",
        "dropped",
        "limited",
        "reason",
        "refused",
        "stored",
        "unconfirmed",
    )

    def __init__(self, count: int, deadline_us: int | None = None) -> None:
        self.stored = 0
        self.limited = 0
        self.dropped = 0
        self.unconfirmed = 0  # of the dropped ones: perhaps stored all the same
        self.refused = 0  # of the dropped ones: their streams may not begin
        self.reason = ""  # why the last ones were dropped
        self.deadline_us = deadline_us  # when no retry may begin any more, on this process's monotonic clock
        self._outstanding = count
        self._complete = asyncio.Event()

    def resolve(self, *, stored: int = 0, limited: int = 0) -> None:
        """Count events that were stored, or that the limiter or a cooldown has limited."""
        self.stored += stored
        self.limited += limited
        self._count(stored + limited)

    def drop(self, count: int, reason: str = "", *, perhaps_stored: bool = False, refused: bool = False) -> None:
        """Count events that were lost; `reason` is for the caller."""
        self.dropped += count
        self.unconfirmed += count if perhaps_stored else 0
        self.refused += count if refused else 0
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
