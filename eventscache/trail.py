"""What comes into one collection of a stream, from a sequence number on."""

from typing import NamedTuple

from eventscache.cache import EventsCache, Found
from eventscache.event import Event
from eventscache.search import folded
from eventscache.storage.base import Query
from eventscache.stream import Status, Stream

_EVERYTHING = 2**31
_OBJECT_BYTES = 500  # what CPython spends on an event beside its texts
# Between tokens JSON may hold line breaks; inside them it cannot.
_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


class Seen:
    """An event that came into a stream. Its JSON is made once, however many want it."""

    __slots__ = ("_folded", "_json", "event", "sequence", "stream")

    def __init__(self, stream: Stream, sequence: int, event: Event) -> None:
        self.stream = stream
        self.sequence = sequence
        self.event = event
        self._json = b""
        self._folded = ""

    @property
    def json(self) -> bytes:
        """The JSON object of the wire, on one line."""
        if not self._json:
            self._json = self.event.to_json(self.sequence).translate(_ONE_LINE)
        return self._json

    def folded(self) -> str:
        """Return the text that a search looks at."""
        if not self._folded:
            self._folded = folded(self.event)
        return self._folded

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        event = self.event
        return len(event.original) + len(event.success) + len(event.malformed) + len(event.error) + _OBJECT_BYTES


class Stretch(NamedTuple):
    """What is new: the events `seen`, oldest first; by their numbers, `came` have come into the stream.

    `gap`: some before them may have been missed. `restarted`: the numbers began anew, and whatever there was before is
    lost. `cleared`: the events before them were removed.
    """

    seen: tuple[Seen, ...] = ()
    came: int = 0
    gap: bool = False
    restarted: bool = False
    cleared: bool = False


NOTHING = Stretch()


class Trail:
    """Follows one collection, all events or the errors; `position` is the last number that was read.

    Without a position it begins at the newest event there is at the first look.
    """

    def __init__(self, cache: EventsCache, stream: Stream, *, errors: bool, position: int | None = None) -> None:
        self.position = position
        self.total = 0
        self.limited = 0
        self._cache = cache
        self._stream = stream
        self._errors = errors
        self._looked = False
        self._last: Event | None = None

    async def read(self) -> Stretch:
        """Return what has come since; most often that is nothing, and the newest event alone tells so.

        Raises `StorageError`; then nothing was read.
        """
        newest = await self._fetch(limit=1)
        if self.position is None:
            self.position, self._last = newest.events[0] if newest.events else (0, None)
            return self._noted(newest, NOTHING)
        if not newest.total:
            return self._noted(newest, Stretch(cleared=True) if self._looked and self.total else NOTHING)
        sequence, event = newest.events[0] if newest.events else (self.position + 1, None)
        if sequence == self.position and self._last in (None, event):
            self._last = event
            return self._noted(newest, NOTHING)
        if sequence < self.position and await self._other_is_ahead(self.position):
            return self._noted(newest, NOTHING)
        if sequence <= self.position or (self._looked and not self.total):
            return await self._read_all(self.position, restarted=sequence <= self.position)
        return await self._read_on(self.position)

    async def _read_on(self, position: int) -> Stretch:
        """Read what is newer, and with it the last event that was read: it must be the same still."""
        page = await self._fetch(after=max(0, position - 1))
        if not page.events or page.events[-1][0] != position:
            return self._noted(page, self._stretch(page, position, alone=page.total <= len(page.events)))
        _, last = page.events.pop()
        if self._last not in (None, last):
            return await self._read_all(position, restarted=True)
        return self._noted(page, self._stretch(page, position, alone=False))

    async def _read_all(self, position: int, *, restarted: bool) -> Stretch:
        """Read a collection that was empty, or whose numbers began anew."""
        page = await self._fetch()
        restarted = restarted or bool(page.events and page.events[-1][0] <= position)
        return self._noted(page, self._stretch(page, position, alone=not restarted, restarted=restarted))

    def _stretch(self, page: Found, position: int, *, alone: bool, restarted: bool = False) -> Stretch:
        """Return what a page tells; `alone`: nothing is left of what was before its events."""
        if not page.events:  # something else wrote over them
            return NOTHING
        first, (last, self._last) = page.events[-1][0], page.events[0]
        full = page.total >= self._cache.quota.size
        self.position = last
        return Stretch(
            tuple(Seen(self._stream, sequence, event) for sequence, event in reversed(page.events)),
            came=last if restarted else last - position,
            gap=alone and full and first > position + 1,
            restarted=restarted,
            cleared=alone and not full and self._looked and self.total > 0,
        )

    def _noted(self, page: Found, stretch: Stretch) -> Stretch:
        self.total, self.limited, self._looked = page.total, page.limited, True
        return stretch

    async def _other_is_ahead(self, position: int) -> bool:
        """Tell whether the stream's other collection has the number: positions may come from there."""
        query = Query(None if self._errors else Status.ERROR, limit=1)
        newest = (await self._cache.fetch(self._stream, query)).events
        return bool(newest) and newest[0][0] >= position

    async def _fetch(self, *, after: int | None = None, limit: int = _EVERYTHING) -> Found:
        query = Query(Status.ERROR if self._errors else None, after=after, limit=limit)
        return await self._cache.fetch(self._stream, query)
