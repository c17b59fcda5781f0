"""Long work on events, done in pieces: others have their turns in between."""

import asyncio

PIECE_BYTES = 256 * 1024
"""How many bytes of events make a piece: some milliseconds at most, whatever is done with them."""
EVENT_BYTES = 1024
"""What an event counts besides its own bytes."""
AT_ONCE = 4
"""How many pieces are done in one turn of the loop."""


class Turns:
    """What all readers share: at most `AT_ONCE` of them go on in one turn of the loop, however many there are."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def next(self) -> None:
        """Return in a later turn of the loop."""
        async with self._slots:
            await asyncio.sleep(0)


class Work:
    """The work of one reader. It does a piece, then waits for its next turn."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._left = PIECE_BYTES

    async def spend(self, size_bytes: int) -> None:
        """Count an event of that size; return in a later turn if that ends a piece."""
        self._left -= EVENT_BYTES + size_bytes
        if self._left <= 0:
            self._left = PIECE_BYTES
            await self._turns.next()
