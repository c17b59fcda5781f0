"""Streams, their ids, and the statuses of events."""

import enum
import re
from typing import Final, NamedTuple

from eventscache.characters import is_invisible
from eventscache.errors import InvalidEvent

MAX_ID_BYTES = 512

_PLAIN_ID = re.compile("[ -+\\--~]+")  # ASCII without controls and comma: nearly all ids


class Namespace(enum.StrEnum):
    """Which side of Jitsu a stream belongs to (Jitsu's own names)."""

    TOKEN = "token"  # noqa: S105 - the name of a namespace
    """Incoming events, by API key."""
    DESTINATION = "destination"
    """Processed events, by destination."""


class Status(enum.StrEnum):
    """The result of an event."""

    SUCCESS = "success"
    ERROR = "error"
    SKIP = "skip"


class Stream(NamedTuple):
    """One namespace and one id; everything that the cache keeps is kept per stream."""

    namespace: Namespace
    id: str


class AllStreams:
    """Holds every stream: what a reader may see who is not bound to some of them."""

    def __contains__(self, stream: object) -> bool:
        return True


ALL_STREAMS: Final = AllStreams()


def check_id(text: str, max_bytes: int = MAX_ID_BYTES) -> str:
    """Return `text` if it is a valid id, else raise `InvalidEvent` that says why not.

    An id holds no comma, because `ids` is a comma-separated list: such a stream could be written, never read. It holds
    no invisible character, because it would look like another id.
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
        if is_invisible(character):
            raise InvalidEvent(f"the id holds the invisible character U+{ord(character):04X}")
    if "," in text:
        raise InvalidEvent("the id holds a comma, which separates ids")
    return text
