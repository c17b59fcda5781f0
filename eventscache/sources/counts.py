"""What a source has done in this process, for the metrics."""

from collections import Counter
from typing import Final, Literal, get_args

ErrorKind = Literal["unavailable", "unreadable", "too_large", "unknown", "gap", "not_stored", "internal"]
"""The place does not answer; an entry that cannot be read; one that is too large; a name that is not understood;
entries that were gone before they were read (counted once for each place); entries that the storage cannot take; a bug.
"""
ERROR_KINDS: Final[tuple[ErrorKind, ...]] = get_args(ErrorKind)


class SourceCounts:
    """Counts since the start; `lag_ms` and `last_seen_s` (Unix time, of the last entry) while this process follows."""

    def __init__(self) -> None:
        self.entries = 0
        self.errors: Counter[ErrorKind] = Counter()
        self.following = False
        self.lag_ms = 0
        self.last_seen_s = 0
