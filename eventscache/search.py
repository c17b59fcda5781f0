"""Which cached events a reader means, by what is inside them."""

import datetime as dt
import re
from typing import NamedTuple

import msgspec

from eventscache.event import Event

_MOST_DIGITS = 15  # of epoch milliseconds: until the year 33658


class _Typed(msgspec.Struct):
    event_type: str = ""


_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_typed = msgspec.json.Decoder(_Typed)


def parse_time(text: str) -> int:
    """Return Unix microseconds for RFC 3339 or epoch milliseconds; raise `ValueError` for anything else."""
    if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS:
        return int(text) * 1000
    if not _RFC_3339.fullmatch(text):
        raise ValueError("not a time of RFC 3339")
    moment = dt.datetime.fromisoformat(text.upper())
    return (moment - dt.datetime.fromtimestamp(0, dt.UTC)) // dt.timedelta(microseconds=1)


class Search(NamedTuple):
    """Only events whose timestamp lies in [start, end), of that `event_type`, with that text in their JSON."""

    start_us: int | None = None
    end_us: int | None = None
    event_type: str = ""
    text: str = ""

    def finds(self, event: Event) -> bool:
        """Tell whether an event is meant; the text is compared without regard to case."""
        return (
            self._in_time(event)
            and (not self.event_type or self._type(event) == self.event_type)
            and (not self.text or self.text.casefold() in event.to_json(0).decode().casefold())
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
            return _typed.decode(event.original).event_type
        except msgspec.MsgspecError:  # no original, or an event_type that is no text
            return ""
