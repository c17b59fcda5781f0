"""Streams: whose events they are, and what can become of an event."""

import enum
import re
import unicodedata
from typing import NamedTuple

from eventscache.errors import InvalidEvent

MAX_ID_BYTES = 512

_PLAIN_ID = re.compile("[ -+\\--~]+")  # ASCII but for controls and the comma
# Marks that reorder or break the text around them: an id that holds one looks like another id.
_DECEIVING = frozenset("\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Namespace(enum.StrEnum):
    """Which side of Jitsu a stream belongs to (Jitsu's own names)."""

    TOKEN = "token"  # noqa: S105 - the name of a namespace
    """Incoming events, by API key."""
    DESTINATION = "destination"
    """Processed events, by destination."""


class Status(enum.StrEnum):
    """What became of an event."""

    SUCCESS = "success"
    ERROR = "error"
    SKIP = "skip"


class Stream(NamedTuple):
    """One namespace and one id; everything that the cache keeps, it keeps per stream."""

    namespace: Namespace
    id: str


def check_id(text: str, max_bytes: int = MAX_ID_BYTES) -> str:
    """Return `text` if a client may use it as an id, else raise `InvalidEvent` naming the fault.

    The comma is refused because `ids` is a comma-separated list: such a stream could be written, never read.
    """
    if _PLAIN_ID.fullmatch(text) and len(text) <= max_bytes:
        return text
    if not text:
        raise InvalidEvent("the id is empty")
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidEvent("the id is not valid Unicode") from None
    if length > max_bytes:
        raise InvalidEvent(f"the id has {length} bytes; at most {max_bytes} are allowed")
    for character in text:
        if character in _DECEIVING or unicodedata.category(character) == "Cc":
            raise InvalidEvent(f"the id holds the control character U+{ord(character):04X}")
    if "," in text:
        raise InvalidEvent("the id holds a comma, which separates ids")
    return text
