"""The lists of Jitsu classic."""

from collections.abc import Sequence

from eventscache.errors import InvalidEvent
from eventscache.sources.jitsu_redis.entry import Entry, parse_entry
from eventscache.sources.jitsu_redis.followed_key import FollowedKey
from eventscache.sources.jitsu_redis.key_follower import KeyFollower, News, shown
from eventscache.sources.jitsu_redis.key_name import LISTS, KeyName, parse_list_name
from eventscache.sources.jitsu_redis.marks import Marks
from eventscache.sources.jitsu_redis.reader import Change, NewEntry, WrongType

_List = FollowedKey[Marks]


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
            for change in changes:
                one = lists[change.key]
                if isinstance(change, WrongType):
                    self.ignore(change.key)
                    self.feed.error("unreadable", "a key of Jitsu's events is not a list", key=shown(change.key))
                elif not change.found and one.key not in lost and one.read.text != one.read.newest:
                    lost.add(one.key)
                    again.append(one)
                else:
                    news.append(self._news(one, change))
                    lost.discard(one.key)
                    if change.left:
                        again.append(one)
            if news:
                changed = True
                await self.take(news)
            waiting = waiting[looked_at:] + again
        return changed

    def _news(self, one: _List, change: Change) -> News[Marks]:
        if not change.found:  # everything is newer, or the list is that of another Redis
            one.checks = True
            self.feed.error("gap", "entries were gone before they were read", key=shown(one.key))
        entries = [parsed for new in change.entries if (parsed := self._parse(one, new))]
        return News(one, entries, one.read.after(new.mark for new in change.entries), not change.left)

    def _parse(self, one: _List, new: NewEntry) -> tuple[Entry, bool] | None:
        """Return an entry, and whether it is of a list of errors; None if it cannot be read."""
        if new.raw is None:
            self.feed.error("too_large", "an entry of Jitsu's events is too large", key=shown(one.key), bytes=new.size)
            return None
        name, raw = one.name, new.raw
        try:
            entry = parse_entry(raw, name.stream, self.options.max_depth)
            failed = bool(entry.event.error or entry.event.malformed)
            if name.whole and (entry.token_id == name.whole.id or not (failed or entry.token_id)):
                return parse_entry(raw, name.whole, self.options.max_depth), False
        except InvalidEvent as fault:
            self.feed.error(
                "unreadable", "an entry of Jitsu's events cannot be read", key=shown(one.key), reason=str(fault)
            )
            return None
        return entry, name.errors
