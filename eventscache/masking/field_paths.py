"""Field paths, such as `user.email`, `items.*.name` and `**.phone`, and the action for each field they match."""

import enum
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from eventscache.errors import ConfigError
from eventscache.masking.column_pattern import ColumnPattern

_PART = re.compile(r"\*\*?|[^.*\[\]/\\\"'\x00-\x1f\x7f]+")
_CACHED_STEPS = 4096
_MOST_LEVELS_IN_NAME = 500  # as many as `eventscache.max_depth` can allow
_UNNAMED = ""
"""Stands for every name that no path holds: all of them match alike."""

Progress = frozenset[tuple[int, int]]
"""How far paths match a field: for each path that can still match below it, its number and its matched parts."""


class Action(enum.IntEnum):
    """What is done with a field; of several actions the greatest counts."""

    NOTHING = 0
    TRUNCATE = 1
    HASH = 2
    DROP = 3


class Step(NamedTuple):
    """The progress of the paths at a field, and the action for the field itself."""

    progress: Progress
    action: Action


def parse_path(text: str) -> tuple[str, ...]:
    """Return the parts of a path. Raises `ConfigError`."""
    parts = tuple(text.split("."))
    if not all(map(_PART.fullmatch, parts)) or parts == ("$",):
        raise ConfigError(f"{text!r} is no path such as user.email, items.*.name or **.email")
    # An action on a field covers everything below it, so a final ** means the same as one level.
    return (*parts[:-1], "*") if parts[-1] == "**" else parts


class FieldPaths:
    """Matches all paths at once, level by level, from a field to the fields in it.

    A part is a name, `*` for one level, or `**` for any number of them, none included. An array is no level: its
    elements match as the array does; each can also be named by its number from 0 or by `*`. A name with dots in it also
    matches as that many levels; if it has more than any event may have, every path that leads there matches it. Raises
    `ConfigError`.
    """

    def __init__(self, paths: Mapping[Action, Iterable[str]]) -> None:
        self._paths = [(parse_path(text), action) for action, texts in paths.items() for text in texts]
        self._names = {part for parts, _ in self._paths for part in parts if not part.startswith("*")}
        self._numbered = any(map(str.isdigit, self._names))
        self._match = lru_cache(_CACHED_STEPS)(self._uncached_match)
        self.root: Progress = frozenset(
            start for number in range(len(self._paths)) for start in self._skip_any_depth(number, 0)
        )
        names = {_last_name(parts) for parts, _ in self._paths}
        self.last_names: frozenset[str] | None = None if "" in names else frozenset(names)
        """The last name of each path: a text with none of them has none of the fields. None if a path has no name."""
        self._columns = [(ColumnPattern(parts), action) for parts, action in self._paths]

    def __bool__(self) -> bool:
        return bool(self._paths)

    def enter(self, progress: Progress, name: str) -> Step:
        """Return the step to a member of an object."""
        step = self._match(progress, name if name in self._names else _UNNAMED)
        return self._enter_levels(progress, name, step) if "." in name else step

    def enter_element(self, progress: Progress, number: int) -> Step:
        """Return the step to an element of an array."""
        step = self.enter(progress, str(number) if self._numbered else "")
        return Step(progress | step.progress, step.action)

    def column_action(self, name: str) -> Action:
        """Return the action for the column that Jitsu made of a field: there levels are joined by underscores."""
        return max((action for pattern, action in self._columns if pattern.matches(name)), default=Action.NOTHING)

    def _enter_levels(self, progress: Progress, name: str, step: Step) -> Step:
        """Return the step to a member whose name has dots: as one name, which is `step`, and as several levels."""
        if name.count(".") >= _MOST_LEVELS_IN_NAME:
            return Step(progress, max((self._paths[number][1] for number, _ in progress), default=Action.NOTHING))
        within, action = progress, step.action
        for part in name.split("."):
            within, found = self._match(within, part if part in self._names else _UNNAMED)
            action = max(action, found)
        return Step(step.progress | within, action)

    def _uncached_match(self, progress: Progress, name: str) -> Step:
        """Return the step to a field by one name, which is cached: there are as few as there are names in the paths."""
        reached: set[tuple[int, int]] = set()
        action = Action.NOTHING
        for number, matched in progress:
            parts, own = self._paths[number]
            if parts[matched] == "**":
                reached.update(self._skip_any_depth(number, matched))
            elif parts[matched] in {"*", name}:
                if matched + 1 < len(parts):
                    reached.update(self._skip_any_depth(number, matched + 1))
                else:
                    action = max(action, own)
        return Step(frozenset(reached), action)

    def _skip_any_depth(self, number: int, matched: int) -> Iterator[tuple[int, int]]:
        """Yield this progress, and that after each following `**`, which may match no level."""
        parts, _ = self._paths[number]
        yield number, matched
        while parts[matched] == "**":
            matched += 1
            yield number, matched


def _last_name(parts: tuple[str, ...]) -> str:
    return next((part for part in reversed(parts) if not part.startswith("*") and not part.isdigit()), "")
