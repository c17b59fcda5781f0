"""How often something comes now."""

import pytest

from eventscache.lookup.trend import counts_now, trend
from eventscache.storage.messages import PERIOD_US, ExtraInfo

NOW = 1000 * PERIOD_US + PERIOD_US // 2  # half of the period is over
LONG_AGO = 0


def info(last_us: int) -> ExtraInfo:
    return ExtraInfo("group:x", 3, 100, LONG_AGO, last_us, recent=7, earlier=5)


@pytest.mark.parametrize(
    ("last_us", "counts"),
    [
        (NOW, (7, 5)),
        (NOW - PERIOD_US // 2, (7, 5)),  # the first moment of this period
        (NOW - PERIOD_US // 2 - 1, (0, 7)),
        (NOW - PERIOD_US, (0, 7)),
        (NOW - 3 * PERIOD_US // 2, (0, 7)),
        (NOW - 3 * PERIOD_US // 2 - 1, (0, 0)),
        (LONG_AGO, (0, 0)),
        (NOW + 9 * PERIOD_US, (7, 5)),  # a clock that is ahead
    ],
)
def test_what_was_recent_grows_older_by_itself(last_us: int, counts: tuple[int, int]) -> None:
    assert counts_now(info(last_us), NOW) == counts


@pytest.mark.parametrize(
    ("first_us", "recent", "earlier", "expected"),
    [
        (LONG_AGO, 0, 0, "quiet"),
        (NOW, 0, 0, "quiet"),
        (NOW, 1, 0, "new"),
        (NOW - PERIOD_US, 9, 900, "new"),
        (NOW - 2 * PERIOD_US, 50, 100, "steady"),
        (LONG_AGO, 50, 100, "steady"),
        (LONG_AGO, 99, 100, "steady"),
        (LONG_AGO, 100, 100, "rising"),
        (LONG_AGO, 1000, 1, "rising"),
        (LONG_AGO, 26, 100, "steady"),
        (LONG_AGO, 25, 100, "falling"),
        (LONG_AGO, 0, 100, "falling"),
        (LONG_AGO, 0, 6, "falling"),
        # A few events more or less are chance.
        (LONG_AGO, 2, 0, "steady"),
        (LONG_AGO, 3, 0, "rising"),
        (LONG_AGO, 0, 5, "steady"),
        (LONG_AGO, 1, 1, "steady"),
    ],
)
def test_the_trend_is_told_by_the_same_part_of_two_periods(
    first_us: int, recent: int, earlier: int, expected: str
) -> None:
    assert trend(first_us, recent, earlier, NOW) == expected


def test_at_the_beginning_of_a_period_nothing_seems_to_fall() -> None:
    assert trend(LONG_AGO, 0, 1000, 1000 * PERIOD_US) == "steady"
