"""What the formats of entries have in common."""

import datetime as dt
from abc import ABC, abstractmethod
from typing import Final

import click

from eventscache.clock import MICROSECONDS
from eventscache.logs import visible
from eventscache.tail.entry import Entry
from eventscache.tail.output import Output
from eventscache.timestamp import parse_time

_COLOURS: Final = {"error": "red", "malformed": "red", "skip": "yellow", "success": "green"}
NOTHING: Final = "-"
"""Stands for a text that an event does not have."""


class EntryFormat(ABC):
    """Makes lines of entries for an output. Nothing of an entry can steer a terminal."""

    def __init__(self, output: Output) -> None:
        self._output = output

    @abstractmethod
    def lines(self, entry: Entry) -> str:
        """Return the lines of an entry, without the end of the last one."""

    def _coloured(self, text: str, status: str) -> str:
        colour = _COLOURS.get(status)
        return click.style(text, fg=colour) if colour and self._output.coloured else text

    def _dimmed(self, text: str) -> str:
        return click.style(text, dim=True) if self._output.coloured else text


def local_time(timestamp: str) -> dt.datetime | None:
    """Return a time in this machine's time zone; None if it is no time, or one that no calendar has here."""
    try:
        return dt.datetime.fromtimestamp(parse_time(timestamp) / MICROSECONDS).astimezone()
    except (ValueError, OverflowError, OSError):
        return None


def shown(text: str) -> str:
    """Return a text that is never empty, and has its invisible characters as escapes."""
    return visible(text) or NOTHING
