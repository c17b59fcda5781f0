"""Parsers of single values from the file, the environment or the command line.

Each returns the value in the type of its setting, or raises `ConfigError` that says what the value must be. The caller
names the setting.
"""

import re
from collections.abc import Callable
from typing import Any

from eventscache.errors import ConfigError
from eventscache.masking.field_paths import parse_path

Parser = Callable[[Any], Any]

DEFAULT_TTL_MINUTES = 7 * 24 * 60

# YAML 1.1
_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_MOST_TTL_MINUTES = 52_560_000  # a hundred years


def parse_string(value: Any) -> str:
    """Return a string."""
    if not isinstance(value, str):
        raise ConfigError(f"must be a string (in quotes), not {value!r}")
    return value


def parse_strings(value: Any) -> tuple[str, ...]:
    """Return the strings of a list, or of a comma-separated string, without empty ones."""
    entries = value.split(",") if isinstance(value, str) else value
    if not isinstance(entries, list):
        raise ConfigError("must be a list of strings")
    return tuple(text for text in (parse_string(entry).strip() for entry in entries) if text)


def parse_paths(value: Any) -> tuple[str, ...]:
    """Return field paths, in the syntax of `eventscache.masking.field_paths`."""
    paths = parse_strings(value)
    for path in paths:
        parse_path(path)
    return paths


def parse_paths_or_boolean(value: Any) -> tuple[str, ...] | bool:
    """Return field paths, or true or false."""
    try:
        return parse_boolean(value)
    except ConfigError:
        if not isinstance(value, str | list):
            raise ConfigError(f"must be true, false or a list of paths, not {value!r}") from None
        return parse_paths(value)


def parse_boolean(value: Any) -> bool:
    """Return true or false, in any spelling of YAML 1.1."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _BOOLEANS:
        return _BOOLEANS[value.lower()]
    raise ConfigError(f"must be true or false, not {value!r}")


def whole_number(least: int, most: int = 2**52) -> Parser:
    """Return a parser of whole numbers from `least` to `most`, both included; also written as a string."""

    def parse(value: Any) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,16}", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ConfigError(f"must be a whole number from {least} to {most}, not {value!r}")
        return value

    return parse


def parse_ttl_minutes(value: Any) -> int:
    """Return minutes; for Jitsu's 0, which means for ever, the default: every key must expire."""
    minutes: int = whole_number(0, _MOST_TTL_MINUTES)(value)
    return minutes or DEFAULT_TTL_MINUTES


def parse_prefix(value: Any) -> str:
    """Return a prefix of storage keys: 1 to 64 characters that no key layout uses for itself."""
    if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", parse_string(value)):
        raise ConfigError("must be 1 to 64 letters, digits, or any of _ . : -")
    return str(value)


def redact_value(fault: Exception) -> str:
    """Return the message of a parser's error without the value that it quotes, which may be a secret."""
    return re.sub(r", not .*", "", str(fault), flags=re.DOTALL)
