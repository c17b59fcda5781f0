"""Lists of entries in the configuration, such as those of tokens."""

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from eventscache.errors import ConfigError

_T = TypeVar("_T")


def parse_entries(value: Any, parse_entry: Callable[[Any], _T], form: str) -> Iterator[tuple[int, _T]]:
    """Yield the number and the value of each entry of a list, or of its JSON.

    Raises `ConfigError`: with `form`, which says what is expected, or with the number of the entry at fault. It quotes
    nothing, as that may be a token.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ConfigError(form) from None
    if not isinstance(value, list):
        raise ConfigError(form)
    for number, entry in enumerate(value, 1):
        try:
            parsed = parse_entry(entry)
        except ConfigError as fault:
            raise ConfigError(f"entry {number}: {fault}") from None
        yield number, parsed
