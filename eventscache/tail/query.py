"""Which events are shown, as parameters of the HTTP API."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from eventscache.clock import MICROSECONDS
from eventscache.stream import Namespace
from eventscache.timestamp import format_time, parse_duration, parse_time

MOST_HISTORY: Final = 1000
"""How many cached events the server sends of a stream at most."""


@dataclass(frozen=True)
class TailQuery:
    """Events of the named streams, or of the most recently active ones; empty texts select all.

    `where` has expressions in the words of the API, which are not looked at here. `start` is a time that the API takes.
    """

    namespace: Namespace = Namespace.DESTINATION
    ids: tuple[str, ...] = ()
    status: str = ""
    event_type: str = ""
    text: str = ""
    where: tuple[str, ...] = ()
    start: str = ""
    history: int = 20

    def encode(self) -> str:
        """Return the query string of the push."""
        named = {"status": self.status, "type": self.event_type, "q": self.text, "start": self.start}
        pairs = [
            ("namespace", self.namespace.value),
            *(("ids", stream_id) for stream_id in self.ids),
            *((name, value) for name, value in named.items() if value),
            *(("field", expression) for expression in self.where),
            ("history", str(self.history)),
        ]
        # What the shell gave as bytes that are not UTF-8 is sent as such: the server says what is wrong.
        return urlencode(pairs, quote_via=quote, errors="surrogateescape")


def start_time(since: str, now_us: int) -> str:
    """Return the time from which on events are meant: so long ago, or the given one. Raises `ValueError`."""
    try:
        seconds = parse_duration(since)
    except ValueError:
        parse_time(since)
        return since
    return format_time(max(0, now_us - seconds * MICROSECONDS))
