"""The entries of a page, made in C; where nothing compiled that (`COMPILED` is False) in several times as long."""

import re

from eventscache.storage.messages import Entry
from eventscache.stream import Status

__all__ = ["COMPILED", "entries_by_pattern", "make_entries"]

# As in `lua/fetch.lua`.
_LOGGED = re.compile(rb"([ske])([0-9]{1,16}):([0-9]{1,16})")


def entries_by_pattern(
    log: list[bytes],
    events: list[bytes],
    most_bytes: int,
    letters: dict[bytes, Status],
    type: type[Entry],
    /,
) -> list[Entry]:
    """Return the entries without those that something else wrote, or that are longer than an event can be."""
    made = []
    for logged, event in zip(log, events, strict=False):
        if (place := _LOGGED.fullmatch(logged)) and len(event) <= most_bytes:
            letter, admitted_us, sequence = place.groups()
            made.append(type(int(sequence), int(admitted_us), letters[letter], event))
    return made


try:
    from eventscache.storage.redis._entries import entries as make_entries

    COMPILED = True
except ImportError:
    make_entries = entries_by_pattern
    COMPILED = False
