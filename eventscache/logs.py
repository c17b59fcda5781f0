"""Log lines: what they look like, and that nobody who is told about in one can forge or colour another."""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

# C0, DEL, C1, marks and overrides of direction, separators of lines, and halves of characters, which no stream takes.
_CONTROLS = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_INVISIBLE = re.compile(f"[{_CONTROLS}]")
_INVISIBLE_IN_TRACEBACK = re.compile(f"(?!\n)[{_CONTROLS}]")
_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LATIN_1 = 0xFF
HIDDEN = "***"
"""What stands for a secret wherever one would be shown."""


def visible(text: str) -> str:
    r"""Return a text with its control characters as escapes, such as \x1b."""
    return _INVISIBLE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return _SHORT_ESCAPES.get(match[0]) or (f"\\x{code:02x}" if code <= _LATIN_1 else f"\\u{code:04x}")


def escape_controls(_: Any, __: str, entry: EventDict) -> EventDict:
    """Make the control characters in an entry visible: in its names, and in its values however deep.

    A traceback keeps its lines, but none of them begins where an entry could.
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
    return "\n".join(f"  {line}" for line in _INVISIBLE_IN_TRACEBACK.sub(_escape, str(value)).split("\n"))


def hide_secrets(url: str) -> str:
    """Return a URL without anything that can be a secret: what stands before its last @, and its query."""
    scheme, separator, rest = url.partition("://")
    if not separator:  # maybe a password, a colon and a host
        return f"{url.partition(':')[0] if re.match('[A-Za-z][A-Za-z0-9+.-]*:', url) else HIDDEN}:"
    _, at, shown = rest.rpartition("@")
    return f"{scheme}://{HIDDEN + at if at else ''}{re.split('[?#]', shown, maxsplit=1)[0]}"


def start_logging() -> None:
    """Log to standard error: for people on a terminal, else one JSON object a line."""
    # Tracebacks without the values of variables: those can be secrets.
    for_people = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer: Processor = for_people if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            escape_controls,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    root = logging.getLogger()
    # Called again, it replaces its handler: two would log every entry of a library twice.
    root.handlers[:] = [handler for handler in root.handlers if not isinstance(handler, _Others)]
    root.addHandler(_Others(logging.WARNING))


class _Others(logging.Handler):
    """Logs what libraries have to say as entries like ours."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)
