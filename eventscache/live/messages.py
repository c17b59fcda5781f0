"""What watchers want, and what they are told."""

import enum
from typing import NamedTuple, Protocol

from eventscache.live.tail import LiveEvent
from eventscache.query.filter import EventFilter
from eventscache.stream import Namespace, Status, Stream


class StreamFilter(NamedTuple):
    """What somebody wants to see: streams, or the most recently active ones of a namespace; of these some events."""

    namespace: Namespace
    streams: tuple[Stream, ...] | None = None
    status: Status | None = None
    search: EventFilter | None = None

    @property
    def errors(self) -> bool:
        """Whether the collection of errors is meant; every other status is found among all events."""
        return self.status is Status.ERROR

    def matches(self, seen: LiveEvent) -> bool:
        """Tell whether an event of the collection is wanted."""
        if self.status and seen.event.status is not self.status:
            return False
        return self.search is None or self.search.matches(seen.event, seen.searchable_text)


class Client(Protocol):
    """Whoever reads at the other end."""

    @property
    def gone(self) -> bool:
        """Whether nobody reads any more."""

    @property
    def unread(self) -> int:
        """How many bytes were sent and not taken yet."""

    def cut(self) -> None:
        """End the connection at once."""


class Signal(enum.Enum):
    """What is told without more words."""

    READY = enum.auto()
    """What was before has been told; what follows is live."""
    AWAY = enum.auto()
    """The storage does not answer."""
    BACK = enum.auto()
    """The storage answers again."""
    KEEPALIVE = enum.auto()
    """There was nothing to tell for a while."""


class Gap(NamedTuple):
    """Events of a stream that may have been missed: so many at most, or None if its numbers began anew."""

    stream: Stream
    at_most: int | None


class Cleared(NamedTuple):
    """The events of a stream were removed."""

    stream: Stream


class Counters(NamedTuple):
    """What a second brought to the streams that are watched, whatever is filtered; `dropped` by this process ever."""

    per_second: float
    last_minute_limited: int
    total_events: int
    dropped: int
    streams: int


Message = LiveEvent | Signal | Gap | Cleared | Counters
