"""Single values of Jitsu's YAML and JSON as texts."""

import math
from decimal import Decimal
from typing import Any

from eventscache.errors import ConfigError

_WHOLE_NUMBERS = range(-(2**63), 2**64)  # those that Go's YAML reader keeps exactly; it takes others for fractions


def scalar_text(value: Any) -> str:
    """Return a text, or a number as its text, as Jitsu does where it wants a text.

    Raises `ConfigError`, which does not hold the value: it may be a secret.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        if isinstance(value, int) and value in _WHOLE_NUMBERS:
            return str(value)
        number = _as_float(value)
        if math.isfinite(number):
            digits = format(Decimal(repr(number)), "f")
            return digits.rstrip("0").rstrip(".") if "." in digits else digits
    raise ConfigError("must be a string (in quotes)")


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf
