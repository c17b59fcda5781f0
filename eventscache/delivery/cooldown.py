"""Until when this process limits a collection by itself, and how many events it has limited."""

from collections.abc import Iterator, Sequence
from itertools import chain

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
        # For each second its latest time, and behind it how many events: pairs would take twice the memory.
        self.limited: list[int] | None = None

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
            self.limited = [now_us, count]
        elif limited[-2] // MICROSECONDS == now_us // MICROSECONDS:
            limited[-2] = now_us
            limited[-1] += count
        else:
            limited += (now_us, count)

    def take_counts(self) -> "UnreportedCounts":
        """Return the counts for the next batch, and begin new ones."""
        limited, self.limited = self.limited, None
        return UnreportedCounts(limited) if limited else NO_UNREPORTED_COUNTS

    def add_counts(self, counts: Sequence[int]) -> None:
        """Count events that were limited earlier, given as `limited` has them."""
        by_second: dict[int, tuple[int, int]] = {}
        for limited_us, count in _pairs((*(self.limited or ()), *counts)):
            latest_us, before = by_second.get(limited_us // MICROSECONDS, (0, 0))
            by_second[limited_us // MICROSECONDS] = max(latest_us, limited_us), before + count
        self.limited = [*chain.from_iterable(sorted(by_second.values()))]

    def restore_counts(self, counts: "UnreportedCounts") -> None:
        """Take back the counts of a batch that failed; they are older than those taken since."""
        if counts:
            self.limited = [*counts.by_second, *(self.limited or ())]


class UnreportedCounts:
    """How many events were limited locally, and when. Their ages grow while their batch is retried."""

    __slots__ = ("by_second",)

    def __init__(self, by_second: Sequence[int]) -> None:
        """Take counts as `Cooldown.limited` has them."""
        self.by_second = by_second

    def __bool__(self) -> bool:
        return bool(self.by_second)

    def with_ages(self, now_us: int) -> tuple[LimitedCount, ...]:
        """Return the counts with their ages at `now_us`."""
        return tuple([LimitedCount(now_us - limited_us, count) for limited_us, count in _pairs(self.by_second)])


def _pairs(limited: Sequence[int]) -> Iterator[tuple[int, int]]:
    return zip(limited[::2], limited[1::2], strict=True)


NO_UNREPORTED_COUNTS = UnreportedCounts(())
