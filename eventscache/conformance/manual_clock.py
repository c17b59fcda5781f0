"""A clock for tests."""

from eventscache.clock import MICROSECONDS


class ManualClock:
    """A clock in microseconds that moves only when a test advances it."""

    def __init__(self, now_us: int = 1_700_000_000 * MICROSECONDS) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        """Return the time, as `StorageOptions.now`."""
        return self.now_us

    def advance(self, microseconds: int) -> None:
        """Move the clock, backwards if negative."""
        self.now_us += microseconds
