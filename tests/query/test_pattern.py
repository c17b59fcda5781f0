import json
import sys
from decimal import Decimal
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from eventscache.query.budget import Budget, BudgetSpent
from eventscache.query.json_values import MISSING
from eventscache.query.pattern import MOST_LEVELS, MOST_NODES, Mismatch, parse_pattern

EVENT: dict[str, Any] = {
    "original": {
        "event_type": "purchase",
        "user": {"email": "a@jitsu.com", "name": None},
        "eventn_ctx.event_id": "x1",
        "price": 1.1,
        "big": 12345678901234567890123,
        "yes": True,
        "one": 1,
        "items": [{"sku": "A1", "n": 2}, {"sku": "B2", "n": 5}],
        "tags": ["a", "b"],
        "$browser": "Firefox",
        "half": "\ud800!",
    },
    "timestamp": "2026-01-01T12:00:00.000000Z",
}

MATCHES: list[Any] = [
    {},
    {"original": {"event_type": "purchase"}},
    {"original": {"user": {"email": "a@jitsu.com", "name": None}}},
    {"original.user.email": "a@jitsu.com"},
    {"original": {"eventn_ctx.event_id": "x1", "items.1.sku": "B2"}},
    {"original": {"price": Decimal("1.10").__float__(), "one": 1.0, "big": 12345678901234567890123}},
    {"original": {"tags": ["a", {"$type": "string"}], "items": [{"sku": "A1"}, {"n": 5}]}},
    {"original": {"$$browser": "Firefox"}},
    {"original": {"price": {"$gte": 1.1, "$lt": 2, "$gt": 1, "$lte": 1.1, "$eq": 1.1, "$ne": 2}}},
    {"timestamp": {"$gte": "2026-01-01T00:00:00.000000Z", "$lt": "2026-01-02"}},
    {"original": {"one": {"$in": [2, 1.0]}, "yes": {"$nin": [1, 0]}, "no": {"$nin": [1]}}},
    {"error": {"$exists": False}, "original": {"$exists": True, "user": {"name": {"$exists": True}}}},
    {"error": {"$ne": "x"}, "skip": {"$not": {"$regex": "x"}}},
    {"original": {"user": {"email": {"$regex": "@JITSU[.]com$", "$options": "i"}}, "half": {"$regex": "!$"}}},
    {"original": {"event_type": {"$regex": "nothing|PURCH", "$options": "i"}}},
    {"original": {"items": {"$size": 2, "$contains": {"sku": "B2", "n": {"$gt": 4}}}}},
    {"original": {"items": {"$size": {"$gte": 1, "$lte": 2}, "$elemMatch": {"sku": "A1"}}}},
    {"original": {"tags": {"$contains": "b"}, "event_type": {"$contains": "chase"}}},
    {"original": {"tags": {"$eq": ["a", "b"]}, "user": {"$eq": {"name": None, "email": "a@jitsu.com"}}}},
    {"$or": [{"error": "x"}, {"original.one": 1}], "$and": [{"original": {}}, {"timestamp": {"$type": "string"}}]},
    {"original": {"one": {"$type": "integer"}, "price": {"$type": ["null", "double"]}, "yes": {"$type": "bool"}}},
    {"original": {"tags": {"$type": "array"}, "user": {"$type": "object", "name": {"$type": "null"}}}},
]


@pytest.mark.parametrize("pattern", MATCHES, ids=str)
def test_a_value_matches_what_is_said_of_it(pattern: Any) -> None:
    assert parse_pattern(pattern).mismatches(EVENT) == []
    assert parse_pattern(pattern).matches(EVENT)
    assert not parse_pattern({"$not": pattern}).matches(EVENT)


