"""Histograms of times."""

from bisect import bisect_left
from collections.abc import Sequence


class Histogram:
    """How many times lie within each bound and above the one before; the last count has no bound. In microseconds."""

    __slots__ = ("bounds_us", "counts", "sum_us")

    def __init__(self, bounds_us: Sequence[int]) -> None:
        self.bounds_us = bounds_us
        self.counts = [0] * (len(bounds_us) + 1)
        self.sum_us = 0

    def add(self, time_us: int, count: int = 1) -> None:
        """Count a time, as often as `count` says."""
        self.counts[bisect_left(self.bounds_us, time_us)] += count
        self.sum_us += time_us * count
