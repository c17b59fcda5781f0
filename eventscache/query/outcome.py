"""What became of expectations, in a form to show: bounded, however large the events are."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from eventscache.query.json_values import MISSING
from eventscache.query.pattern import Mismatch

MOST_ENTRIES: Final = 50
"""How many mismatches, or places of events, one entry of an outcome lists."""
LONGEST_VALUE: Final = 300
"""How many characters of a value are shown; of a longer one that is no text, those of its JSON."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """The event that misses an expectation by the least."""

    index: int
    uid: str
    mismatches: Sequence[Mismatch]

    def to_json(self) -> dict[str, Any]:
        """Return its place, and its differences."""
        shown = [_difference(mismatch) for mismatch in self.mismatches[:MOST_ENTRIES]]
        return {
            "index": self.index,
            "uid": shortened(self.uid),
            "mismatches": len(self.mismatches),
            "diff": shown,
        }


@dataclass(frozen=True, slots=True)
class Unmet:
    """An expectation that other than the expected number of events match, which are in `places` by index and uid."""

    name: str
    count: int | dict[str, int]
    matched: int
    places: Sequence[tuple[int, str]]
    nearest: Nearest | None

    def to_json(self) -> dict[str, Any]:
        """Return it with the first places; `nearest` is null if no event comes near, or if too many match."""
        return {
            "name": shortened(self.name),
            "count": self.count,
            "matched": self.matched,
            "events": _places(self.places),
            "nearest": self.nearest and self.nearest.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Unwanted:
    """What no event should match, and the events that do, by index and uid."""

    name: str
    matched: int
    places: Sequence[tuple[int, str]]

    def to_json(self) -> dict[str, Any]:
        """Return it with the first places."""
        return {"name": shortened(self.name), "matched": self.matched, "events": _places(self.places)}


@dataclass(frozen=True, slots=True)
class Disorder:
    """An expectation whose last match is at `index`, not behind that of the one it should come after."""

    name: str
    index: int
    after: str
    after_index: int

    def to_json(self) -> dict[str, Any]:
        """Return it as an object: the event at `index` was expected `after` that at `after_index`."""
        return {
            "name": shortened(self.name),
            "index": self.index,
            "after": shortened(self.after),
            "after_index": self.after_index,
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is wrong with a number of events; `may_still_pass` tells whether waiting for more can help."""

    events: int
    unmet: Sequence[Unmet]
    unwanted: Sequence[Unwanted]
    out_of_order: Sequence[Disorder]
    may_still_pass: bool

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.unmet or self.unwanted or self.out_of_order)

    def to_json(self) -> dict[str, Any]:
        """Return it as builtins that are valid JSON. Places are indices among the events, the oldest is 0."""
        return {
            "passed": self.passed,
            "may_still_pass": self.may_still_pass,
            "events": self.events,
            "unmet": [one.to_json() for one in self.unmet],
            "unwanted": [one.to_json() for one in self.unwanted],
            "out_of_order": [one.to_json() for one in self.out_of_order],
        }


def shortened(value: Any) -> Any:
    """Return a value that is short as it is, and else the beginning of its text or its JSON, with `…` at its end."""
    if isinstance(value, str):
        return _beginning(value)
    text = ""
    # Piece by piece, as a large value would take long to write; decimals are written as texts.
    for piece in json.JSONEncoder(ensure_ascii=False, default=str).iterencode(value):
        text += piece[: LONGEST_VALUE + 1]
        if len(text) > LONGEST_VALUE:
            return _beginning(text)
    return json.loads(_sendable(text))


def _beginning(text: str) -> str:
    shown = _sendable(text[:LONGEST_VALUE])
    return shown if len(text) <= LONGEST_VALUE else f"{shown}…"


def _sendable(text: str) -> str:
    """Return a text with U+FFFD for each half of a surrogate pair, which JSON cannot carry in UTF-8."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _difference(mismatch: Mismatch) -> dict[str, Any]:
    """Return a mismatch as an object, without `actual` if nothing is there."""
    shown = {"path": shortened(mismatch.path), "expected": shortened(mismatch.expected)}
    return shown if mismatch.actual is MISSING else {**shown, "actual": shortened(mismatch.actual)}


def _places(places: Sequence[tuple[int, str]]) -> list[dict[str, Any]]:
    return [{"index": index, "uid": shortened(uid)} for index, uid in places[:MOST_ENTRIES]]
