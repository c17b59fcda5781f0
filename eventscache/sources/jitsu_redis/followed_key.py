"""One key of Jitsu's Redis, and how far it was read."""

from typing import Generic, Protocol, TypeVar

from eventscache.sources.jitsu_redis.key_name import KeyName


class Position(Protocol):
    """How far a key was read."""

    def to_checkpoint(self) -> bytes:
        """Return the position as it is saved."""


P = TypeVar("P", bound=Position)


class FollowedKey(Generic[P]):
    """A key with three positions: how far it was read, up to where all was brought, and what of that is saved.

    `checks` is true while the next entries may be in the cache already: another process may have brought them, or this
    one before an error. `scan` is the number of the last search in which the key was there, and `seen` when that was.
    """

    __slots__ = ("brought", "checks", "key", "name", "read", "saved", "scan", "seen")

    def __init__(self, key: bytes, name: KeyName, position: P, scan: int) -> None:
        self.key = key
        self.name = name
        self.read = self.brought = self.saved = position
        self.checks = True
        self.scan = scan
        self.seen = 0.0
