"""The logs of Jitsu 2, which are streams of Redis."""

import re
from collections.abc import Sequence

from eventscache.errors import InvalidEvent
from eventscache.sources.jitsu_redis.entry import Entry
from eventscache.sources.jitsu_redis.followed_key import FollowedKey
from eventscache.sources.jitsu_redis.key_follower import KeyFollower, News, shown
from eventscache.sources.jitsu_redis.key_name import LOGS, KeyName, parse_log_name
from eventscache.sources.jitsu_redis.log_entry import parse_log_entry
from eventscache.sources.jitsu_redis.reader import MOST_ENTRY_BYTES, StreamEntry

_ENTRIES_PER_CALL = 1000
_FIELD = b"event"
_ID = re.compile(r"\d{1,20}-\d{1,20}", re.ASCII)


class LastId:
    """The id of the last entry that was read."""

    __slots__ = ("text",)

    def __init__(self, text: str = "0-0") -> None:
        self.text = text

    def to_checkpoint(self) -> bytes:
        """Return the id."""
        return self.text.encode()


_Log = FollowedKey[LastId]


class Jitsu2Logs(KeyFollower[LastId]):
    """Follows streams, in which Redis gave each entry an id."""

    pattern = LOGS

    def name_of(self, key: bytes) -> KeyName | None:
        """See `KeyFollower.name_of`."""
        return parse_log_name(key, self.options.max_id_bytes)

    def position_of(self, saved: bytes) -> LastId:
        """See `KeyFollower.position_of`."""
        text = saved.decode(errors="replace")
        return LastId(text) if _ID.fullmatch(text) else LastId()

    async def read(self, followed: Sequence[_Log]) -> bool:
        """See `KeyFollower.read`."""
        logs = {one.key: one for one in followed}
        changed = False
        while logs:
            count = max(1, _ENTRIES_PER_CALL // len(logs))
            replies, wrong = await self.reader.stream_entries([*logs], [one.read.text for one in logs.values()], count)
            for key in wrong:
                del logs[key]
                self.ignore(key)
                self.feed.error("unreadable", "a key of Jitsu's events is not a stream", key=shown(key))
            if not replies:
                if wrong:
                    continue
                break
            changed = True
            await self.take([self._news(logs[key], entries, count) for key, entries in replies])
            logs = {key: logs[key] for key, entries in replies if len(entries) == count}
        return changed

    def _news(self, one: _Log, entries: Sequence[StreamEntry], count: int) -> News[LastId]:
        parsed = [entry for entry_id, fields in entries if (entry := self._parse(one, entry_id.decode(), fields))]
        return News(one, parsed, LastId(entries[-1][0].decode()), len(entries) < count)

    def _parse(self, one: _Log, entry_id: str, fields: dict[bytes, bytes]) -> tuple[Entry, bool] | None:
        """Return an entry, and whether it is of a log of errors; None if it cannot be read."""
        name, raw = one.name, fields.get(_FIELD, b"")
        if len(raw) > MOST_ENTRY_BYTES:
            self.feed.error("too_large", "an entry of Jitsu's events is too large", key=shown(one.key), bytes=len(raw))
            return None
        try:
            entry = parse_log_entry(raw, name, one.key, entry_id, self.options.max_depth)
        except InvalidEvent as fault:
            self.feed.error(
                "unreadable", "an entry of Jitsu's events cannot be read", key=shown(one.key), reason=str(fault)
            )
            return None
        return entry, name.errors
