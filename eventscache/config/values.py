"""Parsers of single values from the file, the environment or the command line.

Each returns the value in the type of its setting, or raises `ConfigError` that says what the value must be. The caller
names the setting.
"""

import math
import re
from collections.abc import Callable
from typing import Any

from eventscache.access.api_keys import check_address
from eventscache.access.scalars import scalar_text
from eventscache.errors import ConfigError
from eventscache.masking.field_paths import parse_path

Parser = Callable[[Any], Any]

DEFAULT_TTL_MINUTES = 7 * 24 * 60

# Those of YAML 1.1 and of Go.
_BOOLEANS = {
    **dict.fromkeys(("true", "t", "1", "yes", "y", "on"), True),
    **dict.fromkeys(("false", "f", "0", "no", "n", "off"), False),
}
_MOST_TTL_MINUTES = 52_560_000  # a hundred years
_SHOWN_CHARACTERS = 80


def parse_string(value: Any) -> str:
    """Return a string."""
    if not isinstance(value, str):
        raise ConfigError(f"must be a string (in quotes), not {_shown(value)}")
    return value


def parse_token(value: Any) -> str:
    """Return a token of Jitsu's, which may be written as a number."""
    token = scalar_text(value).strip()
    if not token:
        raise ConfigError("holds no token, but blanks")
    return token


def parse_tokens(value: Any) -> tuple[str, ...]:
    """Return the tokens of a list, or of a comma-separated string: none for an empty list, else at least one."""
    tokens = parse_strings(value)
    if value and not tokens:
        raise ConfigError("holds no token, but blanks")
    return tokens


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
            raise ConfigError(f"must be true, false or a list of paths, not {_shown(value)}") from None
        return parse_paths(value)


def parse_boolean(value: Any) -> bool:
    """Return true or false, in any spelling of YAML 1.1."""
    if isinstance(value, bool):
        return value
    known = _BOOLEANS.get(str(value).strip().lower()) if isinstance(value, str | int) else None
    if known is None:
        raise ConfigError(f"must be true or false, not {_shown(value)}")
    return known


def whole_number(least: int, most: int = 2**52, *, zero: int | None = None) -> Parser:
    """Return a parser of whole numbers from `least` to `most`, both included; also written as a string.

    `zero` is what 0 means, where Jitsu takes it for another number.
    """

    def parse(value: Any) -> int:
        number = value
        if (isinstance(value, str) and re.fullmatch(r"[0-9]{1,16}", value.strip(), re.ASCII)) or (
            isinstance(value, float) and value.is_integer()
        ):
            number = int(value)
        if zero is not None and number == 0 and not isinstance(number, bool):
            return zero
        if not isinstance(number, int) or isinstance(number, bool) or not least <= number <= most:
            raise ConfigError(f"must be a whole number from {least} to {most}, not {_shown(value)}")
        return number

    return parse


def parse_ratio(value: Any) -> float:
    """Return a number from 0 to 1, both included; also written as a string."""
    try:
        ratio = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        ratio = math.nan
    if not 0 <= ratio <= 1:
        raise ConfigError(f"must be a number from 0 to 1, such as 0.01, not {_shown(value)}")
    return ratio


def parse_share(value: Any) -> float:
    """Return a part of 1, such as 0.05; also written as a percentage, such as 5%."""
    text = value.strip() if isinstance(value, str) else ""
    try:
        return parse_ratio(float(text[:-1]) / 100 if text.endswith("%") else value)
    except (ConfigError, ValueError):
        raise ConfigError(f"must be a number from 0 to 1, such as 0.05, or a percentage, not {_shown(value)}") from None


def parse_choice(*choices: str) -> Parser:
    """Return a parser of one of some words."""

    def parse(value: Any) -> str:
        if value not in choices:
            raise ConfigError(f"must be {' or '.join(choices)}, not {_shown(value)}")
        return str(value)

    return parse


def parse_secret_address(value: Any) -> str:
    """Return an http(s):// address, of which any part may be a secret: errors do not quote it."""
    return check_address(parse_string(value).strip())


def parse_web_address(value: Any) -> str:
    """Return an http(s):// address without a slash at its end; it may have a path, and nothing that can be a secret.

    Errors do not quote it.
    """
    address = check_address(parse_string(value).strip()) if isinstance(value, str) else ""
    if not address or "@" in address or "?" in address or "#" in address:
        raise ConfigError("must be http(s)://host[:port] with or without a path, and without a password and a query")
    return address.rstrip("/")


def parse_ttl_minutes(value: Any) -> int:
    """Return minutes; for Jitsu's 0, which means for ever, the default: every key must expire."""
    minutes: int = whole_number(0, _MOST_TTL_MINUTES)(value)
    return minutes or DEFAULT_TTL_MINUTES


def parse_prefix(value: Any) -> str:
    """Return a prefix of storage keys: 1 to 64 characters that no key layout uses for itself."""
    if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", parse_string(value)):
        raise ConfigError("must be 1 to 64 letters, digits, or any of _ . : -")
    return str(value)


def parse_event_path(value: Any) -> str:
    """Return a path in an event, such as `properties.kind`, of at most 16 names; or an empty text."""
    path = parse_string(value)
    if path and not re.fullmatch(r"[^.]+(\.[^.]+){0,15}", path):
        raise ConfigError("must be 1 to 16 names, separated by dots, as user.email has")
    return path


def _shown(value: Any) -> str:
    """Return a value as an error quotes it: not all of a long one."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, or a list in itself
        text = f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


def redact_value(fault: Exception) -> str:
    """Return the message of a parser's error without the value that it quotes, which may be a secret."""
    return re.sub(r", not .*", "", str(fault), flags=re.DOTALL)
