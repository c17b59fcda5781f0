"""Until when this process limits a collection by itself, and how many events it has limited."""

from collections.abc import Sequence

from eventscache.clock import MICROSECONDS
from eventscache.storage.messages import LimitedCount


class Cooldown:
    """Until when a collection admits nothing: what this process limits until then, the storage would limit as well.

    Times are microseconds of this process's monotonic clock. Events limited here are counted per second, with the
    latest time in that second, until a batch takes the counts to the storage.
    """

    __slots__ = ("limited", "opens_us", "until_us")

    def __init__(self) -> None:
        self.until_us = 0
        self.opens_us = 0  # when the limiter admits the next event, at the earliest, by the storage's last answer
        self.limited: list[tuple[int, int]] | None = None  # per second: the latest time, and how many events

    def start(self, sent_us: int, retry_after_us: int, max_us: int) -> bool:
        """Last until `retry_after_us` after the call was sent, less a thousandth: clocks drift.

        Returns whether there is such a time.
        """
        self.until_us = sent_us + min(retry_after_us * 999 // 1000, max_us)
        self.opens_us = sent_us + retry_after_us
        return retry_after_us > 0

    def count_limited(self, now_us: int, count: int = 1) -> None:
        """Count events that are limited now."""
        limited = self.limited
        if limited is None:
            self.limited = [(now_us, count)]
        elif limited[-1][0] // MICROSECONDS == now_us // MICROSECONDS:
            limited[-1] = (now_us, limited[-1][1] + count)
        else:
            limited.append((now_us, count))

    def take_counts(self) -> "UnreportedCounts":
        """Return the counts for the next batch, and begin new ones."""
        limited, self.limited = self.limited, None
        return UnreportedCounts(limited) if limited else NO_UNREPORTED_COUNTS

    def add_counts(self, counts: Sequence[tuple[int, int]]) -> None:
        """Count events that were limited earlier, given as `limited` has them."""
        by_second: dict[int, tuple[int, int]] = {}
        for limited_us, count in (*(self.limited or ()), *counts):
            latest_us, before = by_second.get(limited_us // MICROSECONDS, (0, 0))
            by_second[limited_us // MICROSECONDS] = max(latest_us, limited_us), before + count
        self.limited = sorted(by_second.values())

    def restore_counts(self, counts: "UnreportedCounts") -> None:
        """Take back the counts of a batch that failed; they are older than those taken since."""
        if counts.by_second:
            self.limited = [*counts.by_second, *(self.limited or ())]


class UnreportedCounts:
    """How many events were limited locally, and when. Their ages grow while their batch is retried."""

    __slots__ = ("by_second",)

    def __init__(self, by_second: Sequence[tuple[int, int]]) -> None:
        self.by_second = by_second

    def with_ages(self, now_us: int) -> tuple[LimitedCount, ...]:
        """Return the counts with their ages at `now_us`."""
        return tuple(LimitedCount(now_us - limited_us, count) for limited_us, count in self.by_second)


NO_UNREPORTED_COUNTS = UnreportedCounts(())
