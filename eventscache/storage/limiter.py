"""The limiter of one collection: a log that makes it exact, a bucket that spreads, a rule that ties them.

An event offered at time t is admitted if fewer than `size` admissions are younger than the window (the log) and
the bucket, which refills `size` tokens per window, holds at least one. Otherwise it is refused, and the bucket is
left with at most one token: who is refused offers too much, and loses the right to a burst until it has filled
again. All times are whole microseconds; tokens are scaled by the window, so nothing is ever rounded.
"""

from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from eventscache.clock import MICROSECONDS
from eventscache.storage.messages import LIMITED_SECONDS, Decision, LimitedCount, Quota


class MonotonicClock:
    """Time for one stream: the clock it is given, held back from ever running backwards."""

    __slots__ = ("last_us", "offset_us")

    def __init__(self, last_us: int = 0, offset_us: int = 0) -> None:
        self.last_us = last_us
        self.offset_us = offset_us

    def peek(self, now_us: int) -> int:
        """Return the stream's time at `now_us`."""
        return max(now_us + self.offset_us, self.last_us)

    def advance(self, now_us: int) -> int:
        """Return the same and remember it; a step back of the clock becomes an offset from here on."""
        time_us = self.peek(now_us)
        self.offset_us = time_us - now_us
        self.last_us = time_us
        return time_us


class LimiterState(msgspec.Struct, frozen=True, array_like=True):
    """All that a limiter knows, in plain numbers for a storage to save: stamps oldest first, refusals by second."""

    stamps: tuple[int, ...] = ()
    tokens: int | None = None
    changed_us: int = 0
    refused: dict[int, int] = {}


class Limiter:
    """The state of one collection's limiter: stamps, tokens, and refusals per second."""

    __slots__ = ("_changed_us", "_refused", "_stamps", "_tokens")

    def __init__(self, state: LimiterState | None = None) -> None:
        """Begin anew, or go on where a limiter was when it gave this state."""
        state = state or LimiterState()
        self._stamps = deque(state.stamps)  # oldest first
        self._tokens = state.tokens  # a bucket that was never used is full
        self._changed_us = state.changed_us
        # A ring of pairs, a second and the refusals in it: as large after an hour of overload as after a second.
        self._refused: array[int] | None = None
        for second, count in state.refused.items():
            self._note(second, count)

    @property
    def state(self) -> LimiterState:
        """A copy of all it knows: a limiter that is made of it goes on alike."""
        return LimiterState(tuple(self._stamps), self._tokens, self._changed_us, dict(self._refusals()))

    @property
    def stamps(self) -> int:
        """How many admissions it remembers."""
        return len(self._stamps)

    def judge(self, offered: int, carried: Iterable[LimitedCount], time_us: int, quota: Quota) -> Decision:
        """Book `limited_earlier`, judge `offered` events at `time_us`, stamp those admitted."""
        size, window = quota.size, quota.window_us
        tokens = self._refilled(time_us, quota)
        ages = [refusal.age_us for refusal in carried if refusal.events]
        if ages:
            tokens = min(tokens, window + min(ages) * size)
        admitted = min(self._free(min(offered, size), time_us, quota), tokens // window)
        tokens -= admitted * window
        if admitted < offered:
            tokens = min(tokens, window)
        self._tokens, self._changed_us = tokens, time_us
        self._stamp(admitted, time_us, size)
        self._count(offered - admitted, 0, time_us)
        for age_us, events in carried:
            self._count(events, age_us, time_us)
        return Decision(admitted, self._retry(time_us, quota))

    def _refilled(self, time_us: int, quota: Quota) -> int:
        full = quota.size * quota.window_us
        if self._tokens is None:
            return full
        return min(full, self._tokens + min(time_us - self._changed_us, quota.window_us) * quota.size)

    def _free(self, wanted: int, time_us: int, quota: Quota) -> int:
        """Return for how many of `wanted` events the log has room."""
        free = quota.size - len(self._stamps)
        for stamp in islice(self._stamps, max(0, -free), None):
            if free >= wanted or time_us - stamp < quota.window_us:
                break
            free = max(0, free) + 1
        return min(max(0, free), wanted)

    def _stamp(self, admitted: int, time_us: int, size: int) -> None:
        if admitted:
            self._stamps.extend([time_us] * admitted)
            while len(self._stamps) > size:
                self._stamps.popleft()

    def _retry(self, time_us: int, quota: Quota) -> int:
        log = self._stamps[-quota.size] + quota.window_us if len(self._stamps) >= quota.size else time_us
        missing = quota.window_us - (self._tokens or 0)
        return max(0, log - time_us, -(-missing // quota.size))

    def _count(self, count: int, age_us: int, time_us: int) -> None:
        second = (time_us - age_us) // MICROSECONDS
        if not count or second <= time_us // MICROSECONDS - LIMITED_SECONDS:
            return
        self._note(second, count)

    def _note(self, second: int, count: int) -> None:
        if self._refused is None:
            self._refused = array("q", bytes(2 * 8 * LIMITED_SECONDS))
        slot = 2 * (second % LIMITED_SECONDS)
        if self._refused[slot] == second:
            self._refused[slot + 1] += count
        elif self._refused[slot] < second:
            self._refused[slot], self._refused[slot + 1] = second, count

    def _refusals(self) -> Iterator[tuple[int, int]]:
        if self._refused is None:
            return iter(())
        pairs = zip(self._refused[::2], self._refused[1::2], strict=True)
        return (pair for pair in pairs if pair[1])

    def limited(self, time_us: int) -> int:
        """Return how many events were refused in the last `LIMITED_SECONDS` whole seconds."""
        oldest = time_us // MICROSECONDS - LIMITED_SECONDS
        return sum(count for second, count in self._refusals() if second > oldest)
