"""Patterns of all kinds, of values of all kinds: what is wrong with them can always be told."""

import json
from decimal import Decimal
from typing import Any

import hypothesis
from hypothesis import strategies as st

from eventscache.query.expectations import parse_expectations
from eventscache.query.pattern import parse_pattern
from tests.support.fuzz import fuzz

PARTS = st.sampled_from(["a", "b", "0", "1", "00", "-1", "\u0661", "\ud800", "", "9" * 20, "7" * 5000])
NAMES = st.lists(PARTS, min_size=1, max_size=18).map(".".join)
NUMBERS = st.sampled_from(
    [1, 10**18, -1, 1.5, 1e308, 5e-324, Decimal("1e999999"), Decimal("-1e-999999"), Decimal("1.10")]
)
TEXTS = st.text(st.characters(exclude_categories=()), max_size=5)
ANY_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | NUMBERS | TEXTS
VALUES = st.recursive(
    ANY_SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=12
)
OPERATORS = {
    **dict.fromkeys(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"], ANY_SCALARS),
    **dict.fromkeys(["$in", "$nin"], st.lists(ANY_SCALARS, max_size=3)),
    "$exists": st.booleans(),
    "$type": st.sampled_from(["object", "array", "string", "number", "integer", "boolean", "null", "int", ["bool"]]),
    "$regex": st.sampled_from(["a", "^(a|b)*$", "\ud800", "[^a]", ""]),
    "$size": st.integers(0, 3) | st.just({"$gt": 1}),
}


def with_patterns(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(inner, min_size=1, max_size=3)
    operators = dict.fromkeys(("$not", "$contains", "$elemMatch"), inner) | dict.fromkeys(["$and", "$or"], lists)
    objects = st.fixed_dictionaries({}, optional={**OPERATORS, **operators, "$$a": inner, "$options": st.just("i")})
    return lists | st.dictionaries(NAMES, inner, max_size=3) | objects


ANY_PATTERN = st.recursive(ANY_SCALARS, with_patterns, max_leaves=12)


@fuzz
@hypothesis.given(ANY_PATTERN, VALUES)
def test_any_json_is_a_pattern_or_a_value_error(pattern: Any, value: Any) -> None:
    try:
        parsed = parse_pattern(pattern)
    except ValueError:
        return
    assert parsed.matches(value) is not bool(parsed.mismatches(value))
    outcome = parse_expectations({"expect": [{"match": pattern}]}).evaluate([value])
    assert outcome.passed is parsed.matches(value)
    assert json.dumps(outcome.to_json(), ensure_ascii=False).encode()
