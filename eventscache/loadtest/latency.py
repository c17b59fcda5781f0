"""A histogram of latencies from 1 µs to an hour, exact to three digits."""

from eventscache.errors import ConfigError

try:
    from hdrh.histogram import HdrHistogram
except ImportError:
    raise ConfigError("bench needs more packages: install eventscache[bench]") from None

_MOST_US = 3600 * 1_000_000
_DIGITS = 3
PERCENTILES = (50.0, 90.0, 99.0, 99.9)


class LatencyHistogram:
    """Collects latencies."""

    def __init__(self) -> None:
        self._histogram = HdrHistogram(1, _MOST_US, _DIGITS)

    def record(self, seconds: float, count: int = 1) -> None:
        """Count a latency."""
        self._histogram.record_value(min(max(1, int(seconds * 1_000_000)), _MOST_US), count)

    @property
    def count(self) -> int:
        """How many were recorded."""
        return int(self._histogram.total_count)

    def at(self, percentile: float) -> float:
        """Return the milliseconds that so many percent did not exceed; 0 if none was recorded."""
        return float(self._histogram.get_value_at_percentile(percentile)) / 1000 if self.count else 0.0

    def summary(self) -> dict[str, float]:
        """Return the percentiles and the maximum, in milliseconds, by name."""
        return {**{f"p{percentile:g}": self.at(percentile) for percentile in PERCENTILES}, "max": self.at(100)}
