"""One of Jitsu's lists, and how far it was read."""

from eventscache.sources.jitsu_redis.list_name import ListName
from eventscache.sources.jitsu_redis.position import Position


class FollowedList:
    """A list with three positions: how far it was read, up to where all was brought, and what of that is saved.

    `checks` is true while the next entries may be in the cache already: another process may have brought them, or this
    one before an error. `all_marks` tells that the newest mark was not found, so that all of them are searched for.
    `scan` is the number of the last search in which the key was there.
    """

    __slots__ = ("all_marks", "brought", "checks", "key", "name", "read", "saved", "scan")

    def __init__(self, key: bytes, name: ListName, position: Position, scan: int) -> None:
        self.key = key
        self.name = name
        self.read = self.brought = self.saved = position
        self.checks = True
        self.all_marks = False
        self.scan = scan

    @property
    def marks(self) -> str:
        """The marks that are searched for."""
        return self.read.marks if self.all_marks else self.read.newest
