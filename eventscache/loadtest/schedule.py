"""When requests are due."""

import math


class Schedule:
    """Hands out the times at which requests are due: at a rate, or without one as soon as somebody asks.

    It ends after a number of requests or of seconds, whichever comes first; None stands for no bound. With a rate,
    what is due stays due until it is taken, so that requests which a stall held back are known, and not left out.
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
        """Begin."""
        self._start = now

    def next(self, now: float) -> float | None:
        """Return when the next request is due; None if there is none any more."""
        if self._taken >= self._most:
            return None
        if self._rate:
            return self._start + self._taken / self._rate
        return now if now - self._start < self._seconds else None

    def take(self, now: float) -> float | None:
        """Return the time, no later than now, at which a request was due that is taken now; None if none was."""
        due = self.next(now)
        if due is None or due > now:
            return None
        self._taken += 1
        return due

    @property
    def end(self) -> float:
        """When the last request is due, with a rate."""
        return self._start + self._most / self._rate if self._rate else math.inf

    def stop(self, now: float) -> list[float]:
        """Let nothing be due any more; return when those were due that waited in vain."""
        waiting = []
        while self._rate and (due := self.take(now)) is not None:
            waiting.append(due)
        self._most = self._taken
        return waiting
