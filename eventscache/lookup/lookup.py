"""Looks for the way of an event through the streams of both namespaces."""

from collections.abc import Container, Set
from typing import NamedTuple

from eventscache.cache import EventsCache
from eventscache.lookup.reading import Bound, Reader, for_each
from eventscache.lookup.wanted import Wanted
from eventscache.query.event_id import event_id
from eventscache.query.pending import Pending, Reached, pending
from eventscache.query.way import Step, Way, time_us, ways
from eventscache.storage.messages import UNLIMITED, Query, StreamInfo
from eventscache.stream import ALL_STREAMS, Namespace, Status, Stream

MOST_STREAMS = 1000
_MOST_EVENTS, _MOST_BYTES = 100_000, 64 * 1024 * 1024
_MOST_STEPS = 2000  # of all events that are found
_MOST_RECENT = 500  # events of a stream, for what is pending; of all streams together:
_MOST_RECENT_EVENTS, _MOST_RECENT_BYTES = 20_000, 32 * 1024 * 1024


class Found(NamedTuple):
    """The ways that were found, newest first, each with what is pending for it, and how far the search went.

    `more` ways were found than asked for. The search is not `complete` if streams were left out or if it came to its
    bounds; `pending_complete` says the same of what is pending.
    """

    ways: list[tuple[Way, list[Pending]]]
    more: bool
    streams: int
    events: int
    complete: bool
    pending_complete: bool


class Lookup:
    """Looks for entries in the known streams, the most recently active ones first. All of a process share it."""

    def __init__(self, cache: EventsCache) -> None:
        self._cache = cache
        self._reader = Reader(cache)

    async def find(self, wanted: Wanted, limit: int, readable: Container[Stream] = ALL_STREAMS) -> Found:
        """Return at most `limit` ways of the entries that are wanted, as if there were the readable streams only.

        Raises `StorageError`.
        """
        most = MOST_STREAMS + 1 if readable is ALL_STREAMS else None
        known = [
            info
            for namespace in Namespace
            for info in await self._cache.streams(namespace, most)
            if info.stream in readable
        ]
        known.sort(key=lambda info: info.last_active_us, reverse=True)
        searched = known[:MOST_STREAMS]
        bound = Bound(_MOST_EVENTS, _MOST_BYTES)
        all_ways = ways(await self._steps(searched, wanted, bound))
        some = all_ways[:limit]
        bound_of_recent = Bound(_MOST_RECENT_EVENTS, _MOST_RECENT_BYTES)
        waiting = await self._pending(some, searched, bound_of_recent)
        return Found(
            [*zip(some, waiting, strict=True)],
            len(all_ways) > limit,
            len(searched),
            bound.events,
            len(known) == len(searched) and not bound.exceeded,
            len(known) == len(searched) and not bound_of_recent.exceeded,
        )

    async def _steps(self, streams: list[StreamInfo], wanted: Wanted, bound: Bound) -> list[Step]:
        steps = []

        async def search(info: StreamInfo) -> None:
            # Errors have a collection of their own, where they may be when newer events have pushed them out of `all`.
            for status in (None, Status.ERROR) if info.errors else (None,):
                query = Query(status, limit=UNLIMITED, containing=wanted.containing)
                async for sequence, event in self._reader.events(info.stream, query, bound):
                    if wanted.matches(event):
                        steps.append(Step.of(info.stream, sequence, event))
                        if len(steps) >= _MOST_STEPS:
                            bound.exceed()

        await for_each(streams, search)
        return steps

    async def _pending(self, some: list[Way], known: list[StreamInfo], bound: Bound) -> list[list[Pending]]:
        """Return for each way what is pending, by the newest events of its token and of the destinations."""
        tokens = {step.stream.id for way in some for step in way.received if step.status is Status.SUCCESS}
        if not tokens:
            return [[] for _ in some]
        of_tokens: dict[str, Set[str]] = {}
        destinations: dict[str, Reached] = {}

        async def read(info: StreamInfo) -> None:
            reached = await self._reached(info, bound)
            if info.stream.namespace is Namespace.TOKEN:
                of_tokens[info.stream.id] = reached.event_ids
            else:
                destinations[info.stream.id] = reached

        await for_each([info for info in known if _is_among(info.stream, tokens)], read)
        return [pending(way, of_tokens, destinations) for way in some]

    async def _reached(self, info: StreamInfo, bound: Bound) -> Reached:
        """Return the ids of the newest events of a stream."""
        ids, oldest_us, count = set(), None, 0
        async for _, event in self._reader.events(info.stream, Query(limit=_MOST_RECENT), bound):
            ids.add(event_id(event))
            oldest_us = time_us(event)
            count += 1
        some_are_gone = info.total >= self._cache.quota.size or info.total > count
        return Reached(ids - {""}, oldest_us if some_are_gone else None)


def _is_among(stream: Stream, tokens: Set[str]) -> bool:
    """Whether a stream is a destination, or one of some tokens."""
    return stream.namespace is Namespace.DESTINATION or stream.id in tokens
