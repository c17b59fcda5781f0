"""Follows the lists of Jitsu classic: finds them, reads what is new, brings it, and saves how far that is."""

import math
from collections.abc import Sequence

from eventscache.errors import InvalidEvent
from eventscache.event import Event
from eventscache.sources.base import SourceOptions
from eventscache.sources.feed import Feed
from eventscache.sources.jitsu_redis.copies import ErrorCopies
from eventscache.sources.jitsu_redis.entry import Entry, content_of, parse_entry
from eventscache.sources.jitsu_redis.followed_list import FollowedList
from eventscache.sources.jitsu_redis.list_name import parse_list_name
from eventscache.sources.jitsu_redis.position import Position
from eventscache.sources.jitsu_redis.reader import Change, NewEntry, Reader, WrongType
from eventscache.stream import Stream
from eventscache.timestamp import parse_time

POLL_SECONDS = 0.5
_LEAST_PAUSE_SECONDS = 0.25
_LISTS_PER_POLL = 2000
_SCANS_UNTIL_GONE = 2
_IGNORED_SECONDS = 60.0
_COPY_US = 1_000_000  # so far apart the times of the two copies of an error are at most


class ClassicLists:
    """Brings each entry of the lists once, from where the checkpoints say.

    A poll asks for what is new in up to 2,000 lists with one command, and for some names of lists with another one.
    """

    def __init__(self, reader: Reader, feed: Feed, options: SourceOptions) -> None:
        self._reader = reader
        self._feed = feed
        self._options = options
        self._lists: dict[bytes, FollowedList] = {}
        self._saved: dict[bytes, bytes] = {}
        self._copies = ErrorCopies()
        self._cursor, self._scan = 0, 1
        self._ignored_until: dict[bytes, float] = {}
        self._next_list = 0

    async def follow(self) -> None:
        """Follow until cancelled, or until something does not answer."""
        self._saved = await self._feed.checkpoints()
        await self._find_lists()
        while self._cursor:
            await self._find_lists()
        self._feed.reached()
        while True:
            began = self._feed.clock.now()
            await self._read(self._some_lists())
            await self._bring_errors(self._copies.due(self._feed.clock.now()))
            await self._save()
            await self._find_lists()
            await self._feed.clock.sleep(max(0.01, self._pause_seconds() - (self._feed.clock.now() - began)))

    def _pause_seconds(self) -> float:
        """Return the time between polls, with which each list is polled in time, or else four are done in a second."""
        polls = math.ceil(len(self._lists) / _LISTS_PER_POLL)
        return max(_LEAST_PAUSE_SECONDS, POLL_SECONDS / max(1, polls))

    def _some_lists(self) -> list[FollowedList]:
        """Return the lists of the next poll."""
        lists = [*self._lists.values()]
        if len(lists) <= _LISTS_PER_POLL:
            return lists
        first = self._next_list if self._next_list < len(lists) else 0
        self._next_list = first + _LISTS_PER_POLL
        return lists[first : self._next_list]

    async def _find_lists(self) -> None:
        """Search a part of the names, and add the lists that are new; drop those that are gone."""
        now = self._feed.clock.now()
        self._cursor, keys = await self._reader.scan(self._cursor)
        for key in keys:
            if known := self._lists.get(key):
                known.scan = self._scan
            elif self._ignored_until.get(key, 0.0) <= now:
                self._add(key)
        if self._cursor:
            return
        gone = [key for key, known in self._lists.items() if self._scan - known.scan >= _SCANS_UNTIL_GONE]
        for key in gone:
            del self._lists[key]
        if removed := {key: b"" for key in gone if self._saved.pop(key, b"")}:
            await self._feed.save(removed)
        self._scan += 1

    def _add(self, key: bytes) -> None:
        name = parse_list_name(key, self._options.max_id_bytes)
        if name is None:
            self._ignore(key)
            self._feed.error(
                "unknown", "a key like those of Jitsu's events cache is none of its lists", key=_shown(key)
            )
            return
        self._lists[key] = FollowedList(key, name, Position.from_checkpoint(self._saved.get(key, b"")), self._scan)

    def _ignore(self, key: bytes) -> None:
        self._lists.pop(key, None)
        self._ignored_until[key] = self._feed.clock.now() + _IGNORED_SECONDS

    async def _read(self, lists: Sequence[FollowedList]) -> None:
        """Bring all that is new in some lists."""
        waiting = [*lists]
        changed = False
        while waiting:
            looked_at, changes = await self._reader.new_entries(
                [known.key for known in waiting], [known.marks for known in waiting]
            )
            again: list[FollowedList] = []
            complete: list[Change] = []
            for change in changes:
                if isinstance(change, WrongType):
                    self._ignore(change.key)
                    self._feed.error(
                        "unreadable", "a key of Jitsu's events cache is not a list", key=_shown(change.key)
                    )
                    continue
                known = self._lists[change.key]
                if self._is_lost(known, change):
                    again.append(known)
                    continue
                complete.append(change)
                if change.left:
                    again.append(known)
            if complete:
                changed = True
                await self._take(complete)
                await self._save()
            waiting = waiting[looked_at:] + again
        if not changed:
            self._feed.caught_up()

    def _is_lost(self, known: FollowedList, change: Change) -> bool:
        """Whether the newest entry that was read is no longer in a list, and the others are to be searched for."""
        if change.found:
            known.all_marks = False
            return False
        if not known.all_marks and len(known.read.marks) > len(known.read.newest):
            known.all_marks = True
            return True
        # None of them: everything in the list is newer, or is the list of another Redis.
        known.all_marks, known.checks = False, True
        self._feed.error("gap", "entries were gone before they were read", key=_shown(known.key))
        return False

    async def _take(self, changes: Sequence[Change]) -> None:
        """Bring what is new in some lists."""
        entries, errors = self._parse_all(changes)
        held = _Held(self._feed)
        now = self._feed.clock.now()
        records = []
        for known, entry in entries:
            if entry.event.error or entry.event.malformed:
                self._copies.note(entry, now)
            if not (known.checks and await held.has(entry)):
                records.append((entry.stream, entry.event))
        for known, entry in errors:
            if not (known.checks and (await held.has(entry) or await held.has_copy(entry))):
                self._copies.offer(entry, now)
        await self._feed.bring(records)
        waiting = self._copies.streams_that_wait
        for change in changes:
            known = self._lists[change.key]
            known.read = known.read.after(new.mark for new in change.entries)
            known.checks = known.checks and bool(change.left)
            if not (known.name.errors and known.name.stream in waiting):
                known.brought = known.read

    def _parse_all(self, changes: Sequence[Change]) -> tuple[list["_Parsed"], list["_Parsed"]]:
        """Return the entries of some lists, the oldest first, and apart from them those of lists of errors."""
        entries: list[_Parsed] = []
        errors: list[_Parsed] = []
        for change in changes:
            known = self._lists[change.key]
            for new in change.entries:
                if parsed := self._parse(known, new):
                    entry, of_errors = parsed
                    (errors if of_errors else entries).append((known, entry))
        return entries, errors

    async def _bring_errors(self, due: Sequence[Entry]) -> None:
        """Bring errors that are in the lists of errors only."""
        if due:
            await self._feed.bring([(entry.stream, entry.event) for entry in due], errors_only=True)
        waiting = self._copies.streams_that_wait
        for known in self._lists.values():
            if known.brought is not known.read and known.name.stream not in waiting:
                known.brought = known.read

    async def _save(self) -> None:
        """Save how far all was brought."""
        changed = [known for known in self._lists.values() if known.brought is not known.saved]
        values = {known.key: known.brought.to_checkpoint() for known in changed}
        await self._feed.save(values)
        self._saved |= values
        for known in changed:
            known.saved = known.brought

    def _parse(self, known: FollowedList, new: NewEntry) -> tuple[Entry, bool] | None:
        """Return an entry, and whether it is one of a list of errors; None if it cannot be read."""
        if new.raw is None:
            self._feed.error("too_large", "an entry of Jitsu's events cache is too large", key=_shown(known.key))
            return None
        name, raw = known.name, new.raw
        try:
            entry = parse_entry(raw, name.stream, self._options.max_depth)
            failed = bool(entry.event.error or entry.event.malformed)
            if name.whole and (entry.token_id == name.whole.id or not (failed or entry.token_id)):
                return parse_entry(raw, name.whole, self._options.max_depth), False
        except InvalidEvent as fault:
            self._feed.error(
                "unreadable",
                "an entry of Jitsu's events cache cannot be read",
                key=_shown(known.key),
                reason=str(fault),
            )
            return None
        return entry, name.errors


_Parsed = tuple[FollowedList, Entry]


class _Held:
    """What the cache holds of the streams that are asked for, as it was when the first question was asked."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._events: dict[Stream, list[Event]] = {}
        self._uids: dict[Stream, set[str]] = {}

    async def has(self, entry: Entry) -> bool:
        """Whether an entry is there."""
        await self._load(entry.stream)
        return entry.event.uid in self._uids[entry.stream]

    async def has_copy(self, entry: Entry) -> bool:
        """Whether the other copy of an error is there."""
        await self._load(entry.stream)
        return any(
            content_of(event) == entry.content and _are_close(event.timestamp, entry.event.timestamp)
            for event in self._events[entry.stream]
            if event.error == entry.event.error
        )

    async def _load(self, stream: Stream) -> None:
        if stream not in self._events:
            self._events[stream] = await self._feed.held(stream)
            self._uids[stream] = {event.uid for event in self._events[stream]}


def _are_close(one: str, other: str) -> bool:
    try:
        return abs(parse_time(one) - parse_time(other)) <= _COPY_US
    except ValueError:
        return False


def _shown(key: bytes) -> str:
    return key[:200].decode(errors="replace")
