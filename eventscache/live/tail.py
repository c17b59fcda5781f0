"""What is new in one collection of a stream, from a position on."""

from typing import NamedTuple

from eventscache.cache import EventPage, EventsCache
from eventscache.event import Event
from eventscache.live.cursor import START, Position, fingerprint
from eventscache.query.filter import searchable_text
from eventscache.storage.messages import UNLIMITED, Query
from eventscache.stream import Status, Stream

_OBJECT_BYTES = 500  # what CPython spends on an event beside its texts


class LiveEvent:
    """An event that came into a stream. Its JSON is made once, however many subscribers get it."""

    __slots__ = ("_json", "_position", "_searchable_text", "event", "sequence", "stream")

    def __init__(self, stream: Stream, sequence: int, event: Event) -> None:
        self.stream = stream
        self.sequence = sequence
        self.event = event
        self._json = b""
        self._searchable_text = ""
        self._position: Position | None = None

    @property
    def position(self) -> Position:
        """The position in the stream of a subscriber that was sent this event."""
        if self._position is None:
            self._position = Position(self.sequence, fingerprint(self.event))
        return self._position

    @property
    def json(self) -> bytes:
        """The JSON object of the wire, on one line."""
        if not self._json:
            self._json = self.event.to_json_line(self.sequence)
        return self._json

    def searchable_text(self) -> str:
        """Return the text in which `q` is searched."""
        if not self._searchable_text:
            self._searchable_text = searchable_text(self.event)
        return self._searchable_text

    @property
    def size_bytes(self) -> int:
        """About how many bytes it takes."""
        return self.event.size_bytes + _OBJECT_BYTES


class Changes(NamedTuple):
    """What a poll found: the new events, oldest first; by their numbers, `arrived` have come into the stream.

    Of an extra collection `arrived` counts its own events. `gap`: some before them may have been missed. `restarted`:
    the numbers began anew, and all events from before are lost. `cleared`: the events before them were removed.
    """

    events: tuple[LiveEvent, ...] = ()
    arrived: int = 0
    gap: bool = False
    restarted: bool = False
    cleared: bool = False


NO_CHANGES = Changes()


class Selection(NamedTuple):
    """A collection: all events, the errors, or an extra one; with `of_type` also what the list of that type keeps."""

    errors: bool = False
    extra: str = ""
    of_type: str = ""


EVERYTHING = Selection()


