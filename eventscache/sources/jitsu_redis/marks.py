"""How far a list was read: the marks of the entries that were read last, and the time of the newest one."""

from collections.abc import Iterable
from typing import Final

MARK_LENGTH: Final = 16
"""Of a mark, in hexadecimal: see `lua/new_entries.lua`."""
MOST_MARKS: Final = 128
"""Of how many entries the marks are kept: so many may be lost from the front of a list, in a failover, and the next
ones are found all the same."""
_SAVED_MARKS = 16
_MARK_BYTES = MARK_LENGTH // 2
_TIME_BYTES = 8


class Marks:
    """The marks of the entries of a list that were read last, the newest first, as one text.

    `newest_us` is the latest time that any entry had, in Unix microseconds; 0 if none had one.
    """

    __slots__ = ("newest_us", "text")

    def __init__(self, text: str = "", newest_us: int = 0) -> None:
        self.text = text
        self.newest_us = newest_us

    @classmethod
    def from_checkpoint(cls, saved: bytes) -> "Marks":
        """Return marks as they were saved; none if these are other bytes."""
        marks = saved[_TIME_BYTES:]
        if len(saved) < _TIME_BYTES or len(marks) % _MARK_BYTES:
            return cls()
        return cls(marks.hex(), int.from_bytes(saved[:_TIME_BYTES]))

    def to_checkpoint(self) -> bytes:
        """Return the marks as they are saved: only some of them."""
        return self.newest_us.to_bytes(_TIME_BYTES) + bytes.fromhex(self.text[: _SAVED_MARKS * MARK_LENGTH])

    @property
    def newest(self) -> str:
        """The mark of the newest entry that was read; empty if none was."""
        return self.text[:MARK_LENGTH]

    def after(self, marks: Iterable[str], newest_us: int) -> "Marks":
        """Return the marks after some more entries, given from the oldest to the newest, with their latest time."""
        text = ("".join([*marks][::-1]) + self.text)[: MOST_MARKS * MARK_LENGTH]
        return Marks(text, max(newest_us, self.newest_us))
