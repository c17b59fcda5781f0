"""Which entries somebody looks for."""

from typing import NamedTuple, Protocol

from eventscache.event import Event
from eventscache.query.event_id import event_id
from eventscache.query.members import has_value, sure_bytes


class Wanted(Protocol):
    """Selects entries."""

    @property
    def containing(self) -> bytes:
        """Bytes that all of them hold, so that a storage can leave out most of the others."""

    def matches(self, event: Event) -> bool:
        """Tell whether an entry is one of them."""


class ByEventId(NamedTuple):
    """The entries of the event with that id."""

    event_id: str

    @property
    def containing(self) -> bytes:
        """See `Wanted`."""
        return sure_bytes(self.event_id)

    def matches(self, event: Event) -> bool:
        """See `Wanted`."""
        return event_id(event) == self.event_id


class ByField(NamedTuple):
    """The entries whose original has that text at a path; a number has the text that it is written with."""

    path: tuple[str, ...]
    value: str

    @property
    def containing(self) -> bytes:
        """See `Wanted`."""
        return sure_bytes(self.value)

    def matches(self, event: Event) -> bool:
        """See `Wanted`."""
        return bool(event.original) and has_value(event.original, self.path, self.value)
