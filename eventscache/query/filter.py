"""Filters events by their time, type and text."""

from collections.abc import Callable
from typing import NamedTuple

from eventscache.event import Event
from eventscache.query.event_type import TypeOf
from eventscache.query.event_type import event_type as usual_type
from eventscache.timestamp import parse_time


class EventFilter(NamedTuple):
    """Selects events whose timestamp lies in [start, end), of that event type, with that text in their JSON.

    The times are Unix microseconds. What is None or empty selects all events. `type_of` finds the type of an original.
    """

    start_us: int | None = None
    end_us: int | None = None
    event_type: str = ""
    text: str = ""
    type_of: TypeOf = usual_type

    def matches(self, event: Event, text: Callable[[], str] | None = None) -> bool:
        """Tell whether an event is selected; the text is compared without regard to case.

        `text` returns the `searchable_text` of the event, for a caller that keeps it.
        """
        return (
            self._in_time(event)
            and (not self.event_type or self.type_of(event.original) == self.event_type)
            and (not self.text or self.text.casefold() in (text() if text else searchable_text(event)))
        )

    def _in_time(self, event: Event) -> bool:
        if self.start_us is None and self.end_us is None:
            return True
        try:
            time_us = parse_time(event.timestamp)
        except ValueError:
            return False
        return (self.start_us is None or self.start_us <= time_us) and (self.end_us is None or time_us < self.end_us)


def searchable_text(event: Event) -> str:
    """Return the JSON of an event as the text in which `EventFilter.text` is searched, casefolded."""
    return event.to_json(0).decode().casefold()
