"""Times as text: parsed as clients write them, formatted as Jitsu writes them."""

import datetime as dt
import re
from functools import lru_cache

_MOST_DIGITS = 15  # of epoch milliseconds: until the year 33658
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)

_DURATION = re.compile(r"([0-9]{1,6})(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_duration(text: str) -> int:
    """Return the seconds of a duration such as 90s, 15m, 12h or 2d; raise `ValueError` for anything else."""
    found = _DURATION.fullmatch(text)
    if not found:
        raise ValueError("not a duration")
    return int(found[1]) * _SECONDS[found[2]]


def parse_time(text: str) -> int:
    """Return Unix microseconds for RFC 3339 or epoch milliseconds; raise `ValueError` for anything else."""
    if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS:
        return int(text) * 1000
    if not _RFC_3339.fullmatch(text):
        raise ValueError("not a time of RFC 3339")
    moment = dt.datetime.fromisoformat(text.upper())
    return (moment - dt.datetime.fromtimestamp(0, dt.UTC)) // dt.timedelta(microseconds=1)


def format_time(unix_us: int) -> str:
    """Return a time in UTC as Jitsu writes it: always with six decimals. Raises `ValueError` after the year 9999."""
    seconds, microseconds = divmod(unix_us, 1_000_000)
    return f"{_second(seconds)}.{microseconds:06}Z"


@lru_cache(4)
def _second(unix_seconds: int) -> str:
    return dt.datetime.fromtimestamp(unix_seconds, dt.UTC).isoformat()[:-6]
