"""Paths of fields, such as `user.email`, `items.*.name` and `**.phone`, and what is to be done with what they hit."""

import enum
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from eventscache.errors import ConfigError

_PART = re.compile(r"\*\*?|[^.*\[\]/\\\"'\x00-\x1f\x7f]+")
_REMEMBERED_STEPS = 4096
_REMEMBERED_LENGTH = 64

Places = frozenset[tuple[int, int]]
"""Where a field stands in the paths: for each that may still hit, its number, and how many parts are done with."""


class Action(enum.IntEnum):
    """What is done with a field; of several the greatest counts."""

    NOTHING = 0
    TRUNCATE = 1
    HASH = 2
    DROP = 3


class Step(NamedTuple):
    """Where a field stands, and what is done with it."""

    places: Places
    action: Action


def parse_path(text: str) -> tuple[str, ...]:
    """Return the parts of a path. Raises `ConfigError`."""
    parts = tuple(text.split("."))
    if not all(map(_PART.fullmatch, parts)) or parts == ("$",):
        raise ConfigError(f"{text!r} is no path such as user.email, items.*.name or **.email")
    # Whatever is below a field goes with it, so that at the end any depth is as good as one level.
    return (*parts[:-1], "*") if parts[-1] == "**" else parts


class FieldPaths:
    """Follows all paths at once, from a field to the fields in it.

    A part is a name, `*` for one level, or `**` for any number of them, none included. An array is no level: its
    elements stand where it stands; but each can be named as well, by its number from 0 or by `*`. A name with dots in
    it also counts as that many levels. Raises `ConfigError`.
    """

    def __init__(self, paths: Mapping[Action, Iterable[str]]) -> None:
        self._paths = [(parse_path(text), action) for action, texts in paths.items() for text in texts]
        self._numbered = any(part.isdigit() for parts, _ in self._paths for part in parts)
        self._remembered = lru_cache(_REMEMBERED_STEPS)(self._enter)
        self.root: Places = frozenset(place for number in range(len(self._paths)) for place in self._reach(number, 0))
        names = {_last_name(parts) for parts, _ in self._paths}
        self.last_names: frozenset[str] | None = None if "" in names else frozenset(names)
        """Text that holds none of them has none of the fields; None if there is no telling."""
        self._columns = [(re.compile(_column(parts), re.IGNORECASE), action) for parts, action in self._paths]

    def __bool__(self) -> bool:
        return bool(self._paths)

    def enter(self, places: Places, name: str) -> Step:
        """Return what a member of an object is to the paths."""
        return (self._remembered if len(name) <= _REMEMBERED_LENGTH else self._enter)(places, name)

    def enter_element(self, places: Places, number: int) -> Step:
        """Return what an element of an array is to the paths."""
        step = self.enter(places, str(number) if self._numbered else "")
        return Step(places | step.places, step.action)

    def column_action(self, name: str) -> Action:
        """Return what is done with a field that Jitsu made a column of: levels are joined by underscores there."""
        return max((action for pattern, action in self._columns if pattern.fullmatch(name)), default=Action.NOTHING)

    def _enter(self, places: Places, name: str) -> Step:
        reached, action = self._follow(places, name)
        if "." in name:
            within = places
            for part in name.split("."):
                within, found = self._follow(within, part)
                action = max(action, found)
            reached |= within
        return Step(reached, action)

    def _follow(self, places: Places, name: str) -> Step:
        reached: set[tuple[int, int]] = set()
        action = Action.NOTHING
        for number, done in places:
            parts, own = self._paths[number]
            if parts[done] == "**":
                reached.update(self._reach(number, done))
            elif parts[done] in {"*", name}:
                if done + 1 < len(parts):
                    reached.update(self._reach(number, done + 1))
                else:
                    action = max(action, own)
        return Step(frozenset(reached), action)

    def _reach(self, number: int, done: int) -> Iterator[tuple[int, int]]:
        """Yield a place, and those behind it that no level is needed for."""
        parts, _ = self._paths[number]
        yield number, done
        while parts[done] == "**":
            done += 1
            yield number, done


def _last_name(parts: tuple[str, ...]) -> str:
    return next((part for part in reversed(parts) if not part.startswith("*") and not part.isdigit()), "")


def _column(parts: tuple[str, ...]) -> str:
    # What is no letter or digit, Jitsu makes an underscore too.
    levels = (
        ("(?:.+_)?" if part == "**" else (".+" if part == "*" else re.sub(r"\W", ".", part)) + "_") for part in parts
    )
    return f"{''.join(levels).removesuffix('_')}(?:_.*)?"