@pytest.mark.parametrize(
    ("pattern", "path", "actual"),
    [
        ({"original": {"event_type": "Purchase"}}, "$.original.event_type", "purchase"),
        ({"original": {"yes": 1}}, "$.original.yes", True),
        ({"original": {"one": True}}, "$.original.one", 1),
        ({"original": {"one": "1"}}, "$.original.one", 1),
        ({"original": {"big": 12345678901234567890124}}, "$.original.big", 12345678901234567890123),
        ({"original": {"big": 1.2345678901234567890123e22}}, "$.original.big", 12345678901234567890123),
        ({"error": None}, "$.error", MISSING),
        ({"original": {"user.name": {"$exists": False}}}, "$.original.user.name", None),
        ({"original": {"a b": 1}}, '$.original["a b"]', MISSING),
        ({"original": {"tags": ["a", "c"]}}, "$.original.tags[1]", "b"),
        ({"original": {"tags": ["a"]}}, "$.original.tags", ["a", "b"]),
        ({"original": {"tags": "a"}}, "$.original.tags", ["a", "b"]),
        ({"original": {"tags": {"$contains": "c"}}}, "$.original.tags", ["a", "b"]),
        ({"original": {"event_type": {"$elemMatch": "purchase"}}}, "$.original.event_type", "purchase"),
        ({"original": {"tags": {}}}, "$.original.tags", ["a", "b"]),
        ({"error": {}}, "$.error", MISSING),
        ({"original": {"one": {"$gt": "0"}}}, "$.original.one", 1),
        ({"original": {"yes": {"$gte": 0}}}, "$.original.yes", True),
        ({"error": {"$regex": ""}}, "$.error", MISSING),
        ({"error": {"$size": 0}}, "$.error", MISSING),
        ({"original": {"yes": {"$type": "number"}}}, "$.original.yes", True),
        ({"original": {"price": {"$type": "integer"}}}, "$.original.price", 1.1),
        ({"original": {"user": {"$eq": {"name": None}}}}, "$.original.user", {"email": "a@jitsu.com", "name": None}),
        ({"original": {"absent": {"inner": {"$exists": False}}}}, "$.original.absent", MISSING),
    ],
    ids=str,
)
def test_a_mismatch_says_where_a_value_is_different(pattern: Any, path: str, actual: Any) -> None:
    # when
    mismatches = parse_pattern(pattern).mismatches(EVENT)

    # then
    assert [(mismatch.path, mismatch.actual) for mismatch in mismatches] == [(path, actual)]
    assert not parse_pattern(pattern).matches(EVENT)
    assert parse_pattern({"$not": pattern}).matches(EVENT)


def test_each_operator_that_fails_is_expected_by_itself() -> None:
    assert parse_pattern({"n": {"$gt": 5, "$lt": 9, "$ne": 1}}).mismatches({"n": 1}) == [
        Mismatch("$.n", {"$gt": 5}, 1),
        Mismatch("$.n", {"$ne": 1}, 1),
    ]


def test_what_is_missing_is_never_nearer_than_what_is_half_right() -> None:
    pattern = parse_pattern({"user": {"name": "a", "email": "b", "id": 1}})

    half_right = pattern.mismatches({"user": {"name": "a", "email": "x", "id": 2}})
    missing = pattern.mismatches({"user": "a"})

    assert len(half_right) == 2
    assert [mismatch.path for mismatch in missing] == ["$.user.name", "$.user.email", "$.user.id"]


def test_of_alternatives_the_nearest_is_told() -> None:
    pattern = parse_pattern({"$or": [{"a": 1, "b": 1}, {"c": 1}]})

    assert pattern.mismatches({"a": 2}) == [Mismatch("$.c", 1, MISSING)]


