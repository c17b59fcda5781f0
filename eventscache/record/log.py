"""Logs of what became of events: bounded in bytes, in age and in what they cost."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from eventscache.clock import MICROSECONDS
from eventscache.record.missed import Missed, MissedEvents
from eventscache.stream import Stream

ENTRY_BYTES = 200
"""What an entry takes besides what it holds."""
PARTS = 16
"""Into how many parts a log is divided at least, by bytes and by age: what is over a bound leaves by parts."""
# A log takes a quarter of its bytes at once, and all of them in so many seconds. To keep more costs time: each byte is
# written to memory that is in no cache of the processor. And it would be gone before anybody asks.
_SHARE_AT_ONCE, _SECONDS_TO_FILL = 4, 64


class Entry(msgspec.Struct, frozen=True, gc=False):
    """What became of events that came together, and when; `held` is one of the forms that `contents` knows.

    `details` has a text for each of the events, or is empty.
    """

    at_us: int
    stream: Stream | None
    outcome: str
    held: Any
    details: Sequence[str] = ()


class _Segment(msgspec.Struct):
    """Entries that were added one after another, and that leave together."""

    entries: Sequence[Entry]
    size_bytes: int
    last_us: int


class Log:
    """Entries in the order of their times, in segments, for as long as `max_bytes` and `max_age_us` allow.

    Entries may be added while it `is_open`. It closes when they come too fast, and counts what it misses by `tally`, to
    which an event counts before it is added. Times are those of one monotonic clock.
    """

    __slots__ = (
        "_at_once",
        "_budget",
        "_entries",
        "_filled_us",
        "_first",
        "_max_age_us",
        "_max_bytes",
        "_missed",
        "_open_bytes",
        "_sealed_bytes",
        "_segment_bytes",
        "_segments",
        "is_open",
        "since_us",
    )

    def __init__(
        self, max_bytes: int, max_age_us: int, segment_bytes: int, tally: Callable[[], int], now_us: int
    ) -> None:
        self.is_open = True
        self.since_us = now_us
        """Since when every event is either in an entry, or counted as missed."""
        self._max_bytes = max_bytes
        self._max_age_us = max_age_us
        self._segment_bytes = min(segment_bytes, max_bytes // PARTS)
        self._segments: deque[_Segment] = deque()
        self._first = 0  # the number of the oldest segment: they are counted
        self._sealed_bytes = 0
        self._entries: list[Entry] = []  # of the next segment
        self._open_bytes = 0
        self._at_once = self._budget = max_bytes // _SHARE_AT_ONCE
        self._filled_us = now_us
        self._missed = MissedEvents(tally, max_age_us // PARTS)

    @property
    def size_bytes(self) -> int:
        """About how many bytes of memory it takes."""
        return self._sealed_bytes + self._open_bytes

    def add(self, entry: Entry, events: int, size_bytes: int) -> None:
        """Add an entry of so many events and bytes; one that would push out too many others is missed instead."""
        size_bytes += ENTRY_BYTES
        if size_bytes > self._at_once:
            self.miss(events, entry.at_us)
            return
        self._entries.append(entry)
        self._open_bytes += size_bytes
        if self._open_bytes >= self._segment_bytes:
            self._seal()
            while self._sealed_bytes > self._max_bytes - self._segment_bytes:
                self._drop_oldest()
        self._budget -= size_bytes
        if self._budget <= 0:
            self.is_open = False
            self._missed.begin(entry.at_us)

    def miss(self, events: int, now_us: int) -> None:
        """Count events that are not to be kept."""
        self._missed.add(events, now_us)

    def _seal(self) -> None:
        """Make a segment of what was added."""
        if self._entries:
            self._segments.append(_Segment(self._entries, self._open_bytes, self._entries[-1].at_us))
            self._sealed_bytes += self._open_bytes
            self._entries, self._open_bytes = [], 0

    def _drop_oldest(self) -> None:
        segment = self._segments.popleft()
        self._first += 1
        self._sealed_bytes -= segment.size_bytes
        self.since_us = max(self.since_us, segment.last_us)

    def tend(self, now_us: int) -> None:
        """Let leave what is too old, and take entries again if they do not come too fast."""
        oldest_us = now_us - self._max_age_us
        if self._entries and self._entries[0].at_us < now_us - self._max_age_us // PARTS:
            self._seal()
        while self._segments and self._segments[0].last_us < oldest_us:
            self._drop_oldest()
        self.since_us = max(self.since_us, self._missed.prune(oldest_us))
        passed_us = min(now_us - self._filled_us, _SECONDS_TO_FILL * MICROSECONDS)
        self._filled_us = now_us
        self._budget += self._max_bytes * passed_us // (_SECONDS_TO_FILL * MICROSECONDS)
        self._budget = min(self._budget, self._at_once)
        if not self.is_open and self._budget > 0:
            self.is_open = True
            self._missed.end(now_us)

    def newest_first(self) -> Iterator[Entry]:
        """Yield the entries. What is added meanwhile is left out, and what leaves is not held."""
        number = self._first + len(self._segments) - 1
        yield from reversed([*self._entries])
        while number >= self._first:
            yield from reversed(self._segments[number - self._first].entries)
            number -= 1

    def missed(self, now_us: int) -> Missed | None:
        """Return what came since `since_us` and is not here; None if nothing is missing."""
        return self._missed.total(now_us)