class Tail:
    """Reads one collection from `position` on.

    Without a position it begins after the newest event that the first poll finds. `total` and `limited` are those of
    the last poll.
    """

    def __init__(
        self, cache: EventsCache, stream: Stream, selection: Selection, *, position: Position | None = None
    ) -> None:
        self.position = position
        self.total = 0
        self.limited = 0
        self._cache = cache
        self._stream = stream
        self._selection = selection
        self._polled = False
        self._judged: Position | None = None  # a newest event below `position` that was found to be no restart

    async def poll(self) -> Changes:
        """Return what has come since the last poll. Most often that is nothing, and the newest event alone shows it.

        Raises `StorageError`; then nothing was read.
        """
        newest = await self._fetch(limit=1)
        if self.position is None:
            self.position = _newest_position(newest)
            return self._counted(newest, NO_CHANGES)
        if not newest.total:
            return await self._poll_empty(newest, self.position)
        number = self.position.number
        sequence, event = newest.events[0] if newest.events else (number + 1, None)
        if sequence == number and event and self.position.matches(event):
            self.position = _newest_position(newest)
            return self._counted(newest, NO_CHANGES)
        if sequence < number and await self._goes_on(_newest_position(newest), self.position):
            return self._counted(newest, NO_CHANGES)
        if sequence <= number or (self._polled and not self.total):
            return await self._read_all(number, restarted=sequence <= number)
        return await self._read_newer(self.position)

    async def _poll_empty(self, page: EventPage, position: Position) -> Changes:
        """Return the changes of an empty collection: it never had events, was cleared, or the storage lost them."""
        cleared = self._polled and self.total > 0
        restarted = False
        if position.number and not position.empty and (cleared or not self._polled):
            other = page if self._selection == EVERYTHING else await self._fetch_other(limit=1)
            if not other.total:
                self.position = position.emptied()
            elif self._has_begun_anew(other, position) or await self._is_replaced(position):
                self.position, restarted = START, True
        if restarted:
            return self._counted(page, Changes(restarted=True))
        return self._counted(page, Changes(cleared=True) if cleared else NO_CHANGES)

    def _has_begun_anew(self, other: EventPage, position: Position) -> bool:
        """Tell whether the newest number is below that of an error and no error is left: clearing keeps the numbers."""
        # The events of an extra collection may leave it by themselves.
        return self._selection.errors and not self._selection.extra and other.events[0][0] < position.number

    async def _read_newer(self, position: Position) -> Changes:
        """Read the newer events, and with them the last one that was read before: it must still be the same."""
        page = await self._fetch(after=max(0, position.number - 1))
        if page.events and page.events[-1][0] == position.number:
            _, last = page.events.pop()
            restarted = not position.matches(last)
            alone = False
        else:
            # It may be in the other collection. Where neither has it but older ones are left, it never existed.
            alone = page.total <= len(page.events)
            # A type's list may have had to leave with it, while older events of `all` are left.
            if_missing = not alone and not self._selection.of_type
            restarted = bool(position.fingerprint) and await self._is_replaced(position, if_missing=if_missing)
        if restarted:
            return await self._read_all(position.number, restarted=True)
        return self._counted(page, self._changes(page, position.number, alone=alone))

    async def _read_all(self, number: int, *, restarted: bool) -> Changes:
        """Read a collection that was empty, or whose numbers began anew."""
        page = await self._fetch()
        restarted = restarted or bool(page.events and page.events[-1][0] <= number)
        return self._counted(page, self._changes(page, number, alone=not restarted, restarted=restarted))

    def _changes(self, page: EventPage, number: int, *, alone: bool, restarted: bool = False) -> Changes:
        """Return a page as changes after `number`; `alone`: no event from before them is left."""
        if not page.events:  # something else wrote over them
            return NO_CHANGES
        first = page.events[-1][0]
        full = page.total >= self._cache.kinds.size_of(self._selection.extra)
        self.position = _newest_position(page)
        return Changes(
            tuple(LiveEvent(self._stream, sequence, event) for sequence, event in reversed(page.events)),
            arrived=self._arrived(page, 0 if restarted else number),
            gap=alone and full and first > number + 1,
            restarted=restarted,
            cleared=alone and not full and self._polled and self.total > 0,
        )

    def _arrived(self, page: EventPage, number: int) -> int:
        """Return how many events came after a number: of an extra collection only its own, as all share the numbers."""
        return len(page.events) if self._selection.extra else page.events[0][0] - number

    def _counted(self, page: EventPage, changes: Changes) -> Changes:
        """Keep the counts of a page, and return the changes."""
        self.total, self.limited, self._polled = page.total, page.limited, True
        return changes

    async def _goes_on(self, newest: Position, position: Position) -> bool:
        """Tell whether a stream has come to a position, though the newest event that is read here is below it."""
        if newest != self._judged:
            if not await self._is_in_other_collection(position) and not await self._has_moved_on(position):
                return False
            self._judged = newest
        return True

    async def _has_moved_on(self, position: Position) -> bool:
        """Tell whether the event of a position left with its list: another one of that kind took its place then."""
        _, extra, of_type = self._selection
        return bool(extra or of_type) and await self._cache.reaches(self._stream, position.number, extra)

    async def _is_in_other_collection(self, position: Position) -> bool:
        """Tell whether the stream's other collection has the event of a position: a cursor may come from there."""
        if position.fingerprint:
            return not await self._is_replaced(position, if_missing=True)
        newest = (await self._fetch_other(limit=1)).events
        return bool(newest) and newest[0][0] >= position.number

    async def _is_replaced(self, position: Position, *, if_missing: bool = False) -> bool:
        """Tell whether the other collection has a different event of that number; `if_missing` if it has none."""
        page = await self._fetch_other(after=position.number - 1, before=position.number + 1, limit=1)
        return not position.matches(page.events[0][1]) if page.events else if_missing

    async def _fetch(self, *, after: int | None = None, limit: int = UNLIMITED) -> EventPage:
        errors, extra, of_type = self._selection
        query = Query(Status.ERROR if errors else None, after=after, limit=limit, extra=extra)
        return await self._cache.fetch(self._stream, query, of_type=of_type)

    async def _fetch_other(self, *, after: int | None = None, before: int | None = None, limit: int) -> EventPage:
        errors, extra, _ = self._selection
        query = Query(None if errors or extra else Status.ERROR, after=after, before=before, limit=limit)
        return await self._cache.fetch(self._stream, query)


def _newest_position(page: EventPage) -> Position:
    if not page.events:
        return START
    number, event = page.events[0]
    return Position(number, fingerprint(event))
