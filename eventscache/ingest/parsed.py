"""What every parser takes and returns, whatever its format."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from eventscache.event import Event
from eventscache.ingest.limits import Limits
from eventscache.stream import Stream


class Parsed(NamedTuple):
    """The events of one body.

    `originals` are events of the default stream of which only the original is known, as bytes of JSON objects; they
    may be cut out of the body only when they are read. `records` are events with all their fields and their streams.
    `errors` has the index and the reason of each record that is invalid.
    """

    originals: Sequence[bytes] = ()
    records: Sequence[tuple[Stream, Event]] = ()
    errors: Sequence[tuple[int, str]] = ()


Parser = Callable[[bytes, Stream | None, Limits], Parsed]
"""Parses a body, with the stream of events that name none, within limits.

Raises `InvalidEvent` if the body is not of its format, and `BatchTooLarge`.
"""
