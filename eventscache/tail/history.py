"""The cached events that are shown first."""

import contextlib
import heapq
from typing import Final

import msgspec

from eventscache.query.members import decoded
from eventscache.timestamp import parse_time


class _Timed(msgspec.Struct):
    timestamp: str = ""


_timed: Final = msgspec.json.Decoder(_Timed).decode


class History:
    """Keeps the newest events of all streams, at most so many. The server sends each stream by itself."""

    def __init__(self, most: int) -> None:
        self.came = 0
        self._most = most
        self._time_us = 0
        self._kept: list[tuple[int, int, bytes]] = []

    def add(self, data: bytes) -> None:
        """Take the JSON of an event. One without a time has that of the event before it."""
        timed = decoded(_timed, data)
        with contextlib.suppress(ValueError):
            self._time_us = parse_time(timed.timestamp) if timed else self._time_us
        self.came += 1
        push = heapq.heappush if len(self._kept) < self._most else heapq.heappushpop
        push(self._kept, (self._time_us, self.came, data))

    def take(self) -> list[bytes]:
        """Return the events in the order of their times, and forget them."""
        kept, self._kept = sorted(self._kept), []
        return [data for _, _, data in kept]
