"""The rate limiter of one collection: a sliding-window log, a token bucket, and the rule that ties them.

An event offered at time t is admitted if fewer than `size` admissions are younger than the window (the log), and the
bucket, which refills `size` tokens per window, holds at least one token. Otherwise it is limited, and the bucket keeps
at most one token: the stream offers too much, and loses the right to a burst until its bucket has filled again. All
times are whole microseconds; tokens are scaled by the window, so nothing is ever rounded.

`lua/insert.lua` has the same rules, and explains them in full: change both. `tests/storage/test_model.py` compares
them.
"""

from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from eventscache.clock import MICROSECONDS
from eventscache.storage.messages import LIMITED_SECONDS, Decision, LimitedCount, Quota


class MonotonicClock:
    """The time of one stream: follows the clock it is given, but never runs backwards."""

    __slots__ = ("last_us", "offset_us")

    def __init__(self, last_us: int = 0, offset_us: int = 0) -> None:
        self.last_us = last_us
        self.offset_us = offset_us

    def peek(self, now_us: int) -> int:
        """Return the stream's time at `now_us`."""
        return max(now_us + self.offset_us, self.last_us)

    def advance(self, now_us: int) -> int:
        """Return the stream's time and remember it; a step back of the clock becomes an offset from now on."""
        time_us = self.peek(now_us)
        self.offset_us = time_us - now_us
        self.last_us = time_us
        return time_us


class LimiterState(msgspec.Struct, frozen=True, array_like=True):
    """The whole state of a limiter, as plain numbers that a storage can save.

    `admission_log` has the times of the last admissions, oldest first; `limited` counts the limited events by second.
    """

    admission_log: tuple[int, ...] = ()
    tokens: int | None = None
    changed_us: int = 0
    limited: dict[int, int] = {}


class Limiter:
    """The limiter of one collection: admission log, tokens, and how many events it limited in each second."""

    __slots__ = ("_admission_log", "_changed_us", "_limited", "_tokens")

    def __init__(self, state: LimiterState | None = None) -> None:
        """Begin anew, or continue from the state of another limiter."""
        state = state or LimiterState()
        self._admission_log = deque(state.admission_log)  # oldest first
        self._tokens = state.tokens  # None is a full bucket, never used
        self._changed_us = state.changed_us
        # A ring of pairs, a second and its count: as large after an hour of overload as after a second.
        self._limited: array[int] | None = None
        for second, count in state.limited.items():
            self._add_limited(second, count)

    @property
    def state(self) -> LimiterState:
        """A copy of the whole state; a limiter made from it decides the same."""
        return LimiterState(tuple(self._admission_log), self._tokens, self._changed_us, dict(self._limited_by_second()))

    @property
    def log_length(self) -> int:
        """How many admissions the log holds."""
        return len(self._admission_log)

    def decide(self, offered: int, limited_earlier: Iterable[LimitedCount], time_us: int, quota: Quota) -> Decision:
        """Count `limited_earlier`, decide about `offered` events at `time_us`, and log the admissions."""
        size, window = quota.size, quota.window_us
        tokens = self._refilled(time_us, quota)
        ages = [limited.age_us for limited in limited_earlier if limited.events]
        if ages:
            # The youngest one left at most one token, and since then the bucket has been refilled.
            tokens = min(tokens, window + min(ages) * size)
        admitted = min(self._free(min(offered, size), time_us, quota), tokens // window)
        tokens -= admitted * window
        if admitted < offered:
            tokens = min(tokens, window)
        if quota.limits:  # else the bucket stays as it is: it counts in other units
            self._tokens, self._changed_us = tokens, time_us
        self._log_admissions(admitted, time_us, size)
        self._count_limited(offered - admitted, 0, time_us)
        for age_us, events in limited_earlier:
            self._count_limited(events, age_us, time_us)
        return Decision(admitted, self._retry_after(tokens, time_us, quota))

    def _refilled(self, time_us: int, quota: Quota) -> int:
        full = quota.size * quota.window_us
        if self._tokens is None:
            return full
        return min(full, self._tokens + min(time_us - self._changed_us, quota.window_us) * quota.size)

    def _free(self, offered: int, time_us: int, quota: Quota) -> int:
        """Return for how many of `offered` events the log has a place."""
        log = self._admission_log
        free = quota.size - len(log)
        for admitted_us in islice(log, max(0, -free), None):
            if free >= offered or time_us - admitted_us < quota.window_us:
                break
            free = max(0, free) + 1
        return min(max(0, free), offered)

    def _log_admissions(self, admitted: int, time_us: int, size: int) -> None:
        if admitted:
            self._admission_log.extend([time_us] * admitted)
            while len(self._admission_log) > size:
                self._admission_log.popleft()

    def _retry_after(self, tokens: int, time_us: int, quota: Quota) -> int:
        log = self._admission_log
        log_admits_us = log[-quota.size] + quota.window_us if len(log) >= quota.size else time_us
        missing_tokens = quota.window_us - tokens
        return max(0, log_admits_us - time_us, -(-missing_tokens // quota.size))

    def _count_limited(self, events: int, age_us: int, time_us: int) -> None:
        second = (time_us - age_us) // MICROSECONDS
        if events and second > time_us // MICROSECONDS - LIMITED_SECONDS:
            self._add_limited(second, events)

    def _add_limited(self, second: int, events: int) -> None:
        if self._limited is None:
            self._limited = array("q", bytes(2 * 8 * LIMITED_SECONDS))
        slot = 2 * (second % LIMITED_SECONDS)
        if self._limited[slot] == second:
            self._limited[slot + 1] += events
        elif self._limited[slot] < second:
            self._limited[slot], self._limited[slot + 1] = second, events

    def _limited_by_second(self) -> Iterator[tuple[int, int]]:
        if self._limited is None:
            return iter(())
        pairs = zip(self._limited[::2], self._limited[1::2], strict=True)
        return (pair for pair in pairs if pair[1])

    def limited(self, time_us: int) -> int:
        """Return how many events were limited in the last `LIMITED_SECONDS` whole seconds."""
        oldest = time_us // MICROSECONDS - LIMITED_SECONDS
        return sum(count for second, count in self._limited_by_second() if second > oldest)
