"""Follows keys of Jitsu's Redis: finds them, reads what is new, brings it, and saves how far that is."""

import abc
import math
from collections.abc import Sequence
from typing import ClassVar, Generic, NamedTuple

from eventscache.event import Event
from eventscache.sources.base import SourceOptions
from eventscache.sources.feed import Feed
from eventscache.sources.jitsu_redis.copies import ErrorCopies, are_copies
from eventscache.sources.jitsu_redis.entry import Entry, content_of, time_us
from eventscache.sources.jitsu_redis.followed_key import FollowedKey, P
from eventscache.sources.jitsu_redis.key_name import KeyName
from eventscache.sources.jitsu_redis.reader import Reader
from eventscache.stream import Stream

POLL_SECONDS = 0.5
_LEAST_PAUSE_SECONDS = 0.25
_KEYS_PER_POLL = 2000
_SCANS_UNTIL_GONE, _SECONDS_UNTIL_GONE = 2, 600.0
_LEAST_SCANNED, _MOST_SCANNED = 1000, 10_000  # names by one command
_SCANS_OF_ALL = 20  # so many commands search all names, if there are not too many
_IGNORED_SECONDS = 60.0


class News(NamedTuple, Generic[P]):
    """What is new in a key: entries, the oldest first; each with whether it is of a list of errors.

    `position` is that after them. `complete` tells whether no newer ones are left.
    """

    followed: FollowedKey[P]
    entries: list[tuple[Entry, bool]]
    position: P
    complete: bool


