"""The lists of Jitsu classic."""

from collections.abc import Sequence

from eventscache.errors import InvalidEvent
from eventscache.sources.jitsu_redis.entry import Entry, parse_entry
from eventscache.sources.jitsu_redis.followed_key import FollowedKey
from eventscache.sources.jitsu_redis.key_follower import KeyFollower, News, shown
from eventscache.sources.jitsu_redis.key_name import LISTS, KeyName, parse_list_name
from eventscache.sources.jitsu_redis.marks import Marks
from eventscache.sources.jitsu_redis.reader import Change, NewEntry, TooMuch, WrongType

_List = FollowedKey[Marks]
_MOST_DISORDER_US = 2_000_000  # so much older than another entry is one that is in front of it, at most
_REST_SECONDS = 10.0


class ClassicLists(KeyFollower[Marks]):
    """Follows lists, in which an entry has no id: what is in front of the entries that were read last is new."""

    pattern = LISTS

    def name_of(self, key: bytes) -> KeyName | None:
        """See `KeyFollower.name_of`."""
        return parse_list_name(key, self.options.max_id_bytes)

    def position_of(self, saved: bytes) -> Marks:
        """See `KeyFollower.position_of`."""
        return Marks.from_checkpoint(saved)

    async def read(self, followed: Sequence[_List]) -> bool:
        """See `KeyFollower.read`."""
        lists = {one.key: one for one in followed}
        waiting = [*followed]
        lost: set[bytes] = set()  # lists whose newest mark was not found: all of their marks are searched for
        changed = False
        while waiting:
            marks = [one.read.text if one.key in lost else one.read.newest for one in waiting]
            looked_at, changes = await self.reader.new_entries([one.key for one in waiting], marks)
            news, again = [], []
            resting: list[bytes] = []
            for change in changes:
                one = lists[change.key]
                if isinstance(change, WrongType):
                    self.ignore(change.key)
                    self.feed.error("unreadable", "a key of Jitsu's events is not a list", key=shown(change.key))
                elif isinstance(change, TooMuch):
                    self.ignore(change.key)
                    self.feed.error("too_large", "the new entries of a list are too large", key=shown(change.key))
                elif not change.found and one.key not in lost and one.read.text != one.read.newest:
                    lost.add(one.key)
                    again.append(one)
                else:
                    news.append(self._news(one, change))
                    lost.discard(one.key)
                    if not change.left and change.entries and change.entries[-1].raw is None:
                        resting.append(one.key)  # its first entry is large, and each poll reads that
                    if change.left:
                        again.append(one)
            if news:
                changed = True
                await self.take(news)
            for key in resting:
                self.ignore(key, _REST_SECONDS)
            waiting = waiting[looked_at:] + again
        return changed

    def _news(self, one: _List, change: Change) -> News[Marks]:
        entries = [parsed for new in change.entries if (parsed := self._parse(one, new))]
        newest_us = max((parsed[0].at_us for parsed in entries), default=0)
        position = one.read.after((new.mark for new in change.entries), newest_us)
        if not change.found:
            # What was read last is gone: it was trimmed, or this is an older state of the list, as after a failover.
            one.checks = True
            known_us = one.read.newest_us - _MOST_DISORDER_US
            entries = [parsed for parsed in entries if parsed[0].at_us >= known_us]
            self.feed.error("gap", "entries were gone before they were read", key=shown(one.key))
        return News(one, entries, position, not change.left)

    def _parse(self, one: _List, new: NewEntry) -> tuple[Entry, bool] | None:
        """Return an entry, and whether it is of a list of errors; None if it cannot be read."""
        if new.raw is None:
            self.feed.error("too_large", "an entry of Jitsu's events is too large", key=shown(one.key), bytes=new.size)
            return None
        name, raw = one.name, new.raw
        try:
            entry = parse_entry(raw, name.stream, self.options.max_depth)
            failed = bool(entry.event.error or entry.event.malformed)
            if name.whole and (entry.own_id == name.whole.id or not (failed or entry.own_id)):
                return parse_entry(raw, name.whole, self.options.max_depth), False
        except InvalidEvent as fault:
            self.feed.error(
                "unreadable", "an entry of Jitsu's events cannot be read", key=shown(one.key), reason=str(fault)
            )
            return None
        return entry, name.errors
