"""What a subscriber is sent."""

import enum
from typing import NamedTuple

from eventscache.live.tail import LiveEvent
from eventscache.stream import Stream


class Signal(enum.Enum):
    """Messages without data."""

    READY = enum.auto()
    """All events from before were sent; what follows is live."""
    AWAY = enum.auto()
    """The storage is unavailable."""
    BACK = enum.auto()
    """The storage is available again."""
    KEEPALIVE = enum.auto()
    """Nothing was sent for a while."""


class Gap(NamedTuple):
    """Events of a stream that may have been missed: so many at most, or None if its numbers began anew."""

    stream: Stream
    at_most: int | None


class Cleared(NamedTuple):
    """The events of a stream were removed."""

    stream: Stream


class Counters(NamedTuple):
    """The counters of the subscriber's streams, whatever it filters.

    `per_second`: events that came since the last counters. `dropped`: by this process, since its start.
    `readable_within_ms`: after how long, at most, events of the last minute could be read that this process accepted.
    Both are None if the subscriber may not read all streams, as they may tell of events of others.
    """

    per_second: float
    last_minute_limited: int
    total_events: int
    dropped: int | None
    streams: int
    readable_within_ms: int | None


Message = LiveEvent | Signal | Gap | Cleared | Counters
