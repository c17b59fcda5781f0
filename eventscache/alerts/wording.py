"""A message as plain parts, in which nothing from outside can look like something else."""

from typing import Final, NamedTuple
from urllib.parse import urlencode

from eventscache.alerts.rules import PLACES, Alert
from eventscache.logs import visible
from eventscache.stream import Namespace, Stream

QUOTED_CHARACTERS: Final = 300
"""So much of an error is quoted, and of an id."""
_WIDE_AT: Final = "\uff20"
_TABS: Final = {Namespace.TOKEN: "incoming", Namespace.DESTINATION: "processed"}


class Message(NamedTuple):
    """What a webhook gets. `title` and `facts` are our own words; `id` and `quote` may hold any visible characters.

    `address` leads to the page, and is empty if nobody said where that is.
    """

    title: str
    place: str = ""
    id: str = ""
    facts: tuple[str, ...] = ()
    quote: str = ""
    address: str = ""


def message_of(alert: Alert, link: str) -> Message:
    """Return the message of an alert; `link` is the public address of the server, or empty."""
    stream = alert.stream
    return Message(
        alert.title,
        PLACES[stream.namespace] if stream else "",
        shown(stream.id) if stream else "",
        alert.facts,
        shown(alert.quote),
        _address(link, stream) if link else "",
    )


def shown(text: str) -> str:
    """Return the beginning of a text on one line, with its invisible characters as escapes.

    Each @ becomes a wide one, with which nobody can be called, whatever reads the message.
    """
    text = visible(" ".join(text[: 10 * QUOTED_CHARACTERS].split())).replace("@", _WIDE_AT)
    return text if len(text) <= QUOTED_CHARACTERS else f"{text[: QUOTED_CHARACTERS - 1]}…"


def _address(link: str, stream: Stream | None) -> str:
    if not stream:
        return f"{link}/ui/"
    chosen = {"tab": _TABS[stream.namespace], "id": stream.id}
    return f"{link}/ui/#{urlencode(chosen, errors='replace')}"
