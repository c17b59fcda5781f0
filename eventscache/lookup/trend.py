"""How often something comes now, compared with the period before."""

from typing import Final, Literal

from eventscache.storage.messages import PERIOD_US, ExtraInfo

Trend = Literal["new", "rising", "steady", "falling", "quiet"]
"""Came for the first time in this period or the one before; comes more, as, or less often; did not come in either."""

_FACTOR: Final = 2
_LEAST_DIFFERENCE: Final = 3  # events: a few more or less are chance


def counts_now(info: ExtraInfo, now_us: int) -> tuple[int, int]:
    """Return how many events the current period has, and the one before: what was recent grows older by itself."""
    passed = now_us // PERIOD_US - info.last_us // PERIOD_US
    if passed <= 0:
        return info.recent, info.earlier
    return (0, info.recent) if passed == 1 else (0, 0)


def trend(first_us: int, recent: int, earlier: int, now_us: int) -> Trend:
    """Return the trend of what came `recent` times in the current period, and `earlier` times in the one before.

    Only a part of the current period is over: it is compared with the same part of the one before.
    """
    if not recent and not earlier:
        return "quiet"
    if first_us // PERIOD_US >= now_us // PERIOD_US - 1:
        return "new"
    expected = earlier * (now_us % PERIOD_US) / PERIOD_US
    if abs(recent - expected) < _LEAST_DIFFERENCE:
        return "steady"
    if recent >= _FACTOR * expected:
        return "rising"
    return "falling" if recent * _FACTOR <= expected else "steady"
