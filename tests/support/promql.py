"""Which series an expression of Prometheus reads; that its syntax is right, promtool checks."""

import re
from collections.abc import Mapping
from typing import NamedTuple

_TEXT = r'"(?:[^"\\]|\\.)*"'
_MATCHER = re.compile(rf"(\w+)\s*(=~|!~|!=|=)\s*({_TEXT})")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^()]*)\)")
# A name, and what follows it: a parenthesis after a function, or matchers.
_NAME = re.compile(rf"(?<![\w:.$])([A-Za-z_:][\w:]*)\s*(\(|\{{(?:[^\"{{}}]|{_TEXT})*\}})?")
_WORDS = {"and", "or", "unless", "offset", "bool", "by", "without", "on", "ignoring", "group_left", "group_right"}


class Matcher(NamedTuple):
    """A condition on a label; `operator` is one of `=`, `!=`, `=~` and `!~`."""

    label: str
    operator: str
    value: str

    @property
    def values(self) -> list[str]:
        """The values that it names: several are separated by `|`."""
        return self.value.split("|") if self.operator.endswith("~") else [self.value]


class Selector(NamedTuple):
    """The name of some series, and the conditions on their labels."""

    name: str
    matchers: tuple[Matcher, ...] = ()

    def selects(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether it selects a series; it may have conditions of equality only."""
        assert all(matcher.operator == "=" for matcher in self.matchers)
        return name == self.name and all(labels.get(label) == value for label, _, value in self.matchers)


def selectors_of(expression: str) -> list[Selector]:
    """Return what an expression selects, in its order."""
    return [
        Selector(name, tuple(Matcher(label, operator, text[1:-1]) for label, operator, text in _MATCHER.findall(more)))
        for name, more in _NAME.findall(_GROUPING.sub(" ", expression))
        if more != "(" and name not in _WORDS
    ]


def grouping_labels_of(expression: str) -> set[str]:
    """Return the labels by which an expression groups or joins series."""
    return {label for labels in _GROUPING.findall(expression) for label in re.findall(r"\w+", labels)}
