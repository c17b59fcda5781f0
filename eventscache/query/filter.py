"""Filters events by their time, type, text, fields and status."""

import re
from collections.abc import Callable
from typing import NamedTuple

from eventscache.event import Event
from eventscache.query.event_type import TypeOf
from eventscache.query.event_type import event_type as usual_type
from eventscache.query.field_filter import FieldFilter
from eventscache.stream import Status
from eventscache.timestamp import parse_time

_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_HALF = re.compile("[\ud800-\udfff]")


class EventFilter(NamedTuple):
    """Selects events whose timestamp lies in [start, end), of that event type, with that text in their JSON.

    All `fields` must select them too, and their status is not `left_out`. The times are Unix microseconds. What is None
    or empty selects all events. `type_of` finds the type of an original.
    """

    start_us: int | None = None
    end_us: int | None = None
    event_type: str = ""
    text: str = ""
    type_of: TypeOf = usual_type
    fields: tuple[FieldFilter, ...] = ()
    left_out: Status | None = None

    def matches(self, event: Event, text: Callable[[], str] | None = None) -> bool:
        """Tell whether an event is selected; the text is compared without regard to case.

        `text` returns the `searchable_text` of the event, for a caller that keeps it.
        """
        return (
            self._in_time(event)
            and (self.left_out is None or event.status is not self.left_out)
            and (not self.event_type or self.type_of(event.original) == self.event_type)
            and all(field.matches(event) for field in self.fields)
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
    """Return the JSON of an event as the text in which `EventFilter.text` is searched, casefolded.

    Escapes are the characters that they mean, as people see them; but a text with escapes is found as it was sent too.
    """
    json = event.to_json(0).decode()
    if "\\" in json:
        json = f"{_ESCAPE.sub(_meant, json)}\n{json}"
        if _HALF.search(json):  # pairs were written as two escapes
            json = json.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return json.casefold()


def _meant(escape: re.Match[str]) -> str:
    """Return the character that an escape of JSON means."""
    return chr(int(escape[1], 16)) if escape[1] else _LETTERS.get(escape[2], escape[2])
