"""The options of the command as parameters of the API."""

import pytest

from eventscache.stream import Namespace
from eventscache.tail.query import TailQuery, start_time

NOW_US = 1_795_468_733_000_000  # 2026-11-23T21:18:53Z


def test_what_is_not_given_is_not_sent() -> None:
    assert TailQuery().encode() == "namespace=destination&history=20"


def test_every_option_has_its_parameter_and_texts_are_escaped() -> None:
    query = TailQuery(Namespace.TOKEN, ("a b", "ü"), "error", "page view", "50%", ("a ~ &x=1", "-b = +"), "2026", 7)

    assert query.encode() == (
        "namespace=token&ids=a%20b&ids=%C3%BC&status=error&type=page%20view&q=50%25&start=2026"
        "&field=a%20~%20%26x%3D1&field=-b%20%3D%20%2B&history=7"
    )


def test_bytes_that_are_not_utf_8_are_sent_as_they_are() -> None:
    assert "q=%FF" in TailQuery(text="\udcff").encode()


@pytest.mark.parametrize(
    ("since", "start"),
    [
        ("90s", "2026-11-23T21:17:23.000000Z"),
        ("15m", "2026-11-23T21:03:53.000000Z"),
        ("2d", "2026-11-21T21:18:53.000000Z"),
        ("999999d", "1970-01-01T00:00:00.000000Z"),
        ("2026-11-23T21:18:53+01:00", "2026-11-23T21:18:53+01:00"),
        ("1795468733000", "1795468733000"),
    ],
)
def test_a_start_is_a_duration_before_now_or_a_time(since: str, start: str) -> None:
    assert start_time(since, NOW_US) == start


@pytest.mark.parametrize("since", ["", "m", "15", "-5m", "1.5h", "yesterday", "2026-11-23", "15m "])
def test_what_is_no_time_is_refused(since: str) -> None:
    if since == "15":  # milliseconds since 1970, as the API reads it
        assert start_time(since, NOW_US) == "15"
        return
    with pytest.raises(ValueError, match="time"):
        start_time(since, NOW_US)
