"""What this process remembers of a collection that the storage has closed."""

from collections.abc import Sequence

from eventscache.clock import MICROSECONDS
from eventscache.storage.messages import LimitedCount


class Cooldown:
    """Tells until when a collection is closed: what is refused locally until then, the storage would refuse as well.

    Times are this process's own monotonic microseconds. A refusal is remembered by its second, with the latest
    moment in it, until a batch carries it to the storage.
    """

    __slots__ = ("refused", "until_us")

    def __init__(self) -> None:
        self.until_us = 0
        self.refused: list[tuple[int, int]] | None = None  # the latest moment in each second, and a count

    def renew(self, sent_us: int, retry_after_us: int, longest_us: int) -> None:
        """Close until `retry_after_us` after the call was sent; a thousandth is left for clocks that drift."""
        self.until_us = sent_us + min(retry_after_us * 999 // 1000, longest_us)

    def refuse(self, now_us: int, count: int = 1) -> None:
        """Count refusals, to be carried."""
        refused = self.refused
        if refused is None:
            self.refused = [(now_us, count)]
        elif refused[-1][0] // MICROSECONDS == now_us // MICROSECONDS:
            refused[-1] = (now_us, refused[-1][1] + count)
        else:
            refused.append((now_us, count))

    def hand_over(self) -> "LimitedCounts":
        """Return what is to be carried, and forget it."""
        refused, self.refused = self.refused, None
        return LimitedCounts(refused) if refused else NO_LIMITED_COUNTS

    def take_back(self, refused: "LimitedCounts") -> None:
        """Remember again what a batch could not deliver: what was refused since is later."""
        if refused.moments:
            self.refused = [*refused.moments, *(self.refused or ())]


class LimitedCounts:
    """Refusals on their way to the storage: they go on ageing while the call is tried again."""

    __slots__ = ("moments",)

    def __init__(self, moments: Sequence[tuple[int, int]]) -> None:
        self.moments = moments

    def aged(self, now_us: int) -> tuple[LimitedCount, ...]:
        """Return them by their age at `now_us`."""
        return tuple(LimitedCount(now_us - moment_us, count) for moment_us, count in self.moments)


NO_LIMITED_COUNTS = LimitedCounts(())
