"""How far a list was read: the marks of the entries that were read last."""

from collections.abc import Iterable
from typing import Final

MARK_LENGTH: Final = 16
"""Of a mark, in hexadecimal: see `lua/new_entries.lua`."""
MOST_MARKS: Final = 128
"""Of how many entries the marks are kept: so many may be lost from the front of a list, in a failover, and the next
ones are found all the same."""
_SAVED_MARKS = 16


class Marks:
    """The marks of the entries of a list that were read last, the newest first, as one text."""

    __slots__ = ("text",)

    def __init__(self, text: str = "") -> None:
        self.text = text

    @classmethod
    def from_checkpoint(cls, saved: bytes) -> "Marks":
        """Return marks as they were saved; none if these are other bytes."""
        text = saved.hex()
        return cls(text if len(text) % MARK_LENGTH == 0 else "")

    def to_checkpoint(self) -> bytes:
        """Return the marks as they are saved: only some of them."""
        return bytes.fromhex(self.text[: _SAVED_MARKS * MARK_LENGTH])

    @property
    def newest(self) -> str:
        """The mark of the newest entry that was read; empty if none was."""
        return self.text[:MARK_LENGTH]

    def after(self, marks: Iterable[str]) -> "Marks":
        """Return the marks after some more entries, given from the oldest to the newest."""
        return Marks(("".join([*marks][::-1]) + self.text)[: MOST_MARKS * MARK_LENGTH])
