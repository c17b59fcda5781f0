"""JSON values as Python's builtins: their kinds, when two are the same, and paths to them."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

_MOST_LEVELS = 16  # of one dotted name
_INDEX = re.compile(r"[0-9]{1,15}")  # no array has more elements; and Python reads no number of any length


class Missing:
    """The type of `MISSING`."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()
"""What stands where an object has no such member. It is no JSON value, and not null."""


def kind_of(value: Any) -> str:
    """Return JSON's name of the kind: object, array, string, number, boolean or null; `missing` for `MISSING`."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float | Decimal):
        return "number"
    return {dict: "object", list: "array", str: "string", type(None): "null"}.get(type(value), "missing")


def same(first: Any, second: Any) -> bool:
    """Tell whether two values are equal: numbers by value (1 and 1.0), objects whatever the order of their names.

    A boolean is no number, so true is not 1. Whole numbers are compared exactly, however long they are.
    """
    kind = kind_of(first)
    if kind != kind_of(second):
        return False
    if kind == "array":
        return len(first) == len(second) and all(map(same, first, second))
    if kind == "object":
        return first.keys() == second.keys() and all(same(value, second[name]) for name, value in first.items())
    return bool(first == second)


def deeper(path: str, part: str | int) -> str:
    """Return the path of a member, as JSONPath writes it: `$.original.items[0]["a name"]`."""
    if isinstance(part, int):
        return f"{path}[{part}]"
    return (
        f"{path}.{part}" if part.replace(".", "_").replace("$", "_").isidentifier() else f"{path}[{json.dumps(part)}]"
    )


def member(value: Any, name: str) -> Any:
    """Return the member of an object with a name, else `MISSING`.

    A name with dots in it counts as one name and as several levels: Jitsu flattens `user.email` to one name. In an
    array an element has its number as its name.
    """
    if isinstance(value, dict) and name in value:
        return value[name]
    parts = name.split(".")
    return next(_below(value, parts), MISSING) if 1 < len(parts) <= _MOST_LEVELS else MISSING


def _below(value: Any, parts: list[str]) -> Iterator[Any]:
    """Yield each member at a path. No value is reached twice, so it takes no longer than the value is large."""
    if not parts:
        yield value
    elif isinstance(value, list) and _INDEX.fullmatch(parts[0]):
        for element in value[int(parts[0]) :][:1]:
            yield from _below(element, parts[1:])
    elif isinstance(value, dict):
        for count in range(len(parts), 0, -1):
            if (name := ".".join(parts[:count])) in value:
                yield from _below(value[name], parts[count:])
