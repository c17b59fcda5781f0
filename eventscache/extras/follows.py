"""Follows: events that somebody wants to see for some minutes, whatever else the rate limit leaves out."""

from typing import Final

import msgspec

from eventscache.event import Event
from eventscache.query.event_type import TypeOf
from eventscache.query.members import any_value, sure_bytes, text_of
from eventscache.stream import Stream

FOLLOW: Final = "follow"
"""The kind of the extra collections that keep these events."""
MOST_FOLLOWS: Final = 20
"""How many there are at a time."""
FOLLOW_SIZE: Final = 1000
"""How many events of each stream one keeps."""


class FieldCondition(msgspec.Struct, frozen=True):
    """A value at a path of an event equals a text, or contains it; numbers are compared as they are written."""

    path: tuple[str, ...]
    text: str
    contains: bool = False

    def holds(self, data: bytes) -> bool:
        """Tell whether the condition holds for a JSON object."""
        if (sure := sure_bytes(self.text)) and sure not in data:  # so most events are never parsed
            return False
        return any_value(data, self.path, self._is_met_by)

    def _is_met_by(self, value: bytes | msgspec.Raw) -> bool:
        found = text_of(value)
        return found is not None and (self.text in found if self.contains else self.text == found)


class Follow(msgspec.Struct, frozen=True):
    """Events for which all conditions hold, until a time in Unix milliseconds.

    Empty `namespace`, `ids`, `event_type` and `fields` ask for nothing. A field is looked for in the original, and
    then in what a destination made of it.
    """

    id: str
    name: str
    until_ms: int
    namespace: str = ""
    ids: tuple[str, ...] = ()
    event_type: str = ""
    fields: tuple[FieldCondition, ...] = ()

    @property
    def collection(self) -> str:
        """The name of the extra collections that keep its events."""
        return f"{FOLLOW}:{self.id}"

    def includes(self, stream: Stream) -> bool:
        """Tell whether events of a stream can be followed."""
        return (not self.namespace or stream.namespace == self.namespace) and (not self.ids or stream.id in self.ids)

    def matches_original(self, stream: Stream, original: bytes, type_of: TypeOf) -> bool:
        """Tell whether an event that is nothing but an original is followed."""
        return self.includes(stream) and self._is_met(original, b"", type_of)

    def matches(self, stream: Stream, event: Event, type_of: TypeOf) -> bool:
        """Tell whether an event is followed."""
        return self.includes(stream) and self._is_met(event.original, event.success, type_of)

    def _is_met(self, original: bytes, success: bytes, type_of: TypeOf) -> bool:
        if self.event_type and type_of(original) != self.event_type:
            return False
        return all(field.holds(original) or (success and field.holds(success)) for field in self.fields)
