"""Selects the streams and events of a subscriber."""

from typing import NamedTuple

from eventscache.cache import EventsCache
from eventscache.live.tail import LiveEvent
from eventscache.query.filter import EventFilter
from eventscache.stream import Namespace, Status, Stream

MAX_STREAMS = 100


class StreamFilter(NamedTuple):
    """Some streams, or else the most recently active ones of a namespace; and which of their events."""

    namespace: Namespace
    streams: tuple[Stream, ...] | None = None
    status: Status | None = None
    event_filter: EventFilter | None = None

    @property
    def errors(self) -> bool:
        """Whether the collection of errors is meant; every other status is found among all events."""
        return self.status is Status.ERROR

    def matches(self, live_event: LiveEvent) -> bool:
        """Tell whether an event of the collection is selected."""
        if self.status and live_event.event.status is not self.status:
            return False
        return self.event_filter is None or self.event_filter.matches(live_event.event, live_event.searchable_text)

    async def resolve(self, cache: EventsCache) -> tuple[Stream, ...]:
        """Return the streams that are meant at this moment. Raises `StorageError`."""
        return await recent_streams(cache, self.namespace) if self.streams is None else self.streams


async def recent_streams(cache: EventsCache, namespace: Namespace) -> tuple[Stream, ...]:
    """Return the most recently active streams, 100 at most, the latest first. Raises `StorageError`."""
    return tuple(info.stream for info in await cache.streams(namespace, MAX_STREAMS))
