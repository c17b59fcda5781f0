"""The formats in which events are shown: each makes text, or bytes, of the JSON of an event."""

from typing import Final, Protocol

from eventscache.logs import visible
from eventscache.query.event_type import TypeOf
from eventscache.tail.compact import CompactFormat
from eventscache.tail.entry import read_entry
from eventscache.tail.entry_format import EntryFormat
from eventscache.tail.human import HumanFormat
from eventscache.tail.logfmt import LogfmtFormat
from eventscache.tail.output import Output
from eventscache.tail.shown_text import escape_json

JSON: Final = "json"
_OF_ENTRIES: Final[dict[str, type[EntryFormat]]] = {
    "human": HumanFormat,
    "logfmt": LogfmtFormat,
    "compact": CompactFormat,
}
NAMES: Final = ("human", JSON, "logfmt", "compact")


class Format(Protocol):
    """Makes what is written of an event, with the end of its line."""

    def __call__(self, data: bytes) -> str | bytes:
        """Return that for the JSON of an event."""


def json_format(output: Output) -> Format:
    """Return the format of one JSON object a line: the bytes that the server sent.

    On a terminal invisible characters are written as escapes of JSON, which mean the same.
    """

    def render(data: bytes) -> str | bytes:
        return f"{escape_json(data.decode(errors='replace'))}\n" if output.on_terminal else data + b"\n"

    return render


def entry_format(name: str, output: Output, type_of: TypeOf) -> Format:
    """Return one of the other formats. What is no event is shown as the text that it is."""
    made = _OF_ENTRIES[name](output)

    def render(data: bytes) -> str:
        entry = read_entry(data, type_of)
        return f"{made.lines(entry) if entry else visible(data.decode(errors='replace'))}\n"

    return render
