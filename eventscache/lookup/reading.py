"""Reads the events of many streams, within bounds."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

from eventscache.cache import EventPage, EventsCache
from eventscache.event import Event
from eventscache.query.turns import Work
from eventscache.storage.messages import Query
from eventscache.stream import Stream

CALLS_AT_ONCE = 4
"""How many pages all lookups of a process ask the storage for at a time."""
_PAGE_EVENTS = 200
_T = TypeVar("_T")


class Bound:
    """How much one lookup may read."""

    def __init__(self, events: int, size_bytes: int) -> None:
        self.events = 0
        self._events_left = events
        self._bytes_left = size_bytes
        self.exceeded = False
        """Whether something was not read any more."""

    def take(self, event: Event) -> None:
        """Count an event that was read."""
        self.events += 1
        self._events_left -= 1
        self._bytes_left -= event.size_bytes

    def exceed(self) -> None:
        """Read nothing more: enough was found."""
        self.exceeded = True

    def allows_more(self) -> bool:
        """Tell whether more may be read; note it if not."""
        self.exceeded = self.exceeded or min(self._events_left, self._bytes_left) <= 0
        return not self.exceeded


class Reader:
    """Reads streams page by page; all lookups of a process share one, and take turns."""

    def __init__(self, cache: EventsCache) -> None:
        self._cache = cache
        self._calls = asyncio.Semaphore(CALLS_AT_ONCE)

    async def _page(self, stream: Stream, query: Query) -> EventPage:
        async with self._calls:
            page = await self._cache.fetch(stream, query)
        await self._cache.turns.next()  # the memory storage itself never lets other tasks run
        return page

    async def events(self, stream: Stream, query: Query, bound: Bound) -> AsyncIterator[tuple[int, Event]]:
        """Yield the events of a stream that a query selects, with their sequence numbers, newest first.

        Raises `StorageError`.
        """
        work = Work(self._cache.turns)
        left = query.limit
        while left > 0 and bound.allows_more():
            asked = min(left, _PAGE_EVENTS)
            page = await self._page(stream, query._replace(limit=asked))
            for sequence, event in page.events:
                bound.take(event)
                yield sequence, event
                if bound.exceeded:
                    return
                await work.spend(event.size_bytes)
            if not page.events or len(page.events) + page.unreadable < asked:
                return
            left -= asked
            query = query._replace(before=page.events[-1][0])


async def for_each(items: Iterable[_T], act: Callable[[_T], Awaitable[None]]) -> None:
    """Await `act` for all items, a few at a time; the first error ends all of it."""
    left = iter(items)

    async def some() -> None:
        for item in left:
            await act(item)

    tasks = [asyncio.create_task(some()) for _ in range(CALLS_AT_ONCE)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
