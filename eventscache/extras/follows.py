"""Follows: events that somebody wants to see for some minutes, whatever else the rate limit leaves out."""

from collections.abc import Callable
from typing import Final

import msgspec

from eventscache.query.event_type import TypeOf
from eventscache.query.members import any_value, sure_bytes, text_of
from eventscache.stream import Stream

FOLLOW: Final = "follow"
"""The kind of the extra collections that keep these events."""
MOST_FOLLOWS: Final = 20
"""How many there are at a time."""
FOLLOW_SIZE: Final = 1000
"""How many events of each stream one keeps."""


Test = Callable[[Stream, bytes, bytes], bool]


class FieldCondition(msgspec.Struct, frozen=True):
    """A value at a path of an event equals a text, or contains it; numbers are compared as they are written."""

    path: tuple[str, ...]
    text: str
    contains: bool = False

    def test(self) -> Callable[[bytes], bool]:
        """Return what tells whether the condition holds for a JSON object."""
        sure, path, text = sure_bytes(self.text), self.path, self.text
        is_met = (lambda found: text in found) if self.contains else text.__eq__

        def is_met_by(value: bytes | msgspec.Raw) -> bool:
            found = text_of(value)
            return found is not None and is_met(found)

        # Most events have no such bytes, and are never parsed.
        return lambda data: sure in data and any_value(data, path, is_met_by)


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

    def test(self, type_of: TypeOf) -> Test:
        """Return what tells whether an event is followed, by its stream, its original, and its `success`, if any."""
        namespace, ids, event_type = self.namespace, frozenset(self.ids), self.event_type
        fields = [field.test() for field in self.fields]

        def is_met(stream: Stream, original: bytes, success: bytes) -> bool:
            return (
                (not namespace or stream.namespace == namespace)
                and (not ids or stream.id in ids)
                and (not event_type or type_of(original) == event_type)
                and all(holds(original) or (bool(success) and holds(success)) for holds in fields)
            )

        return is_met
