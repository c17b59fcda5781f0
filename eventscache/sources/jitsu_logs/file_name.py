"""The names of Jitsu's log files: what is in a file, of which stream, and whether it is still written."""

import datetime as dt
import enum
import re
from typing import Final, NamedTuple

_STAMP = re.compile(r"(.{1,2000})-([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}\.[0-9]{3})")
_STAMP_FORMAT = "%Y-%m-%dT%H-%M-%S.%f"


class Kind(enum.StrEnum):
    """What the lines of a file are."""

    INCOMING = "incoming"
    """Events as Jitsu took them, of tokens whose destinations get batches."""
    ARCHIVE = "archive"
    """Events that a destination got one by one."""
    FAILED = "failed"
    """Events that a destination did not take, or that nobody could read, each with its error."""
    WRITE_AHEAD = "write_ahead"
    """Events that Jitsu took while it was idle or stopping, with the secret of their token."""


_BEGINNINGS: Final = {
    "incoming.tok=": Kind.INCOMING,
    "streaming-archive.dst=": Kind.ARCHIVE,
    "failed.dst=": Kind.FAILED,
}
_WRITE_AHEAD = "write-ahead-log"


class LogName(NamedTuple):
    """What the name of a log file says.

    `id` is that of the token or the destination, empty for the write-ahead log. `rotated_us` is when Jitsu renamed the
    file, in Unix microseconds; None if Jitsu still writes it.
    """

    kind: Kind
    id: str
    rotated_us: int | None = None
    is_zipped: bool = False


def parse_name(name: str) -> LogName | None:
    """Return what a file's name says; None if it is no log of events."""
    rest = name.removesuffix(".gz")
    if not rest.endswith(".log"):
        return None
    plain, rotated_us = _without_stamp(rest.removesuffix(".log"))
    is_zipped = rest != name
    if plain == _WRITE_AHEAD:
        return LogName(Kind.WRITE_AHEAD, "", rotated_us, is_zipped)
    for beginning, kind in _BEGINNINGS.items():
        if plain.startswith(beginning) and plain != beginning:
            return LogName(kind, plain.removeprefix(beginning), rotated_us, is_zipped)
    return None


def _without_stamp(name: str) -> tuple[str, int | None]:
    """Return a name without the time at which the file was renamed, and that time."""
    found = _STAMP.fullmatch(name)
    if not found:
        return name, None
    try:
        moment = dt.datetime.strptime(found[2], _STAMP_FORMAT).replace(tzinfo=dt.UTC)
    except ValueError:  # digits that are no time: a part of the id
        return name, None
    return found[1], (moment - dt.datetime.fromtimestamp(0, dt.UTC)) // dt.timedelta(microseconds=1)
