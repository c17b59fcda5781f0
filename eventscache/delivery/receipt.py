"""What became of the events of one caller."""

import asyncio


class Receipt:
    """Lets a caller wait until each of its events is stored, limited or dropped, and counts these."""

    __slots__ = ("_complete", "_outstanding", "dropped", "limited", "stored")

    def __init__(self, count: int) -> None:
        self.stored = 0
        self.limited = 0
        self.dropped = 0
        self._outstanding = count
        self._complete = asyncio.Event()

    def resolve(self, *, stored: int = 0, limited: int = 0) -> None:
        """Count events that were stored, or that the limiter or a cooldown has limited."""
        self.stored += stored
        self.limited += limited
        self._count(stored + limited)

    def drop(self, count: int) -> None:
        """Count events that were lost."""
        self.dropped += count
        self._count(count)

    def _count(self, count: int) -> None:
        self._outstanding -= count
        if not self._outstanding:
            self._complete.set()

    async def complete(self) -> None:
        """Return when all events are counted."""
        if self._outstanding:
            await self._complete.wait()
