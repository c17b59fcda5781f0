"""The events cache: an intake for events, and what reads them back."""

from eventscache.cache.events_cache import EventPage, EventsCache, WrittenPage

__all__ = ["EventPage", "EventsCache", "WrittenPage"]
