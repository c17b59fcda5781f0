"""How soon events can be read."""

from typing import Final

from eventscache.clock import MICROSECONDS
from eventscache.delivery.histogram import Histogram

FRESHNESS_BOUNDS_US: Final = (
    *(1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000),
    *(1_000_000, 2_500_000, 5_000_000, 10_000_000),
)
_PERIOD_US = 60 * MICROSECONDS


class Freshness:
    """How long it took at most from when an event was accepted until it could be read: the oldest of its batch.

    Events that were limited or dropped do not count. Times are those of one monotonic clock.
    """

    __slots__ = ("_before_us", "_period", "_worst_us", "times")

    def __init__(self) -> None:
        self.times = Histogram(FRESHNESS_BOUNDS_US)
        self._period = 0
        self._worst_us = self._before_us = 0  # of this period, and of the one before

    def add(self, time_us: int, events: int, now_us: int) -> None:
        """Count events that can be read from now on, after so long."""
        self.times.add(time_us, events)
        self._turn(now_us)
        self._worst_us = max(self._worst_us, time_us)

    def worst_us(self, now_us: int) -> int:
        """Return the longest time of the last minute, or of up to two; 0 if no event came."""
        self._turn(now_us)
        return max(self._worst_us, self._before_us)

    def _turn(self, now_us: int) -> None:
        """Begin a new period, if it is time."""
        period = now_us // _PERIOD_US
        if period != self._period:
            self._before_us = self._worst_us if period == self._period + 1 else 0
            self._period, self._worst_us = period, 0
