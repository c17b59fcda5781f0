"""Filters events by their time, type and text."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from eventscache.event import Event
from eventscache.query.members import whole_pairs
from eventscache.timestamp import parse_time


class _Typed(msgspec.Struct):
    event_type: str = ""


_typed = msgspec.json.Decoder(_Typed)


class EventFilter(NamedTuple):
    """Selects events whose timestamp lies in [start, end), of that `event_type`, with that text in their JSON.

    The times are Unix microseconds. What is None or empty selects all events.
    """

    start_us: int | None = None
    end_us: int | None = None
    event_type: str = ""
    text: str = ""

    def matches(self, event: Event, text: Callable[[], str] | None = None) -> bool:
        """Tell whether an event is selected; the text is compared without regard to case.

        `text` returns the `searchable_text` of the event, for a caller that keeps it.
        """
        return (
            self._in_time(event)
            and (not self.event_type or self._type(event) == self.event_type)
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

    @staticmethod
    def _type(event: Event) -> str:
        try:
            return _event_type(event.original)
        except msgspec.ValidationError:  # an event_type that is no text
            return ""
        except msgspec.DecodeError:  # no original, or half of a surrogate pair in it, which msgspec does not read
            return _event_type(whole_pairs(event.original)) if event.original else ""


def _event_type(original: bytes) -> str:
    return _typed.decode(original).event_type


def searchable_text(event: Event) -> str:
    """Return the JSON of an event as the text in which `EventFilter.text` is searched, casefolded."""
    return event.to_json(0).decode().casefold()
