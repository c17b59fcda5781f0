"""What is told, and of which streams."""

import enum
from collections.abc import Container
from typing import Final, NamedTuple

from eventscache.stream import ALL_STREAMS, Namespace, Stream
from eventscache.timestamp import format_time


class Rule(enum.StrEnum):
    """Why a message is sent."""

    NEW_ERROR_GROUP = "new_error_group"
    """A stream has an error of a group that it never had."""
    ERROR_SHARE = "error_share"
    """More of a stream's events than a share were errors in the last minute."""
    SILENT = "silent"
    """A stream that had events has none any more."""
    LEFT_OUT = "left_out"
    """More was to tell than an hour's messages may tell."""


class Rules(NamedTuple):
    """Which rules are on, with their thresholds; `streams` holds those that are looked at, of these `namespaces`.

    `error_share` is a part of 1, and 0 switches it off, as 0 `silent_minutes` do.
    """

    new_error_group: bool = True
    error_share: float = 0.0
    error_share_min_events: int = 20
    silent_minutes: int = 0
    streams: Container[Stream] = ALL_STREAMS
    namespaces: tuple[Namespace, ...] = tuple(Namespace)


class Alert(NamedTuple):
    """What a message tells: `title` and `facts` are our own words, all else comes from outside and may be anything.

    `key` is of what is told at most once an hour. `extra` names the extra collection of which the newest event is
    quoted.
    """

    rule: Rule
    key: bytes
    title: str
    stream: Stream | None = None
    facts: tuple[str, ...] = ()
    quote: str = ""
    extra: str = ""


def stream_key(rule: Rule, stream: Stream) -> bytes:
    """Return the key of a rule and a stream."""
    return f"{rule}:{stream.namespace}:{stream.id}".encode(errors="surrogatepass")


def time_of(unix_us: int) -> str:
    """Return a time as a message says it: in UTC, to the second."""
    return format_time(unix_us).replace("T", " ")[:19] + " UTC"


PLACES: Final = {Namespace.TOKEN: "API key", Namespace.DESTINATION: "destination"}
"""What the id of a stream is, in words."""
