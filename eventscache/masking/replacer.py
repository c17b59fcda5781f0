"""Replaces values in texts: the leftmost first, and of several at one place the longest."""

import heapq
from bisect import bisect_left
from collections.abc import Callable, Mapping

Replace = Callable[[str], str]

_SHORT = 3  # characters: a value of at most that many is replaced only as a word of its own
_MOST_QUOTED = 200
_MOST_SEARCHED = 1_000_000  # values times characters of the texts
_PREFIX = 16  # characters of a value that are compared without being counted
_MOST_COMPARED = 10_000_000  # characters beyond the prefixes


def quoted_values(values: Mapping[str, str], text: str) -> list[str] | None:
    """Return the values that a text holds, the longest first, or None if it would take long to replace them."""
    if len(values) * len(text) > _MOST_SEARCHED:
        return None
    quoted = []
    compared = 0
    for value in values:
        prefix = value[:_PREFIX]
        if starts := text.count(prefix):
            compared += starts * _overlaps(prefix) * len(value)
            if compared > _MOST_COMPARED:
                return None
            if value in text:
                quoted.append(value)
    return sorted(quoted, key=len, reverse=True) if len(quoted) <= _MOST_QUOTED else None


def _overlaps(prefix: str) -> int:
    """Return how many times a prefix can begin within the length of itself, which `str.count` counts as one."""
    length = len(prefix)
    period = next((shift for shift in range(1, length) if prefix.startswith(prefix[shift:])), length)
    return -(-length // period)


class Replacer:
    """Replaces values that `quoted_values` returned, each with what `replacements` has for it."""

    def __init__(self, quoted: list[str], replacements: Mapping[str, str]) -> None:
        self._quoted = quoted
        self._lengths = [-len(value) for value in quoted]
        self._replacements = replacements

    def __call__(self, text: str) -> str:
        """Return the text with all values replaced; a text that is one value is always replaced."""
        if whole := self._replacements.get(text):
            return whole
        first = bisect_left(self._lengths, -len(text))  # the values before are longer than the text
        found = [
            (start, number)
            for number, value in enumerate(self._quoted[first:], first)
            if (start := text.find(value)) >= 0
        ]
        return self._replaced(text, found) if found else text

    def _replaced(self, text: str, found: list[tuple[int, int]]) -> str:
        """Replace values, of each of which the first place is `found`; the next one is looked up when it is needed."""
        heapq.heapify(found)
        pieces: list[str] = []
        position = 0
        while found:
            start, number = found[0]
            value = self._quoted[number]
            if start >= position and (len(value) > _SHORT or _is_word(text, start, start + len(value))):
                pieces += (text[position:start], self._replacements[value])
                position = start + len(value)
            start = text.find(value, max(start + 1, position))
            if start < 0:
                heapq.heappop(found)
            else:
                heapq.heapreplace(found, (start, number))
        return "".join((*pieces, text[position:]))


def _is_word(text: str, start: int, end: int) -> bool:
    """Whether no letter, digit or underscore is before or after a part of a text."""
    return not (start and _in_word(text[start - 1])) and not (end < len(text) and _in_word(text[end]))


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"
