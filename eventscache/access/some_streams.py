"""Some streams, by namespaces and by patterns of their ids."""

import dataclasses
from functools import cached_property
from typing import NamedTuple

from eventscache.stream import Namespace, Stream

WILDCARD = "*"


class Pattern(NamedTuple):
    """A text with at least one `*`, cut at each of them."""

    start: str
    middle: tuple[str, ...]
    end: str

    @classmethod
    def parse(cls, text: str) -> "Pattern":
        """Return the pattern that a text is."""
        start, *middle, end = text.split(WILDCARD)
        return cls(start, tuple(middle), end)

    def matches(self, text: str) -> bool:
        """Tell whether the whole text matches.

        Each part between two `*` is taken where it comes first, and nothing is tried twice: the time grows no faster
        than the text.
        """
        last = len(text) - len(self.end)
        if len(self.start) > last or not text.startswith(self.start) or not text.endswith(self.end):
            return False
        at = len(self.start)
        for part in self.middle:
            found = text.find(part, at, last)
            if found < 0:
                return False
            at = found + len(part)
        return True


@dataclasses.dataclass(frozen=True)
class SomeStreams:
    """The streams of some namespaces whose id matches one of the patterns `ids`.

    In a pattern `*` stands for any characters, none too. Every other character stands for itself, in the same case.
    """

    ids: tuple[str, ...]
    namespaces: tuple[Namespace, ...] = tuple(Namespace)

    def __contains__(self, stream: object) -> bool:
        if not isinstance(stream, Stream) or stream.namespace not in self.namespaces:
            return False
        return stream.id in self._plain or (
            # Most ids end here: thousands of them are looked at together.
            stream.id.startswith(self._starts) and any(pattern.matches(stream.id) for pattern in self._patterns)
        )

    def __str__(self) -> str:
        return f"{' '.join(self.ids)} of {' and '.join(self.namespaces)}"

    @cached_property
    def _plain(self) -> frozenset[str]:
        return frozenset(pattern for pattern in self.ids if WILDCARD not in pattern)

    @cached_property
    def _patterns(self) -> tuple[Pattern, ...]:
        return tuple(Pattern.parse(pattern) for pattern in self.ids if WILDCARD in pattern)

    @cached_property
    def _starts(self) -> tuple[str, ...]:
        return tuple({pattern.start for pattern in self._patterns})
