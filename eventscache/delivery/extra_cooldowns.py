"""The cooldowns of one stream's extra collections."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from eventscache.clock import MICROSECONDS
from eventscache.delivery.cooldown import Cooldown
from eventscache.storage.messages import Quota, kind_of

_MINUTE_US = 60 * MICROSECONDS
_MOST_COMBINED = 100


class ExtraKind(NamedTuple):
    """What each extra collection of a kind admits, and how many of the kind a stream has at most."""

    quota: Quota
    most: int


class ExtraCooldowns:
    """The cooldowns of extra collections that got events lately; `kinds` describes their kinds.

    In any minute this process begins at most `most` collections of a kind: made-up names cost the storage little. One
    that is ended gives its place to another.
    """

    __slots__ = ("_begun", "_by_name", "combined", "kinds", "unreported")

    def __init__(self, kinds: Mapping[str, ExtraKind]) -> None:
        self.kinds = kinds
        self.unreported: set[str] = set()
        """Those with limited counts that the storage does not know of."""
        self.combined: dict[tuple[str, ...], Cooldown] = {}
        """By the extra collections of some events: the cooldown of all their collections together, `all` among them.

        It counts what it limits for all of these at once, as most events of a flood need no more; see `settle`.
        """
        self._by_name: dict[str, Cooldown] = {}
        self._begun: dict[str, deque[tuple[int, str]]] = {}  # by kind: when, and the names

    def known(self, name: str) -> Cooldown | None:
        """Return the cooldown of a collection that got events lately."""
        return self._by_name.get(name)

    def limit_locally(self, name: str, count: int, now_us: int) -> bool:
        """Count events as limited if their collection has a cooldown; return whether it has, or may not begin."""
        cooldown = self._by_name.get(name) or self._begin(name, now_us)
        if cooldown is None:
            return True
        if now_us >= cooldown.until_us:
            return False
        cooldown.count_limited(now_us, count)
        self.unreported.add(name)
        return True

    def combine(self, names: tuple[str, ...], all: Cooldown) -> None:
        """Note that events of these collections and of `all` are limited until the first one of these opens."""
        if names and len(self.combined) < _MOST_COMBINED:
            cooldown = self.combined[names] = Cooldown()
            cooldown.until_us = min(all.until_us, *(self._until_us(name) for name in names))

    def _until_us(self, name: str) -> int:
        """Return until when a collection is limited; one that may not begin has no cooldown, and can at any time."""
        return cooldown.until_us if (cooldown := self._by_name.get(name)) else 0

    def settle(self, all: Cooldown) -> None:
        """Give the counts of `combined` to the cooldowns of each collection; the next events combine them anew."""
        combined, self.combined = self.combined, {}
        for names, cooldown in combined.items():
            if cooldown.limited:
                all.add_counts(cooldown.limited)
                for name in names:
                    if known := self._by_name.get(name):
                        known.add_counts(cooldown.limited)
                        self.unreported.add(name)

    @property
    def has_limited_counts(self) -> bool:
        """Whether the storage does not know yet of some events that were limited here."""
        return bool(self.unreported) or any(cooldown.limited for cooldown in self.combined.values())

    def take_unreported(self, has_room: Callable[[str], bool]) -> Iterator[tuple[str, Cooldown]]:
        """Yield the collections with limited counts that the storage does not know of; it is told now of these.

        `has_room` tells whether one more can be told, after those before it.
        """
        names, self.unreported = self.unreported, set()
        for name in names:
            if cooldown := self._by_name.get(name):
                if has_room(name):
                    yield name, cooldown
                else:
                    self.unreported.add(name)

    def is_idle(self, now_us: int) -> bool:
        """Whether nothing is lost if these are forgotten."""
        return not self.has_limited_counts and all(now_us >= cooldown.until_us for cooldown in self._by_name.values())

    def _begin(self, name: str, now_us: int) -> Cooldown | None:
        if not self.may_begin(name, now_us):
            return None
        if len(self._by_name) >= 2 * sum(kind.most for kind in self.kinds.values()):
            self._forget_idle(now_us)
        self._begun[kind_of(name)].append((now_us, name))
        cooldown = self._by_name[name] = Cooldown()
        return cooldown

    def may_begin(self, name: str, now_us: int) -> bool:
        """Whether events of a collection may be kept now: it is known here, or may begin."""
        most = self.kinds[kind_of(name)].most
        begun = self._begun.setdefault(kind_of(name), deque(maxlen=most))
        return name in self._by_name or len(begun) < most or now_us - begun[0][0] >= _MINUTE_US

    def end(self, name: str) -> None:
        """Forget a collection that was removed with its limiter; its limited counts are gone with it."""
        self._by_name.pop(name, None)
        self.unreported.discard(name)
        if begun := self._begun.get(kind_of(name)):
            self._begun[kind_of(name)] = deque((each for each in begun if each[1] != name), begun.maxlen)

    def _forget_idle(self, now_us: int) -> None:
        self._by_name = {
            name: cooldown
            for name, cooldown in self._by_name.items()
            if now_us < cooldown.until_us or name in self.unreported
        }
