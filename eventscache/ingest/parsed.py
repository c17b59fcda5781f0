"""What every parser takes and returns, whatever its format."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from eventscache.event import Event
from eventscache.ingest.limits import Limits
from eventscache.stream import Stream

MAX_ERRORS: Final = 100
"""How many invalid records of one body are named: an answer is not much larger than what was asked."""


class Parsed(msgspec.Struct, frozen=True, gc=False):
    """The events of one body.

    `originals` are events of the default stream of which only the original is known, as bytes of JSON objects; they
    may be cut out of the body only when they are read. `records` are events with all their fields and their streams.
    `errors` has the index and the reason of the first `MAX_ERRORS` records that are invalid, and `errors_omitted`
    counts the others; `invalid` has what is known of the bytes of the first ones, in their order.
    `faults` has the index of each original that Jitsu refuses as an event, and why; such an event is kept with this
    error. `write_key` is the key that the body itself names, and `write_keys` are those that the events of `records`
    name, if the format has such.
    """

    originals: Sequence[bytes] = ()
    records: Sequence[tuple[Stream, Event]] = ()
    errors: Sequence[tuple[int, str]] = ()
    errors_omitted: int = 0
    invalid: Sequence[bytes] = ()
    faults: Sequence[tuple[int, str]] = ()
    write_key: str = ""
    write_keys: Sequence[str] = ()

    def __repr__(self) -> str:
        return f"Parsed({len(self.originals)} originals, {len(self.records)} records)"


Parser = Callable[[bytes, Stream | None, Limits], Parsed]
"""Parses a body, with the stream of events that name none, within limits.

Raises `InvalidEvent` if the body is not of its format, and `BatchTooLarge`.
"""
