"""Filters by a field of an event, in the words of the page: `user.email ~ jitsu.com`, `-price > 10`, `kind = (a, b)`.

An expression is a path, an operator and a value. Spaces around the operator may be left out.

- Path: names and numbers of elements, such as `user.email`, `items[0].sku`, `["odd key"].x`.
- Operators: `=` and `!=` compare texts, and numbers by their value; `~` asks for a part of a text, in upper or lower
  case; `<` and `>` compare numbers.
- Value: a text or a number, or several of them in parentheses, of which one has to match. In quotation marks it is a
  JSON string, and may hold anything. A string and a number with the same characters are the same.
- A minus before the path selects the events that would not be selected without it.

A field is looked for in the original, then in what a destination made of it: in its object, and in the columns of its
table row.
"""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

import msgspec

from eventscache.event import Event
from eventscache.query.members import any_value, decoded, text_of

MOST_FIELDS: Final = 20
"""How many expressions a filter has at most."""
LONGEST_EXPRESSION: Final = 1000
"""How many characters one has at most."""
_STEP = re.compile(r'\.?([A-Za-z_$][\w$-]*)|\[(\d{1,9})\]|\[("(?:[^"\\]|\\.)*")\]', re.DOTALL)
_OPERATOR = re.compile(r"\s*(!=|=|~|<|>)\s*")
_ITEM = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^,]*?)\s*(?:,|$)', re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?=\.?\d)\d{0,400}(?:\.\d{0,400})?(?:[eE][+-]?\d{1,15})?")

_string = msgspec.json.Decoder(str).decode


class _Column(msgspec.Struct):
    field: str = ""
    value: msgspec.Raw = msgspec.Raw()


class _Result(msgspec.Struct):
    record: list[_Column] = []


_result = msgspec.json.Decoder(_Result).decode
_Value = bytes | msgspec.Raw


class FieldFilter(NamedTuple):
    """A field whose value, compared by `operator` to one of `values`, selects an event; `negated`: the other events."""

    path: tuple[str, ...]
    written_path: str
    operator: str
    values: tuple[str, ...]
    negated: bool = False

    def matches(self, event: Event) -> bool:
        """Tell whether an event is selected."""
        differs = self.operator == "!="
        compare = _COMPARE["=" if differs else self.operator]

        def passes(value: _Value) -> bool:
            found = _text(value)
            return any(compare(found, wanted) for wanted in self.values)

        return (self._is_found(event, passes) is not differs) is not self.negated

    def _is_found(self, event: Event, passes: Callable[[_Value], bool]) -> bool:
        """Tell whether a value of the field passes; only the first place of the event counts that has the field."""
        for value_of in (self._in_original, self._in_success, self._in_columns):
            is_there = False

            def noted(value: _Value) -> bool:
                nonlocal is_there
                is_there = True
                return passes(value)

            if value_of(event, noted):
                return True
            if is_there:
                return False
        return False

    def _in_original(self, event: Event, test: Callable[[_Value], bool]) -> bool:
        return any_value(event.original, self.path, test)

    def _in_success(self, event: Event, test: Callable[[_Value], bool]) -> bool:
        return any_value(event.success, self.path, test)

    def _in_columns(self, event: Event, test: Callable[[_Value], bool]) -> bool:
        result = decoded(_result, event.success) if event.success else None
        return any(
            test(column.value) for column in (result.record if result else ()) if column.field == self.written_path
        )


def parse_field_filter(text: str) -> FieldFilter:
    """Return the filter that an expression writes. Raises `ValueError` that says what is wrong."""
    if len(text) > LONGEST_EXPRESSION:
        raise ValueError(f"at most {LONGEST_EXPRESSION} characters")
    expression = text.strip()
    negated = expression.startswith("-")
    expression = expression[negated:].lstrip()
    path, end = _path(expression)
    operator = _OPERATOR.match(expression, end)
    if not path or not operator:
        raise ValueError(f"not an expression such as user.email ~ jitsu.com: {text[:100]!a}")
    values = tuple(_values(expression[operator.end() :]))
    if not values or (len(values) == 1 and not values[0] and not expression.endswith('"')):
        raise ValueError(f"no value behind {operator[1]}: {text[:100]!a}")
    if operator[1] in "<>" and any(_number(value) is None for value in values):
        raise ValueError(f"{operator[1]} compares numbers: {text[:100]!a}")
    return FieldFilter(path, expression[:end], operator[1], values, negated)


def _path(text: str) -> tuple[tuple[str, ...], int]:
    """Return the names of the path at the beginning of a text, and where it ends."""
    names: list[str] = []
    at = 0
    while (step := _STEP.match(text, at)) and step.end() > at:
        names.append(step[1] or step[2] or decoded(_string, step[3].encode()) or "")
        at = step.end()
    return tuple(names), at


def _values(text: str) -> Iterator[str]:
    if not (text.startswith("(") and text.endswith(")")):
        yield _unquoted(text)
        return
    inside, at = text[1:-1], 0
    while at < len(inside) and (item := _ITEM.match(inside, at)):
        yield _unquoted(item[1])
        at = item.end()


def _unquoted(text: str) -> str:
    found = decoded(_string, text.encode(errors="surrogatepass")) if text.startswith('"') else None
    return text if found is None else found


def _text(value: _Value) -> str:
    """Return a value as the page shows it: a string as what it means, everything else as it is written."""
    found = text_of(value)
    return bytes(value).decode(errors="replace") if found is None else found


def _number(text: str) -> Decimal | None:
    text = text.strip()
    try:
        return Decimal(text) if _NUMBER.fullmatch(text) else None
    except InvalidOperation:  # its exponent has too many digits
        return None


def _equal(found: str, wanted: str) -> bool:
    return found == wanted or _order(found, wanted) == 0


def _order(found: str, wanted: str) -> int | None:
    """Return -1, 0 or 1 for a number that is less, equal or greater; None if one is no number."""
    one, other = _number(found), _number(wanted)
    return None if one is None or other is None else (one > other) - (one < other)


_COMPARE: dict[str, Callable[[str, str], bool]] = {
    "=": _equal,
    "~": lambda found, wanted: wanted.casefold() in found.casefold(),
    ">": lambda found, wanted: _order(found, wanted) == 1,
    "<": lambda found, wanted: _order(found, wanted) == -1,
}
