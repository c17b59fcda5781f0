from typing import Any

import pytest

from eventscache.query.expected_count import ExpectedCount, parse_count


@pytest.mark.parametrize(
    ("written", "expected", "shown"),
    [
        (0, ExpectedCount(0, 0), 0),
        (3, ExpectedCount(3, 3), 3),
        ({"$gte": 1}, ExpectedCount(1), {"$gte": 1}),
        ({"$gt": 1}, ExpectedCount(2), {"$gte": 2}),
        ({"$lt": 3}, ExpectedCount(0, 2), {"$lte": 2}),
        ({"$gte": 0}, ExpectedCount(0), {"$gte": 0}),
        ({"$gt": 1, "$gte": 1, "$lt": 9, "$lte": 5}, ExpectedCount(2, 5), {"$gte": 2, "$lte": 5}),
        ({"$eq": 2, "$lte": 5}, ExpectedCount(2, 2), 2),
    ],
)
def test_a_count_is_a_number_or_bounds(written: Any, expected: ExpectedCount, shown: Any) -> None:
    assert parse_count(written, "$") == expected
    assert expected.to_json() == shown


@pytest.mark.parametrize("written", [-1, 1.5, True, None, "1", [], {}, {"$ne": 1}, {"$gte": "1"}, {"$gte": -1}])
def test_another_count_is_a_fault(written: Any) -> None:
    with pytest.raises(ValueError, match=r"^\$\.count: takes a number, or any of \$eq"):
        parse_count(written, "$.count")


@pytest.mark.parametrize("written", [{"$lt": 0}, {"$gt": 1, "$lt": 2}, {"$eq": 1, "$gte": 2}])
def test_a_count_that_no_number_has_is_a_fault(written: Any) -> None:
    with pytest.raises(ValueError, match="no number is both"):
        parse_count(written, "$")
