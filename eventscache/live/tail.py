"""What comes into one collection of a stream, from a sequence number on."""

from typing import NamedTuple

from eventscache.cache import EventPage, EventsCache
from eventscache.event import Event
from eventscache.live.cursor import START, Position, mark
from eventscache.query.filter import searchable_text
from eventscache.storage.messages import UNLIMITED, Query
from eventscache.stream import Status, Stream

_OBJECT_BYTES = 500  # what CPython spends on an event beside its texts
# Between tokens JSON may hold line breaks; inside them it cannot.
_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


class LiveEvent:
    """An event that came into a stream. Its JSON is made once, however many want it."""

    __slots__ = ("_json", "_place", "_searchable_text", "event", "sequence", "stream")

    def __init__(self, stream: Stream, sequence: int, event: Event) -> None:
        self.stream = stream
        self.sequence = sequence
        self.event = event
        self._json = b""
        self._searchable_text = ""
        self._place: Position | None = None

    @property
    def place(self) -> Position:
        """How far somebody has read who was told it."""
        if self._place is None:
            self._place = Position(self.sequence, mark(self.event))
        return self._place

    @property
    def json(self) -> bytes:
        """The JSON object of the wire, on one line."""
        if not self._json:
            self._json = self.event.to_json(self.sequence).translate(_ONE_LINE)
        return self._json

    def searchable_text(self) -> str:
        """Return the text that a search looks at."""
        if not self._searchable_text:
            self._searchable_text = searchable_text(self.event)
        return self._searchable_text

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        event = self.event
        return len(event.original) + len(event.success) + len(event.malformed) + len(event.error) + _OBJECT_BYTES


class Changes(NamedTuple):
    """What is new: the events `seen`, oldest first; by their numbers, `came` have come into the stream.

    `gap`: some before them may have been missed. `restarted`: the numbers began anew, and whatever there was before is
    lost. `cleared`: the events before them were removed.
    """

    seen: tuple[LiveEvent, ...] = ()
    came: int = 0
    gap: bool = False
    restarted: bool = False
    cleared: bool = False


NOTHING = Changes()


class Tail:
    """Follows one collection, all events or the errors; `place` is how far it was read.

    Without a place it begins at the newest event there is at the first look.
    """

    def __init__(self, cache: EventsCache, stream: Stream, *, errors: bool, place: Position | None = None) -> None:
        self.place = place
        self.total = 0
        self.limited = 0
        self._cache = cache
        self._stream = stream
        self._errors = errors
        self._looked = False

    async def read(self) -> Changes:
        """Return what has come since; most often that is nothing, and the newest event alone tells so.

        Raises `StorageError`; then nothing was read.
        """
        newest = await self._fetch(limit=1)
        if self.place is None:
            self.place = _place(newest)
            return self._noted(newest, NOTHING)
        if not newest.total:
            return await self._read_nothing(newest, self.place)
        number = self.place.number
        sequence, event = newest.events[0] if newest.events else (number + 1, None)
        if sequence == number and event and self.place.holds(event):
            self.place = _place(newest)
            return self._noted(newest, NOTHING)
        if sequence < number and await self._is_elsewhere(self.place):
            return self._noted(newest, NOTHING)
        if sequence <= number or (self._looked and not self.total):
            return await self._read_all(number, restarted=sequence <= number)
        return await self._read_on(self.place)

    async def _read_nothing(self, page: EventPage, place: Position) -> Changes:
        """There is nothing to read: it was cleared, or it is another storage."""
        cleared = self._looked and self.total > 0
        restarted = False
        if place.number and not place.empty and (cleared or not self._looked):
            other = await self._fetch_other(limit=1) if self._errors else page
            if not other.total:
                self.place = place.emptied()
            elif await self._is_another(place):
                self.place, restarted = START, True
        changes = Changes(cleared=cleared, restarted=restarted) if cleared or restarted else NOTHING
        return self._noted(page, changes)

    async def _read_on(self, place: Position) -> Changes:
        """Read what is newer, and with it the last event that was read: it must be the same still."""
        page = await self._fetch(after=max(0, place.number - 1))
        if page.events and page.events[-1][0] == place.number:
            _, last = page.events.pop()
            restarted = not place.holds(last)
            alone = False
        else:
            # It may be of the other collection. Where it is in neither, while older ones are, it never was.
            alone = page.total <= len(page.events)
            restarted = bool(place.mark) and await self._is_another(place, missing=not alone)
        if restarted:
            return await self._read_all(place.number, restarted=True)
        return self._noted(page, self._stretch(page, place.number, alone=alone))

    async def _read_all(self, number: int, *, restarted: bool) -> Changes:
        """Read a collection that was empty, or whose numbers began anew."""
        page = await self._fetch()
        restarted = restarted or bool(page.events and page.events[-1][0] <= number)
        return self._noted(page, self._stretch(page, number, alone=not restarted, restarted=restarted))

    def _stretch(self, page: EventPage, number: int, *, alone: bool, restarted: bool = False) -> Changes:
        """Return what a page tells; `alone`: nothing is left of what was before its events."""
        if not page.events:  # something else wrote over them
            return NOTHING
        first, last = page.events[-1][0], page.events[0][0]
        full = page.total >= self._cache.quota.size
        self.place = _place(page)
        return Changes(
            tuple(LiveEvent(self._stream, sequence, event) for sequence, event in reversed(page.events)),
            came=last if restarted else last - number,
            gap=alone and full and first > number + 1,
            restarted=restarted,
            cleared=alone and not full and self._looked and self.total > 0,
        )

    def _noted(self, page: EventPage, changes: Changes) -> Changes:
        self.total, self.limited, self._looked = page.total, page.limited, True
        return changes

    async def _is_elsewhere(self, place: Position) -> bool:
        """Tell whether the stream's other collection has the event of a place: places may come from there."""
        if place.mark:
            return not await self._is_another(place, missing=True)
        newest = (await self._fetch_other(limit=1)).events
        return bool(newest) and newest[0][0] >= place.number

    async def _is_another(self, place: Position, *, missing: bool = False) -> bool:
        """Tell whether the other collection has another event of that number; `missing` is said if it has none."""
        found = (await self._fetch_other(after=place.number - 1, before=place.number + 1, limit=1)).events
        return not place.holds(found[0][1]) if found else missing

    async def _fetch(self, *, after: int | None = None, limit: int = UNLIMITED) -> EventPage:
        query = Query(Status.ERROR if self._errors else None, after=after, limit=limit)
        return await self._cache.fetch(self._stream, query)

    async def _fetch_other(self, *, after: int | None = None, before: int | None = None, limit: int) -> EventPage:
        query = Query(None if self._errors else Status.ERROR, after=after, before=before, limit=limit)
        return await self._cache.fetch(self._stream, query)


def _place(page: EventPage) -> Position:
    """Return the place of the newest event of a page."""
    if not page.events:
        return START
    number, event = page.events[0]
    return Position(number, mark(event))
