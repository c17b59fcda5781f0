"""The rule that tells of streams with a large share of errors."""

from typing import Final, NamedTuple

from eventscache.alerts.look import Look
from eventscache.alerts.rules import PLACES, Alert, Rule, stream_key
from eventscache.clock import MICROSECONDS
from eventscache.storage.base import Storage
from eventscache.storage.messages import LIMITED_SECONDS, Page, Query, StreamInfo
from eventscache.stream import Status, Stream

STREAMS_PER_LOOK: Final = 100
"""So many streams are looked at, the most recently active ones."""
MOST_ENTRIES: Final = 1000
"""So many entries of a collection are read."""
_WINDOW_US = LIMITED_SECONDS * MICROSECONDS


class LastMinute(NamedTuple):
    """How many events of a stream came in the last minute, and how many of them were errors."""

    events: int
    errors: int

    @property
    def share(self) -> float:
        """The share of errors; 0 without events."""
        return self.errors / self.events if self.events else 0.0


class ErrorShare:
    """Counts the last minute of streams that were active in it and have errors.

    It tells of a stream when its share becomes larger than the threshold, and again after an hour if it still is.
    """

    def __init__(self, storage: Storage, threshold: float, min_events: int) -> None:
        self._storage = storage
        self._threshold = threshold
        self._min_events = min_events

    async def look(self, look: Look) -> list[Alert]:
        """Return an alert for each stream with too many errors. Raises `StorageError`."""
        recent = [info for info in look.infos.values() if info.errors and _is_recent(info, look.now_us)]
        recent.sort(key=lambda info: -info.last_active_us)
        alerts = []
        for info in recent[:STREAMS_PER_LOOK]:
            counted = await self.count(info, look.now_us)
            if counted.events >= self._min_events and counted.share > self._threshold:
                alerts.append(_alert(info.stream, counted))
        return alerts

    async def count(self, info: StreamInfo, now_us: int) -> LastMinute:
        """Count the last minute of a stream before its own newest time or that of the storage, whichever is later.

        Most streams with errors have none in the last minute: one entry tells. Raises `StorageError`.
        """
        newest = await self._storage.fetch(info.stream, Query(Status.ERROR, limit=1))
        if not newest.limited and not _recent(newest, now_us):
            return LastMinute(0, 0)
        errors = await self._storage.fetch(info.stream, Query(Status.ERROR, limit=MOST_ENTRIES))
        everything = await self._storage.fetch(info.stream, Query(limit=MOST_ENTRIES))
        # A stream's time can be ahead of the storage's clock, which may have been set back.
        newest_us = max([now_us, *(entry.admitted_us for page in (errors, everything) for entry in page.entries[:1])])
        failed = _recent(errors, newest_us) + errors.limited
        # Errors can come to the list of errors alone.
        return LastMinute(max(_recent(everything, newest_us) + everything.limited, failed), failed)


def _is_recent(info: StreamInfo, now_us: int) -> bool:
    """Whether a stream was active in the last minute; a time far ahead is from before the clock was set back."""
    return now_us - _WINDOW_US < info.last_active_us < now_us + _WINDOW_US


def _recent(page: Page, now_us: int) -> int:
    return sum(entry.admitted_us > now_us - _WINDOW_US for entry in page.entries)


def _alert(stream: Stream, counted: LastMinute) -> Alert:
    return Alert(
        Rule.ERROR_SHARE,
        stream_key(Rule.ERROR_SHARE, stream),
        f"Many errors at {PLACES[stream.namespace]}",
        stream,
        (f"{counted.errors:,} of {counted.events:,} events of the last minute failed ({counted.share:.1%})",),
    )
