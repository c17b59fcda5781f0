"""The names of the columns that Jitsu makes of the fields that one path matches."""

import re
from collections.abc import Iterable


class ColumnPattern:
    """Matches the columns of a path, without case: levels are joined by underscores, and so is what lies below a field.

    Jitsu also turns every character that is no letter or digit into an underscore. All places that the path can have
    reached are followed at once, so a name costs its length times the parts of the path, whatever it holds.
    """

    def __init__(self, parts: Iterable[str]) -> None:
        self._parts = [part if part in {"*", "**"} else _compiled(part) for part in parts]
        self._names = [part for part in self._parts if not isinstance(part, str)]

    def matches(self, column: str) -> bool:
        """Whether a column holds a field of the path, or one below it."""
        column += "_"  # so that the last level ends like the others
        if not all(name.search(column) for name in self._names):
            return False
        starts = [index + 1 for index, character in enumerate(column) if character == "_"]
        reached = [0]
        for part in self._parts:
            if not reached:
                return False
            if isinstance(part, str):
                reached = _after_levels(reached, starts, optional=part == "**")
            else:
                reached = [match.end() for start in reached if (match := part.match(column, start))]
        return bool(reached)


def _after_levels(reached: list[int], starts: list[int], *, optional: bool) -> list[int]:
    """Return where the next level can start after one level or more, or with `optional` after none; all ascending."""
    first = reached[0]
    later = [start for start in starts if start >= first + 2]  # a level has at least one character
    if not optional:
        return later
    return [*(start for start in reached if start < first + 2), *later]


def _compiled(name: str) -> re.Pattern[str]:
    """Return a pattern for a level and the underscore that ends it."""
    return re.compile(re.sub(r"\W", ".", name) + "_", re.IGNORECASE | re.DOTALL)
