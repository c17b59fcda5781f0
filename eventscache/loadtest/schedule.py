"""When requests are due."""

import math


class Schedule:
    """The times at which requests are due: at a rate (open loop), or without one at any time (closed loop).

    It ends after a number of requests or of seconds, whichever comes first; None means no bound. With a rate, a request
    stays due until it is taken, so that those which a stall delays are counted with their whole latency. All times are
    seconds of one monotonic clock.
    """

    def __init__(self, rate: float | None, requests: int | None, seconds: float | None) -> None:
        self._rate = rate
        self._most = math.inf if requests is None else requests
        self._seconds = math.inf if seconds is None else seconds
        if rate:
            self._most = min(self._most, math.ceil(rate * self._seconds) if seconds is not None else math.inf)
        self._start = math.inf
        self._taken = 0

    def start(self, now: float) -> None:
        """Start: the first request is due now."""
        self._start = now

    def next(self, now: float) -> float | None:
        """Return when the next request is due; None if there are no more."""
        if self._taken >= self._most:
            return None
        if self._rate:
            return self._start + self._taken / self._rate
        return now if now - self._start < self._seconds else None

    def take(self, now: float) -> float | None:
        """Take the next request if it is due, and return since when; else None."""
        due = self.next(now)
        if due is None or due > now:
            return None
        self._taken += 1
        return due

    @property
    def end(self) -> float:
        """When the last request is due; infinite without a rate."""
        return self._start + self._most / self._rate if self._rate else math.inf

    def stop(self, now: float) -> list[float]:
        """End the schedule, and return when each request was due that is due and not taken."""
        waiting = []
        while self._rate and (due := self.take(now)) is not None:
            waiting.append(due)
        self._most = self._taken
        return waiting
