"""Log lines: their format, and the escapes that keep clients from forging or colouring one."""

import logging
import os
import re
import sys
from collections.abc import Mapping
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from eventscache.characters import is_invisible

_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LATIN_1, _BMP = 0xFF, 0xFFFF
HIDDEN = "***"
"""Stands for a secret wherever one would be shown."""


def visible(text: str) -> str:
    r"""Return a text with its invisible characters as escapes, such as \x1b and \u202e."""
    if text.isprintable():  # the common case, and fast: no invisible character is printable
        return text
    return "".join(_escape(character) if is_invisible(character) else character for character in text)


def _escape(character: str) -> str:
    code = ord(character)
    if code <= _LATIN_1:
        return _SHORT_ESCAPES.get(character) or f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _BMP else f"\\U{code:08x}"


def escape_invisible(_: Any, __: str, entry: EventDict) -> EventDict:
    """Escape the invisible characters in an entry: in its names, and in its values however deep.

    A traceback keeps its lines, but each is indented, so that none looks like an entry.
    """
    return {
        visible(str(name)): _traceback(value) if name == "exception" else _visible(value)
        for name, value in entry.items()
    }


def _visible(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {visible(str(name)): _visible(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_visible(inner) for inner in value]
    return visible(value if isinstance(value, str) else repr(value))


def _traceback(value: Any) -> str:
    return "\n".join(f"  {visible(line)}" for line in str(value).split("\n"))


def hide_secrets(url: str) -> str:
    """Return a URL without what can be a secret: everything before its last @, and its query."""
    scheme, separator, rest = url.partition("://")
    if not separator:  # it may be a password, a colon and a host
        return f"{url.partition(':')[0] if re.match('[A-Za-z][A-Za-z0-9+.-]*:', url) else HIDDEN}:"
    _, at, shown = rest.rpartition("@")
    return f"{scheme}://{HIDDEN + at if at else ''}{re.split('[?#]', shown, maxsplit=1)[0]}"


def on_terminal() -> bool:
    """Whether a person reads the log as it is written."""
    return sys.stderr.isatty()


def wants_colours() -> bool:
    """Whether a person at a terminal wants colours there: not with `NO_COLOR`, nor at a terminal that has none."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def start_logging() -> None:
    """Log to standard error: short lines of text on a terminal, else one JSON object a line."""
    stamp, renderer = _for_people() if on_terminal() else _for_programs()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            stamp,
            structlog.processors.format_exc_info,
            escape_invisible,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    root = logging.getLogger()
    # Called again, it replaces its handler: two would log every entry of a library twice.
    root.handlers[:] = [handler for handler in root.handlers if not isinstance(handler, _LibraryLogs)]
    root.addHandler(_LibraryLogs(logging.WARNING))


def _for_people() -> tuple[Processor, Processor]:
    """Return what adds this machine's time, and what renders an entry, in colours unless NO_COLOR is set."""
    renderer = structlog.dev.ConsoleRenderer(
        colors=wants_colours(),
        pad_event_to=0,
        pad_level=False,
        # Without the values of variables, which can be secrets.
        exception_formatter=structlog.dev.plain_traceback,
    )
    return structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False), renderer


def _for_programs() -> tuple[Processor, Processor]:
    return structlog.processors.TimeStamper(fmt="iso", utc=True), structlog.processors.JSONRenderer()


class _LibraryLogs(logging.Handler):
    """Logs the records of libraries as entries like ours."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)
