"""Clocks, passed as arguments so that a test can pass its own."""

import asyncio
import time

MICROSECONDS = 1_000_000
"""How many there are in a second."""


def unix_us() -> int:
    """Return Unix time in microseconds."""
    return time.time_ns() // 1000


def monotonic_us() -> int:
    """Return this process's monotonic clock in microseconds."""
    return time.monotonic_ns() // 1000


class Clock:
    """The machine's clock. A test passes one that it moves itself."""

    def now(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    def unix_us(self) -> int:
        """Return Unix time in microseconds."""
        return unix_us()

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        await asyncio.sleep(seconds)
