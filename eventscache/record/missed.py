"""How many events a log has missed, and when."""

from collections import deque
from collections.abc import Callable

import msgspec


class Missed(msgspec.Struct):
    """So many events between two times, which may be pauses in between."""

    first_us: int
    last_us: int
    events: int


class MissedEvents:
    """Counts what is missed in a period by what a ledger counts: `tally` is a number that grows with every event.

    Periods that follow one another within `part_us` are one.
    """

    __slots__ = ("_began", "_part_us", "_parts", "_tally")

    def __init__(self, tally: Callable[[], int], part_us: int) -> None:
        self._tally = tally
        self._part_us = part_us
        self._parts: deque[Missed] = deque()
        self._began: tuple[int, int] | None = None  # the period that lasts: its time, and the tally then

    def begin(self, now_us: int) -> None:
        """Begin to miss events."""
        self._began = now_us, self._tally()

    def end(self, now_us: int) -> None:
        """Miss no more."""
        if period := self._period(now_us):
            self._append(period)
        self._began = None

    def add(self, events: int, now_us: int) -> None:
        """Miss some events that counted in the tally already."""
        if self._began is None:
            self._append(Missed(now_us, now_us, events))
        else:
            first_us, before = self._began
            self._began = first_us, before - events

    def _append(self, period: Missed) -> None:
        if self._parts and period.first_us - self._parts[-1].first_us < self._part_us:
            self._parts[-1].last_us = period.last_us
            self._parts[-1].events += period.events
        else:
            self._parts.append(period)

    def _period(self, now_us: int) -> Missed | None:
        """Return the period that lasts, if events were missed in it."""
        if self._began is None:
            return None
        first_us, before = self._began
        events = self._tally() - before
        return Missed(first_us, now_us, events) if events else None

    def prune(self, oldest_us: int) -> int:
        """Forget what is older; return the latest time of that, or 0."""
        last_us = 0
        while self._parts and self._parts[0].last_us < oldest_us:
            last_us = self._parts.popleft().last_us
        return last_us

    def total(self, now_us: int) -> Missed | None:
        """Return all that is not forgotten, together; None if nothing was missed."""
        periods = [*self._parts, *filter(None, [self._period(now_us)])]
        if not periods:
            return None
        return Missed(periods[0].first_us, periods[-1].last_us, sum(period.events for period in periods))
