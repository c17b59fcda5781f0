"""How single values of settings are read; each parser raises `ConfigError` with what is wrong."""

import re
from collections.abc import Callable
from typing import Any

from eventscache.errors import ConfigError
from eventscache.masking.field_paths import parse_path

Parser = Callable[[Any], Any]

DEFAULT_TTL_MINUTES = 7 * 24 * 60


def parse_text(value: Any) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise ConfigError(f"must be a text (in quotes), not {value!r}")
    return value


def parse_texts(value: Any) -> tuple[str, ...]:
    """Return the texts of a list, or of a comma-separated text, without empty ones."""
    entries = value.split(",") if isinstance(value, str) else value
    if not isinstance(entries, list):
        raise ConfigError("must be a list of texts")
    return tuple(text for text in (parse_text(entry).strip() for entry in entries) if text)


def parse_paths(value: Any) -> tuple[str, ...]:
    """Return paths of fields, checked."""
    texts = parse_texts(value)
    for text in texts:
        parse_path(text)
    return texts


def parse_paths_or_all(value: Any) -> tuple[str, ...] | bool:
    """Return paths of fields, or true or false."""
    try:
        return parse_boolean(value)
    except ConfigError:
        if not isinstance(value, str | list):
            raise ConfigError(f"must be true, false or a list of paths, not {value!r}") from None
        return parse_paths(value)


def parse_boolean(value: Any) -> bool:
    """Return true or false, in any spelling of YAML 1.1."""
    known = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in known:
        return known[value.lower()]
    raise ConfigError(f"must be true or false, not {value!r}")


def whole_number(least: int, most: int = 2**52) -> Parser:
    """Return a parser of whole numbers from `least` to `most`, also written as a text."""

    def parse(value: Any) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,16}", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ConfigError(f"must be a whole number from {least} to {most}, not {value!r}")
        return value

    return parse


def parse_minutes(value: Any) -> int:
    """Jitsu's 0 means for ever, which no key may last: it counts as not set."""
    minutes: int = whole_number(0, 52_560_000)(value)
    return minutes or DEFAULT_TTL_MINUTES


def parse_prefix(value: Any) -> str:
    """Return a prefix of storage keys, checked."""
    if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", parse_text(value)):
        raise ConfigError("must be 1 to 64 letters, digits, or any of _ . : -")
    return str(value)


def without_value(fault: Exception) -> str:
    """Return what is wrong with a secret, without the secret."""
    return re.sub(r", not .*", "", str(fault), flags=re.DOTALL)