def test_numbers_keep_their_digits_as_decimals() -> None:
    # given
    def read(text: str) -> Any:
        return json.loads(text, parse_float=Decimal)

    # then
    assert parse_pattern(read('{"n":1.10,"i":{"$type":"integer"}}')).matches(read('{"n":1.1,"i":1e999999}'))
    assert not parse_pattern(read("0.10000000000000000001")).matches(read("0.1"))
    assert parse_pattern(read('{"$gt":0.5}')).matches(read("1"))


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ({"a": {"$near": 1}}, r"^\$\.a\.\$near: no such operator; there are \$and, "),
        ({"$": 1}, r"no such operator"),
        ({"a": [{"$exists": 1}]}, r"^\$\.a\[0\]\.\$exists: takes true or false"),
        ({"$gt": None}, r"\$gt: takes a number or a text"),
        ({"$lte": True}, r"\$lte: takes a number or a text"),
        ({"$in": "a"}, r"\$in: takes an array"),
        ({"$nin": {}}, r"\$nin: takes an array"),
        ({"$or": []}, r"\$or: takes an array of one or more patterns"),
        ({"$and": {"a": 1}}, r"\$and: takes an array of one or more patterns"),
        ({"$and": [{"a": {"$or": 1}}]}, r"^\$\.\$and\[0\]\.a\.\$or: takes an array"),
        ({"$size": "2"}, r"\$size: takes a number, or operators"),
        ({"$type": "text"}, r"\$type: takes one or an array of object, array"),
        ({"$type": []}, r"\$type: takes one"),
        ({"$type": [1]}, r"\$type: takes one"),
        ({"$regex": 1}, r"\$regex: takes a text"),
        ({"$regex": "a", "$options": 1}, r"\$regex: takes a text"),
        ({"$regex": "a", "$options": "x"}, r'\$regex: the options of a regular expression are among "ims"'),
        ({"$options": "i"}, r"\$options: belongs to \$regex"),
        ({"$regex": "("}, r"\$regex: not a regular expression of RE2: missing \)"),
        ({"$regex": "(?=a)"}, r"\$regex: not a regular expression of RE2"),
        ({"$regex": "a" * 1001}, r"\$regex: a regular expression has at most 1000 characters"),
        ({"$regex": "((a{100}){100}){100}"}, r"\$regex: not a regular expression of RE2"),
        ({"$not": {"\ud800": {"$no": 1}}}, r'^\$\.\$not\["\\ud800"\]\.\$no: no such'),
    ],
)
def test_a_fault_of_a_pattern_is_named_with_its_path(pattern: Any, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        parse_pattern(pattern)


def test_a_path_begins_where_the_pattern_stands() -> None:
    with pytest.raises(ValueError, match=r"^\$\.expect\[0\]\.match\.a\.\$no: "):
        parse_pattern({"a": {"$no": 1}}, "$.expect[0].match")


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_a_pattern_has_bounds() -> None:
    parse_pattern(nested(MOST_LEVELS))
    parse_pattern([1] * (MOST_NODES - 1))
    parse_pattern("a")
    with pytest.raises(ValueError, match=r"^\$: a pattern has at most 50 levels"):
        parse_pattern(nested(MOST_LEVELS + 1))
    with pytest.raises(ValueError, match="at most 50 levels"):
        parse_pattern({"$eq": nested(100_000)})
    with pytest.raises(ValueError, match=r"^\$: a pattern holds at most 1000 values"):
        parse_pattern({"$in": [1] * MOST_NODES})


def test_without_re2_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)

    with pytest.raises(ValueError, match=r"\$regex: regular expressions need RE2: install eventscache\[regex\]"):
        parse_pattern({"$regex": "a"})
    assert parse_pattern({"a": 1}).matches({"a": 1})


def test_an_expression_that_takes_others_forever_is_searched_once() -> None:
    assert not parse_pattern({"$regex": "^(a+)+$"}).matches("a" * 100_000 + "b")


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ({"$contains": {"n": 1}}, [{}] * 300),
        ({"$elemMatch": {"$and": [*[{}] * 50, 1]}}, [{}] * 40),
        ({"$in": [*range(900)]}, 900),
        ({"$contains": "b"}, "a" * 50_000),
        ({"$regex": "b"}, "a" * 50_000),
        ({"$eq": [0] * 900}, [0] * 900),
        ({f"a{number}" + ".a" * 15: 1 for number in range(100)}, {}),
        ({"b" * 50_000: 1}, {}),
        ({"$or": [{"$size": 1}] * 300}, []),
    ],
)
def test_a_budget_bounds_what_a_pattern_takes(pattern: Any, value: Any) -> None:
    pattern = parse_pattern({"$not": pattern})

    with pytest.raises(BudgetSpent):
        pattern.mismatches(value, Budget(800))
    assert len(pattern.mismatches(value, Budget(4000))) <= 1


def test_nothing_more_is_spent_of_a_budget_that_was_stopped() -> None:
    budget = Budget()
    budget.spend(10**9)
    budget.stop()

    with pytest.raises(BudgetSpent):
        budget.spend()


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text().filter(lambda n: n[:1] != "$"), inner),
    max_leaves=10,
)


@hypothesis.given(JSON)
def test_any_value_is_a_pattern_of_itself(value: Any) -> None:
    assert parse_pattern(value).matches(value)
    assert parse_pattern({"$eq": value}).matches(value)
    assert parse_pattern({"$contains": value}).matches([1, value])


@hypothesis.given(JSON, JSON)
def test_a_value_matches_exactly_if_it_has_no_mismatch(first: Any, second: Any) -> None:
    pattern = parse_pattern(first)

    assert pattern.matches(second) is not bool(pattern.mismatches(second))
    assert parse_pattern({"$not": first}).matches(second) is not pattern.matches(second)


def test_a_number_of_any_length_is_no_element_of_an_array() -> None:
    for name in ("a.0" + "0" * 5000, "a." + "9" * 5000, "a.\u0661"):
        assert not parse_pattern({name: {"$exists": True}}).matches({"a": [1]})
    assert parse_pattern({"a.00": 1}).matches({"a": [1]})