class KeyFollower(abc.ABC, Generic[P]):
    """Brings each entry of the keys once, from where the checkpoints say.

    A poll asks for what is new in up to 2,000 keys with one command, and for some names of keys with another one.
    """

    pattern: ClassVar[str]

    def __init__(self, reader: Reader, feed: Feed, options: SourceOptions) -> None:
        self.reader = reader
        self.feed = feed
        self.options = options
        self._keys: dict[bytes, FollowedKey[P]] = {}
        self._saved: dict[bytes, bytes] = {}
        self._copies = ErrorCopies()
        self._cursor, self._scan = 0, 1
        self._scans, self._scanned = 0, _MOST_SCANNED
        self._ignored_until: dict[bytes, float] = {}
        self._next_key = 0

    @abc.abstractmethod
    def name_of(self, key: bytes) -> KeyName | None:
        """Return what a key holds; None if it is not one that is followed."""

    @abc.abstractmethod
    def position_of(self, saved: bytes) -> P:
        """Return the position of a checkpoint, or of no bytes if there is none; other bytes are possible as well."""

    @abc.abstractmethod
    async def read(self, followed: Sequence[FollowedKey[P]]) -> bool:
        """Hand all that is new in some keys to `take`, in parts; return whether there was something.

        Raises `SourceUnavailable`.
        """

    async def follow(self) -> None:
        """Follow until cancelled, or until something does not answer."""
        self._saved = await self.feed.checkpoints()
        await self._find_keys()
        while self._cursor:
            await self._find_keys()
        self.feed.reached()
        while True:
            began = self.feed.clock.now()
            if not await self.read(self._some_keys()):
                self.feed.caught_up()
            await self._bring_errors(self._copies.due(self.feed.clock.now()))
            await self._save()
            await self._find_keys()
            await self.feed.clock.sleep(max(0.01, self._pause_seconds() - (self.feed.clock.now() - began)))

    def _pause_seconds(self) -> float:
        """Return the time between polls, with which each key is polled in time, or else four are done in a second."""
        polls = math.ceil(len(self._keys) / _KEYS_PER_POLL)
        return max(_LEAST_PAUSE_SECONDS, POLL_SECONDS / max(1, polls))

    def _some_keys(self) -> list[FollowedKey[P]]:
        """Return the keys of the next poll."""
        followed = [*self._keys.values()]
        if len(followed) <= _KEYS_PER_POLL:
            return followed
        first = self._next_key if self._next_key < len(followed) else 0
        self._next_key = first + _KEYS_PER_POLL
        return followed[first : self._next_key]

    async def _find_keys(self) -> None:
        """Search a part of the names, and add the keys that are new; drop those that are gone."""
        now = self.feed.clock.now()
        self._cursor, keys = await self.reader.scan(self._cursor, self.pattern, self._scanned)
        self._scans += 1
        for key in keys:
            if known := self._keys.get(key):
                known.scan, known.seen = self._scan, now
            elif self._ignored_until.get(key, 0.0) <= now:
                self._add(key)
        if self._cursor:
            return
        all_names = self._scans * self._scanned
        self._scanned = min(max(all_names // _SCANS_OF_ALL, _LEAST_SCANNED), _MOST_SCANNED)
        self._scans = 0
        # A list that is renamed or expired may come back: its position is kept for a while.
        gone = [
            key
            for key, known in self._keys.items()
            if self._scan - known.scan >= _SCANS_UNTIL_GONE and now - known.seen > _SECONDS_UNTIL_GONE
        ]
        for key in gone:
            del self._keys[key]
        if removed := {key: b"" for key in gone if self._saved.pop(key, b"")}:
            await self.feed.save(removed)
        self._scan += 1

    def _add(self, key: bytes) -> None:
        name = self.name_of(key)
        if name is None:
            self.ignore(key)
            self.feed.error("unknown", "a key of Jitsu's events has an unknown name", key=shown(key))
            return
        self._keys[key] = FollowedKey(key, name, self.position_of(self._saved.get(key, b"")), self._scan)
        self._keys[key].seen = self.feed.clock.now()

    def ignore(self, key: bytes, seconds: float = _IGNORED_SECONDS) -> None:
        """Follow a key no longer for some time, as it cannot be read, or costs too much."""
        self._keys.pop(key, None)
        self._ignored_until[key] = self.feed.clock.now() + seconds

    async def take(self, news: Sequence[News[P]]) -> None:
        """Bring what is new in some keys, and save how far that is."""
        held = _Held(self.feed)
        now = self.feed.clock.now()
        records = []
        for followed, entry in _entries(news, of_errors=False):
            if entry.event.error or entry.event.malformed:
                self._copies.note(entry, now)
            if not (followed.checks and await held.has(entry)):
                records.append((entry.stream, entry.event))
        for followed, entry in _entries(news, of_errors=True):
            if not (followed.checks and (await held.has(entry) or await held.has_copy(entry))):
                self._copies.offer(entry, now)
        await self.feed.bring(records)
        waiting = self._copies.streams_that_wait
        for followed, _, position, complete in news:
            followed.read = position
            followed.checks = followed.checks and not complete
            if not (followed.name.errors and followed.name.stream in waiting):
                followed.brought = position
        await self._save()

    async def _bring_errors(self, due: Sequence[Entry]) -> None:
        """Bring errors that are among the errors only."""
        if due:
            await self.feed.bring([(entry.stream, entry.event) for entry in due], errors_only=True)
        waiting = self._copies.streams_that_wait
        for followed in self._keys.values():
            if followed.brought is not followed.read and followed.name.stream not in waiting:
                followed.brought = followed.read

    async def _save(self) -> None:
        """Save how far all was brought."""
        changed = [followed for followed in self._keys.values() if followed.brought is not followed.saved]
        values = {followed.key: followed.brought.to_checkpoint() for followed in changed}
        await self.feed.save(values)
        self._saved |= values
        for followed in changed:
            followed.saved = followed.brought


def _entries(news: Sequence[News[P]], *, of_errors: bool) -> list[tuple[FollowedKey[P], Entry]]:
    return [(followed, entry) for followed, entries, _, _ in news for entry, errors in entries if errors is of_errors]


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
            content_of(event) == entry.content and are_copies(time_us(event.timestamp), entry.at_us)
            for event in self._events[entry.stream]
            if event.error == entry.event.error
        )

    async def _load(self, stream: Stream) -> None:
        if stream not in self._events:
            self._events[stream] = await self._feed.held(stream)
            self._uids[stream] = {event.uid for event in self._events[stream]}


def shown(key: bytes) -> str:
    """Return a key as a log line shows it."""
    return key[:200].decode(errors="replace")
