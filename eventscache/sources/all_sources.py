"""All configured sources of a server: made, started and stopped together."""

from collections.abc import Mapping, Sequence
from typing import Any

from eventscache.cache import EventsCache
from eventscache.errors import ConfigError
from eventscache.sources.base import Source, SourceOptions
from eventscache.sources.counts import SourceCounts
from eventscache.sources.feed import Feed
from eventscache.sources.plugins import source_from_config
from eventscache.storage.base import Storage


def sources_from_config(values: Mapping[str, Any], options: SourceOptions) -> list[tuple[str, Source]]:
    """Return the sources that are switched on, each with its name. Raises `ConfigError`, which names the setting."""
    sources = []
    for name, value in values.items():
        try:
            source = source_from_config(name, value, options)
        except ConfigError as fault:
            raise ConfigError(f"eventscache.sources.{name}: {fault}") from None
        if source:
            sources.append((name, source))
    return sources


class AllSources:
    """Starts and stops the sources of a server, and has what they count, by their names."""

    def __init__(self, sources: Sequence[tuple[str, Source]], cache: EventsCache, storage: Storage) -> None:
        self._sources = [
            (source, Feed(name, source.place, cache, storage.checkpoints(f"{name} {source.place}")))
            for name, source in sources
        ]

    @property
    def counts(self) -> dict[str, SourceCounts]:
        """What each source has counted."""
        return {feed.name: feed.counts for _, feed in self._sources}

    async def start(self) -> None:
        """Start all sources."""
        for source, feed in self._sources:
            await source.start(feed)

    async def stop(self) -> None:
        """Stop all sources."""
        for source, _ in self._sources:
            await source.stop()
