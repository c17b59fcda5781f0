"""The error groups of many streams, merged to one list."""

import heapq
from collections.abc import Iterable
from typing import NamedTuple

from eventscache.cache import EventsCache
from eventscache.extras.error_groups import GROUP, error_message, group_collection
from eventscache.extras.error_message import LONGEST_MESSAGE, template
from eventscache.lookup.reading import for_each
from eventscache.lookup.trend import Trend, counts_now, trend
from eventscache.storage.messages import UNLIMITED, ExtraInfo, Query
from eventscache.stream import Status, Stream

_MOST_SEARCHED = 3  # streams of a group, for its message


class InStream(NamedTuple):
    """What a group has in one stream: so many `events`, of `first_us` to `last_us` by the stream's time."""

    stream: Stream
    events: int
    first_us: int
    last_us: int


class ErrorGroup:
    """The events of some streams whose messages have one template; `digest` names it.

    `count` is exact, also of events that were limited. `recent` counts those of the current period, `earlier` those of
    the period before. `streams` begins with that of the newest event. `message` is that of the newest example, as far
    as templates look at it; it is empty if no example can be read any more.
    """

    def __init__(self, digest: str) -> None:
        self.digest = digest
        self.message = ""
        self.count = self.recent = self.earlier = 0
        self.streams: list[InStream] = []

    def add(self, stream: Stream, info: ExtraInfo, now_us: int) -> None:
        """Add what the group has in a stream."""
        recent, earlier = counts_now(info, now_us)
        self.count += info.offered
        self.recent += recent
        self.earlier += earlier
        self.streams.append(InStream(stream, info.offered, info.first_us, info.last_us))

    @property
    def first_us(self) -> int:
        """When its first event came that is counted."""
        return min(each.first_us for each in self.streams)

    @property
    def last_us(self) -> int:
        """When its last event came."""
        return max(each.last_us for each in self.streams)

    @property
    def template(self) -> str:
        """The message without what varies."""
        return template(self.message)

    def trend(self, now_us: int) -> Trend:
        """How often it comes now."""
        return trend(self.first_us, self.recent, self.earlier, now_us)


class FoundGroups(NamedTuple):
    """The first `groups` of some streams; `more` says whether there are others. They are as of `now_us`."""

    groups: list[ErrorGroup]
    more: bool
    now_us: int


async def find_error_groups(
    cache: EventsCache, streams: Iterable[Stream], *, frequent: bool, limit: int, now_us: int
) -> FoundGroups:
    """Return at most `limit` groups, the newest or the most `frequent` first, each with the message of an example.

    The time is `now_us`, or that of the last event if the storage's clock is ahead. Raises `StorageError`.
    """
    found = await _read(cache, streams)
    now_us = max([now_us, *(info.last_us for _, info in found)])
    groups = _merged(found, now_us)
    chosen = heapq.nlargest(limit, groups, key=_by_count if frequent else _by_time)

    async def add_message(group: ErrorGroup) -> None:
        group.streams.sort(key=lambda each: each.last_us, reverse=True)
        group.message = await _newest_message(cache, group)

    await for_each(chosen, add_message)
    return FoundGroups(chosen, len(groups) > limit, now_us)


async def _read(cache: EventsCache, streams: Iterable[Stream]) -> list[tuple[Stream, ExtraInfo]]:
    """Return all groups of all streams, a few streams at a time."""
    found: list[tuple[Stream, ExtraInfo]] = []

    async def read(stream: Stream) -> None:
        found.extend((stream, info) for info in await cache.extras(stream, GROUP))
        await cache.turns.next()  # the memory storage itself never lets other tasks run

    await for_each(streams, read)
    return found


def _merged(found: Iterable[tuple[Stream, ExtraInfo]], now_us: int) -> list[ErrorGroup]:
    """Return what belongs to one digest as one group."""
    groups: dict[str, ErrorGroup] = {}
    for stream, info in found:
        digest = info.name.removeprefix(f"{GROUP}:")
        groups.setdefault(digest, ErrorGroup(digest)).add(stream, info, now_us)
    return [*groups.values()]


def _by_time(group: ErrorGroup) -> tuple[int, int, str]:
    return group.last_us, group.count, group.digest


def _by_count(group: ErrorGroup) -> tuple[int, int, str]:
    return group.count, group.last_us, group.digest


async def _newest_message(cache: EventsCache, group: ErrorGroup) -> str:
    """Return the message of an example, or of an error that is cached anyway; or an empty text.

    A group has no example where its stream was cleared, and its limiter admitted none since.
    """
    name = f"{GROUP}:{group.digest}"
    for query in (Query(limit=1, extra=name), Query(Status.ERROR, limit=UNLIMITED)):
        for each in group.streams[:_MOST_SEARCHED]:
            page = await cache.fetch(each.stream, query)
            await cache.turns.next()
            for _, event in page.events:
                message = error_message(event.error, malformed=bool(event.malformed))
                if query.extra or group_collection(message) == name:
                    return message[:LONGEST_MESSAGE]
    return ""
