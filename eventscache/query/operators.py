"""The operators of patterns that look at one value, and hold no patterns themselves."""

import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from eventscache.query.json_values import MISSING, kind_of, same
from eventscache.query.regex import searcher

Test = Callable[[Any], bool]
"""Tells whether a value, or `MISSING`, passes."""

_TYPES: Final = ("object", "array", "string", "number", "integer", "boolean", "null")
_OTHER_NAMES: Final = {"bool": "boolean", "int": "integer", "long": "integer", "double": "number"}  # MongoDB's
_ORDERED: Final = ("number", "string")


def equals(operand: Any) -> Test:
    """Return the test of `$eq`: the whole value, without further names or elements."""
    return lambda value: same(value, operand)


def differs(operand: Any) -> Test:
    """Return the test of `$ne`; a missing value differs from every value."""
    return lambda value: not same(value, operand)


def one_of(operand: Any) -> Test:
    """Return the test of `$in`. Raises `ValueError` if the operand is no array."""
    options = _array(operand)
    return lambda value: any(same(value, option) for option in options)


def none_of(operand: Any) -> Test:
    """Return the test of `$nin`; a missing value is none of them. Raises `ValueError` if the operand is no array."""
    found = one_of(operand)
    return lambda value: not found(value)


def exists(operand: Any) -> Test:
    """Return the test of `$exists`: true for any value, also null. Raises `ValueError` if the operand is no boolean."""
    if not isinstance(operand, bool):
        raise ValueError("takes true or false")  # noqa: TRY004 - every fault of a pattern is a ValueError
    return lambda value: (value is not MISSING) is operand


def of_type(operand: Any) -> Test:
    """Return the test of `$type`: JSON Schema's names, or an array of them. Raises `ValueError` for others."""
    names = operand if isinstance(operand, list) else [operand]
    kinds = {_OTHER_NAMES.get(name, name) for name in names if isinstance(name, str)}
    if not names or len(kinds - {*_TYPES}) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"takes one or an array of {', '.join(_TYPES)}")
    return lambda value: kind_of(value) in kinds or ("integer" in kinds and _is_whole(value))


def _is_whole(value: Any) -> bool:
    # The remainder of a decimal with a large exponent has too many digits.
    if isinstance(value, Decimal):
        return value.is_finite() and value == value.to_integral_value()
    return kind_of(value) == "number" and value % 1 == 0


def ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any], Test]:
    """Return what makes the tests of `$gt` and the like: of numbers by value, of texts by code points.

    So times of one form are compared well. A value of another kind fails. Raises `ValueError` for any other operand.
    """

    def make(operand: Any) -> Test:
        kind = kind_of(operand)
        if kind not in _ORDERED:
            raise ValueError("takes a number or a text")
        return lambda value: kind_of(value) == kind and compare(value, operand)

    return make


def matches_regex(operand: Any, options: Any) -> Test:
    """Return the test of `$regex` with its `$options`. Raises `ValueError` as `searcher` does."""
    if not isinstance(operand, str) or not isinstance(options, str):
        raise ValueError("takes a text, as $options does")  # noqa: TRY004 - as above
    search = searcher(operand, options)
    return lambda value: isinstance(value, str) and search(value)


def _array(operand: Any) -> list[Any]:
    if not isinstance(operand, list):
        raise ValueError("takes an array")  # noqa: TRY004 - as above
    return operand


TESTS: Final[dict[str, Callable[[Any], Test]]] = {
    "$eq": equals,
    "$ne": differs,
    "$gt": ordered(operator.gt),
    "$gte": ordered(operator.ge),
    "$lt": ordered(operator.lt),
    "$lte": ordered(operator.le),
    "$in": one_of,
    "$nin": none_of,
    "$exists": exists,
    "$type": of_type,
}
"""By operator, what makes its test of an operand, or raises `ValueError` with what it takes."""
