"""Tells subscriptions to all streams of a namespace which streams there are."""

from collections.abc import Container, Sequence

from eventscache.cache import EventsCache
from eventscache.errors import StorageError
from eventscache.live.stream_filter import MAX_STREAMS, most_recent
from eventscache.live.subscription import Subscription
from eventscache.stream import ALL_STREAMS, Namespace, Stream

_STREAMS_PER_SECOND = 1000


class AppearingStreams:
    """Looks for the most recently active streams of a namespace that each subscription may read.

    For a reader of some streams all known ones have to be listed, as its own may be the least active. With thousands
    of streams that takes a while, so it is done less often: once a second for each thousand of them.
    """

    def __init__(self, cache: EventsCache, namespace: Namespace) -> None:
        self._cache = cache
        self._namespace = namespace
        self._list_all_at = 0.0

    async def tell(self, subscriptions: Sequence[Subscription], now: float) -> None:
        """Let subscriptions know their streams; those to some streams only if it is time for them."""
        by_readable: dict[Container[Stream], list[Subscription]] = {}
        for subscription in subscriptions:
            by_readable.setdefault(subscription.stream_filter.readable, []).append(subscription)
        of_all = by_readable.pop(ALL_STREAMS, [])
        lists_all = bool(by_readable) and now >= self._list_all_at
        if not of_all and not lists_all:
            return
        try:
            known = await self._cache.streams(self._namespace, None if lists_all else MAX_STREAMS)
        except StorageError:
            return  # the polls will fail as well
        if lists_all:
            self._list_all_at = now + len(known) // _STREAMS_PER_SECOND
        for readable, some in ((ALL_STREAMS, of_all), *(by_readable.items() if lists_all else ())):
            streams = frozenset(most_recent(known, readable))
            for subscription in some:
                subscription.check_streams(streams)
            await self._cache.turns.next()
