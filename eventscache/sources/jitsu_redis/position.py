"""How far a list was read."""

from collections.abc import Iterable
from typing import Final

MARK_LENGTH: Final = 16
"""Of a mark, in hexadecimal: see `lua/new_entries.lua`."""
MOST_MARKS: Final = 128
"""Of how many entries the marks are kept: so many may be lost from the front of a list, in a failover, and the next
ones are found all the same."""
_SAVED_MARKS = 16


class Position:
    """The marks of the entries of a list that were read last, the newest first."""

    __slots__ = ("marks",)

    def __init__(self, marks: str = "") -> None:
        self.marks = marks

    @classmethod
    def from_checkpoint(cls, saved: bytes) -> "Position":
        """Return a position as it was saved; a new one if these are other bytes."""
        marks = saved.hex()
        return cls(marks if len(marks) % MARK_LENGTH == 0 else "")

    def to_checkpoint(self) -> bytes:
        """Return a position as it is saved: with fewer marks."""
        return bytes.fromhex(self.marks[: _SAVED_MARKS * MARK_LENGTH])

    @property
    def newest(self) -> str:
        """The mark of the newest entry that was read; empty if none was."""
        return self.marks[:MARK_LENGTH]

    def after(self, marks: Iterable[str]) -> "Position":
        """Return the position after some more entries, given from the oldest to the newest."""
        return Position(("".join([*marks][::-1]) + self.marks)[: MOST_MARKS * MARK_LENGTH])
