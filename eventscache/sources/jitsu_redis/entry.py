"""An entry of Jitsu's lists as an event: all its fields are texts, also the JSON in `original` and `success`."""

import hashlib
from typing import NamedTuple

import msgspec

from eventscache.errors import InvalidEvent
from eventscache.event import Event
from eventscache.ingest.json.objects import checked_object
from eventscache.ingest.secret_half import without_halves_in_text
from eventscache.stream import Stream
from eventscache.timestamp import parse_time


class _Entry(msgspec.Struct):
    """The fields, as Jitsu writes them; empty ones are left out."""

    malformed: str = ""
    original: str = ""
    success: str = ""
    error: str = ""
    skip: str = ""
    timestamp: str = ""
    uid: str = ""
    destination_id: str = ""
    token_id: str = ""


_decode = msgspec.json.Decoder(_Entry).decode


class Entry(NamedTuple):
    """An event, the hash of what it has in common with its copy in the other list, its time, and the id that it names.

    The time is in Unix microseconds, 0 if there is none.
    """

    stream: Stream
    event: Event
    content: bytes
    at_us: int
    own_id: str


def parse_entry(raw: bytes, stream: Stream, max_depth: int) -> Entry:
    """Return an entry of a stream. Raises `InvalidEvent` if it is not one.

    `original` and `success` keep their bytes, but for secret halves of write keys; an entry without a uid gets one that
    is made of its bytes.
    """
    try:
        entry = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise InvalidEvent(f"not an entry of Jitsu's: {fault}") from None
    at_us = time_us(entry.timestamp)
    event = Event.of(
        stream,
        malformed=_hidden(entry.malformed),
        original=_object("original", entry.original, max_depth),
        success=_object("success", entry.success, max_depth),
        error=_hidden(entry.error),
        skip=entry.skip,
        timestamp=entry.timestamp if at_us else "",
        uid=entry.uid or hashlib.blake2b(raw, digest_size=16).hexdigest(),
    )
    if not (event.size_bytes or entry.timestamp):
        raise InvalidEvent("not an entry of Jitsu's: it is empty")
    return Entry(stream, event, content_of(event), at_us, entry.token_id or entry.destination_id)


def content_of(event: Event) -> bytes:
    """Return a hash of all that the two copies of an error have in common."""
    content = hashlib.blake2b(digest_size=16)
    for part in (event.malformed.encode(), event.original, event.success, event.error.encode()):
        content.update(b"%d:" % len(part) + part)
    return content.digest()


def _object(name: str, text: str, max_depth: int) -> bytes:
    if not text:
        return b""
    return checked_object(text.encode(), max_depth, name)


def _hidden(text: str) -> str:
    return without_halves_in_text(text.encode()).decode() if text else ""


def time_us(text: str) -> int:
    """Return a time, 0 if it cannot be read."""
    try:
        return parse_time(text)
    except ValueError:
        return 0
