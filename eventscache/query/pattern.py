"""Patterns of JSON values: the value itself with what does not matter left out, or with operators as MongoDB has them.

    {"event_type": "purchase"}                        an object with at least this; further names are ignored
    {"user": {"email": {"$regex": "@jitsu[.]com$"}}}  the same at any depth
    {"user.email": {"$exists": true}}                 a name with dots counts as one name and as several levels
    {"price": {"$gte": 1.10, "$lt": 10}}              several operators: all of them
    {"tags": ["a", {"$type": "string"}]}              an array of as many elements, each matching
    {"items": {"$contains": {"sku": "A1"}}}           an array that holds a match; or a text with it
    {"items": {"$size": 2}}                           how many elements; or `{"$size": {"$gte": 1}}`
    {"$or": [{"error": "x"}, {"skip": "y"}]}          also $and and $not
    {"$$browser": "Firefox"}                          `$$` begins a name that begins with `$`

A scalar matches what is equal: numbers by value (1 and 1.0), and true is not 1. Null matches null, not what is
missing: that is `{"$exists": false}`. What says no (`$ne`, `$nin`, `$not`) matches what is missing too. `$eq` compares
whole objects and arrays. `$elemMatch` is `$contains` for arrays only. Unlike in MongoDB, a scalar does not match an
array that holds it. The others are `$gt`, `$gte`, `$lt`, `$lte` (numbers or texts), `$in`, and `$type` (a name of JSON
Schema's).

Values are what `json.loads` returns. Numbers keep all their digits with `parse_float=decimal.Decimal`; then parse
patterns so too, as the float 1.1 is not exactly 1.1.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from eventscache.query.budget import Budget
from eventscache.query.json_values import MISSING, deeper, kind_of, member
from eventscache.query.operators import TESTS, Test, equals, matches_regex

MOST_LEVELS: Final = 50
"""How deep a pattern may be nested."""
MOST_NODES: Final = 1000
"""How many values a pattern may hold: objects, arrays and scalars."""


class Mismatch(NamedTuple):
    """A place where a value is not as the pattern says; `expected` is that part of the pattern.

    `path` is that in the value, such as `$.original.items[0]`; `actual` is `MISSING` if nothing is there.
    """

    path: str
    expected: Any
    actual: Any


class Pattern(ABC):
    """Matches JSON values, in time in proportion to the value times the pattern.

    What that takes is spent of a budget, if one is given; it raises `BudgetSpent`.
    """

    def matches(self, value: Any, budget: Budget | None = None) -> bool:
        """Tell whether a value matches."""
        return next(self.faults(value, "$", budget or Budget()), None) is None

    def mismatches(self, value: Any, budget: Budget | None = None) -> list[Mismatch]:
        """Return all that is not as it should be; the fewer, the nearer is the value. Empty if the value matches."""
        return [*self.faults(value, "$", budget or Budget())]

    def faults(self, value: Any, path: str, budget: Budget) -> Iterator[Mismatch]:
        """Yield the mismatches of the value at a path, or of `MISSING`."""
        budget.spend(characters=len(path))
        return self._faults(value, path, budget)

    @abstractmethod
    def _faults(self, value: Any, path: str, budget: Budget) -> Iterator[Mismatch]:
        """Yield the mismatches; the step itself is counted."""


def parse_pattern(value: Any, path: str = "$") -> Pattern:
    """Return the pattern that a JSON value writes.

    Raises `ValueError`, with the path of the fault below `path`, for an operator that is not known or has a wrong
    operand, for more than `MOST_LEVELS` levels and more than `MOST_NODES` values.
    """
    _check_size(value, path)
    return _parse(value, path)


class _Passes(Pattern):
    def __init__(self, test: Test, expected: Any) -> None:
        self._test = test
        self._expected = expected
        self._values = sum(map(len, levels(expected)))  # an operand may hold many, and each is compared

    def _faults(self, value: Any, path: str, budget: Budget) -> Iterator[Mismatch]:
        budget.spend(self._values, _length(value))
        if not self._test(value):
            yield Mismatch(path, self._expected, value)


class _WithPattern(Pattern):
    def __init__(self, pattern: Pattern, expected: Any) -> None:
        self._pattern = pattern
        self._expected = expected


class _Not(_WithPattern):
    def _faults(self, value: Any, path: str, budget: Budget) -> Iterator[Mismatch]:
        if self._pattern.matches(value, budget):
            yield Mismatch(path, self._expected, value)


class _Size(_WithPattern):
    def _faults(self, value: Any, path: str, budget: Budget) -> Iterator[Mismatch]:
        if not isinstance(value, list) or not self._pattern.matches(len(value), budget):
            yield Mismatch(path, self._expected, value)


class _Has(_WithPattern):
    """An array with an element that matches; or a text with another one in it, if there is one to look for."""

    def __init__(self, pattern: Pattern, expected: Any, text: str | None = None) -> None:
        super().__init__(pattern, expected)
        self._text = text

    def _faults(self, value: Any, path: str, budget: Budget) -> Iterator[Mismatch]:
        if not self._is_in(value, budget):
            yield Mismatch(path, self._expected, value)

    def _is_in(self, value: Any, budget: Budget) -> bool:
        if isinstance(value, str) and self._text is not None:
            budget.spend(characters=len(value))
            return self._text in value
        return isinstance(value, list) and any(self._pattern.matches(element, budget) for element in value)


class _Members(Pattern):
    def __init__(self, members: dict[str, Pattern]) -> None:
        self._members = members
        self._steps = sum(name.count(".") for name in members)  # each dot is one more way to read a name

    def _faults(self, value: Any, path: str, budget: Budget) -> Iterator[Mismatch]:
        budget.spend(self._steps)
        is_object = isinstance(value, dict)
        found = is_object
        # Of no object each member is missing, so what is not there at all is never nearer than what is half right.
        for name, pattern in self._members.items():
            for fault in pattern.faults(member(value, name), deeper(path, name), budget):
                found = True
                yield fault
        if not found:
            yield Mismatch(path, {"$type": "object"}, value)


class _Elements(Pattern):
    def __init__(self, elements: list[Pattern]) -> None:
        self._elements = elements

    def _faults(self, value: Any, path: str, budget: Budget) -> Iterator[Mismatch]:
        given = value if isinstance(value, list) else []
        if given is not value or len(given) != len(self._elements):
            yield Mismatch(path, {"$size": len(self._elements)}, value)
        for index, pattern in enumerate(self._elements):
            element = given[index] if index < len(given) else MISSING
            yield from pattern.faults(element, deeper(path, index), budget)


class _All(Pattern):
    def __init__(self, patterns: list[Pattern]) -> None:
        self._patterns = patterns

    def _faults(self, value: Any, path: str, budget: Budget) -> Iterator[Mismatch]:
        for pattern in self._patterns:
            yield from pattern.faults(value, path, budget)


class _Any(Pattern):
    """Tells of the alternative that is nearest."""

    def __init__(self, patterns: list[Pattern]) -> None:
        self._patterns = patterns

    def _faults(self, value: Any, path: str, budget: Budget) -> Iterator[Mismatch]:
        nearest: list[Mismatch] | None = None
        for pattern in self._patterns:
            faults = [*pattern.faults(value, path, budget)]
            if not faults:
                return
            nearest = faults if nearest is None or len(faults) < len(nearest) else nearest
        yield from nearest or ()


def _parse(value: Any, path: str) -> Pattern:
    if isinstance(value, dict):
        return _parse_object(value, path)
    if isinstance(value, list):
        return _Elements([_parse(element, deeper(path, index)) for index, element in enumerate(value)])
    return _Passes(equals(value), value)


def _parse_object(value: dict[str, Any], path: str) -> Pattern:
    operators = {name: operand for name, operand in value.items() if _is_operator(name)}
    parts = [_parse_operator(name, operators, path) for name in operators if name != "$options"]
    if "$options" in operators and "$regex" not in operators:
        raise ValueError(f"{deeper(path, '$options')}: belongs to $regex, which is not there")
    members = {
        name.removeprefix("$") if name.startswith("$$") else name: _parse(operand, deeper(path, name))
        for name, operand in value.items()
        if name not in operators
    }
    if members or not parts:
        parts.insert(0, _Members(members))
    return parts[0] if len(parts) == 1 else _All(parts)


def _is_operator(name: str) -> bool:
    return name.startswith("$") and not name.startswith("$$")


def _parse_operator(name: str, operators: dict[str, Any], path: str) -> Pattern:
    operand, place = operators[name], deeper(path, name)
    if name in _WITH_PATTERNS:
        return _WITH_PATTERNS[name](name, operand, place)
    try:
        if name == "$regex":
            expected = {key: operators[key] for key in ("$regex", "$options") if key in operators}
            return _Passes(matches_regex(operand, operators.get("$options", "")), expected)
        if name in TESTS:
            return _Passes(TESTS[name](operand), {name: operand})
    except ValueError as fault:
        raise ValueError(f"{place}: {fault}") from None
    known = sorted([*TESTS, *_WITH_PATTERNS, "$regex"])
    raise ValueError(
        f"{place}: no such operator; there are {', '.join(known)}, and $$ begins a name that begins with $"
    )


def _parse_list(operand: Any, path: str) -> list[Pattern]:
    if not isinstance(operand, list) or not operand:
        raise ValueError(f"{path}: takes an array of one or more patterns")
    return [_parse(element, deeper(path, index)) for index, element in enumerate(operand)]


def _not(name: str, operand: Any, path: str) -> Pattern:
    return _Not(_parse(operand, path), {name: operand})


def _and(_: str, operand: Any, path: str) -> Pattern:
    return _All(_parse_list(operand, path))


def _or(_: str, operand: Any, path: str) -> Pattern:
    return _Any(_parse_list(operand, path))


def _size(name: str, operand: Any, path: str) -> Pattern:
    if kind_of(operand) not in {"number", "object"}:
        raise ValueError(f'{path}: takes a number, or operators such as {{"$gte": 1}}')
    return _Size(_parse(operand, path), {name: operand})


def _contains(name: str, operand: Any, path: str) -> Pattern:
    return _Has(_parse(operand, path), {name: operand}, operand if isinstance(operand, str) else None)


def _elem_match(name: str, operand: Any, path: str) -> Pattern:
    return _Has(_parse(operand, path), {name: operand})


_WITH_PATTERNS: Final[dict[str, Callable[[str, Any, str], Pattern]]] = {
    "$not": _not,
    "$and": _and,
    "$or": _or,
    "$size": _size,
    "$contains": _contains,
    "$elemMatch": _elem_match,
}


def _check_size(value: Any, path: str) -> None:
    """Raise `ValueError` for a pattern that is too deep or too large, before anything walks down into it."""
    nodes = 0
    for depth, level in enumerate(levels(value)):
        nodes += len(level)
        if nodes > MOST_NODES:
            raise ValueError(f"{path}: a pattern holds at most {MOST_NODES} values")
        if depth == MOST_LEVELS:
            raise ValueError(f"{path}: a pattern has at most {MOST_LEVELS} levels")


def levels(value: Any) -> Iterator[list[Any]]:
    """Yield a value, then what is in it, then what is in these, until there is nothing more."""
    level = [value]
    while level:
        yield level
        level = [inner for outer in level for inner in _inside(outer)]


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value.values()]
    return value if isinstance(value, list) else []


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str) else 0
