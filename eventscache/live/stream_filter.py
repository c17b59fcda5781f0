"""Selects the streams and events of a subscriber."""

from collections.abc import Container, Iterable
from itertools import islice
from typing import NamedTuple

from eventscache.cache import EventsCache
from eventscache.live.tail import LiveEvent, Selection
from eventscache.query.filter import EventFilter
from eventscache.storage.messages import StreamInfo
from eventscache.stream import ALL_STREAMS, Namespace, Status, Stream

MAX_STREAMS = 100


class StreamFilter(NamedTuple):
    """Some streams, or else the most recently active ones of a namespace; and which of their events.

    Of these streams only the `readable` ones are read, as if there were no others. With an `extra` collection that
    alone is read of each.
    """

    namespace: Namespace
    streams: tuple[Stream, ...] | None = None
    status: Status | None = None
    event_filter: EventFilter | None = None
    readable: Container[Stream] = ALL_STREAMS
    extra: str = ""

    @property
    def selection(self) -> Selection:
        """The collection that is meant. Every other status than `error` is found among all events."""
        of_type = self.event_filter.event_type if self.event_filter else ""
        return Selection(self.status is Status.ERROR, self.extra, of_type)

    def matches(self, live_event: LiveEvent) -> bool:
        """Tell whether an event of the collection is selected."""
        if self.status and live_event.event.status is not self.status:
            return False
        return self.event_filter is None or self.event_filter.matches(live_event.event, live_event.searchable_text)

    async def resolve(self, cache: EventsCache) -> tuple[Stream, ...]:
        """Return the streams that are meant at this moment. Raises `StorageError`."""
        if self.streams is not None:
            return tuple(stream for stream in self.streams if stream in self.readable)
        known = await cache.streams(self.namespace, MAX_STREAMS if self.readable is ALL_STREAMS else None)
        return most_recent(known, self.readable)


def most_recent(known: Iterable[StreamInfo], readable: Container[Stream]) -> tuple[Stream, ...]:
    """Return the first streams of a list that are readable, 100 at most."""
    return tuple(islice((info.stream for info in known if info.stream in readable), MAX_STREAMS))
