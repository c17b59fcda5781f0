"""How time passes for what happens by itself every so often."""

import asyncio
import time


class Pace:
    """The machine's own time; a test has another one, which passes when told to."""

    def now(self) -> float:
        """Return seconds that never run backwards."""
        return time.monotonic()

    def unix_us(self) -> int:
        """Return Unix time in microseconds."""
        return time.time_ns() // 1000

    async def pause(self, seconds: float) -> None:
        """Return when so much time has passed."""
        await asyncio.sleep(seconds)
