"""A model of the contract, the memory storage, fakeredis and every real Redis agree, step by step.

Programs of random steps are played to the model and to each storage. One that a storage plays differently is cut down
to the steps that matter.
"""

import asyncio
import itertools
import secrets
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import NamedTuple

import fakeredis
import pytest

from eventscache.storage.base import Storage
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Batch, Extra, LimitedCount, Offer, Query, Quota, Unsent
from eventscache.storage.options import StorageOptions
from eventscache.storage.redis import RedisStorage
from eventscache.stream import Namespace, Status, Stream
from eventscache.testing import ManualClock
from tests.support.redis_server import NEWEST, SERVERS, RedisServer
from tests.support.storage_model import Model

pytestmark = pytest.mark.slow

STEPS = 10_000
# Of the same scripts in another interpreter, which is slow, and in an older Redis, whose Lua and commands are the same.
FEW_STEPS = 2_000
LENGTH = 150  # of a program
AT_ONCE = 8

STREAM = Stream(Namespace.TOKEN, "model")
SIZES = (1, 7, 100, 1, 7, 100, 1_500)
WINDOWS_US = (1, 7, 1_000_000, 60_000_000, 61_234_567)
EXTRAS = ("type:a", "type:b", "type:\udc80 c", "group:1", "group:2")
MOST_EXTRAS = 2  # of a kind
EXTRA_SIZES = (1, 3)
KINDS = (
    (Status.SUCCESS, True, False),
    (Status.SKIP, True, False),
    (Status.ERROR, True, True),
    (Status.ERROR, True, False),
    (Status.ERROR, False, True),
)
KINDS_OF_EXTRAS_ONLY = tuple((status, False, False) for status in Status)
# Relative to what matters: instants, admission intervals, windows, the minute that limited events are counted for.
AGES_US = (0, 1, 400_000, 999_999, 1_000_000, 30_000_000, 59_999_999, 60_000_000, 61_000_000)
PAUSES_US = (1, 999_999, 59_000_000, 60_000_000, 300_000_000)
STEPS_BACK_US = (1, 1_000, 5_000_000, 3_600_000_000)
LIMITS = (0, 1, 5, 10_000)


class Pass(NamedTuple):
    """Time passes, or the clock is set back."""

    microseconds: int


class Insert(NamedTuple):
    batch: Batch


class Fetch(NamedTuple):
    query: Query


class Clear(NamedTuple):
    reset: bool


class ClearExtra(NamedTuple):
    name: str
    reset: bool


class List(NamedTuple):
    """The extra collections of a kind are listed."""

    kind: str


Step = Pass | Insert | Fetch | Clear | ClearExtra | List


class Writing:
    """Writes one program; which kinds of steps are in it is a matter of chance too."""

    def __init__(self, seed: int) -> None:
        self._dice = Random(seed)
        self._quota = self._any_quota()
        self._numbers = itertools.count(1)
        self._events = itertools.count()
        self._sent: list[Batch] = []
        kinds: list[tuple[Callable[[], Step], int]] = [
            (self._resend, 2),
            (self._let_intervals_pass, 2),
            (self._let_windows_pass, 1),
            (self._let_time_pass, 1),
            (self._step_the_clock_back, 1),
            (self._insert_with_other_settings, 1),
            (self._fetch, 5),
            (self._clear, 1),
            (self._clear_extra, 1),
            (self._list, 1),
        ]
        self._has_extras = self._dice.random() < 0.6
        self._kinds = {self._insert: 6, **{kind: weight for kind, weight in kinds if self._dice.random() < 0.8}}

    def steps(self) -> list[Step]:
        kinds = self._dice.choices([*self._kinds], [*self._kinds.values()], k=LENGTH)
        return [self._insert(), *(kind() for kind in kinds), self._fetch()]

    def _any_quota(self) -> Quota:
        return Quota(self._dice.choice(SIZES), self._dice.choice(WINDOWS_US))

    def _insert(self) -> Insert:
        dice, size = self._dice, self._quota.size
        extras = self._some_extras()
        kinds = dice.choices((*KINDS, *KINDS_OF_EXTRAS_ONLY) if extras else KINDS, k=dice.randint(0, 4))
        fill = dice.choice((0, 0, 0, 0, 0, 0, -1, 1))
        if fill:  # up to the size, and beyond it
            kinds += [kinds[0] if kinds else KINDS[2]] * (size + fill - len(kinds))
        offers = [Offer(b"%d" % next(self._events), *kind) for kind in kinds]
        to_all, to_error = (
            self._unsent(has_surplus=dice.random() < 0.5 and offered >= size)
            for offered in (sum(offer.to_all for offer in offers), sum(offer.to_error for offer in offers))
        )
        batch = Batch(
            STREAM,
            self._quota,
            dice.choice(("one", "two")),
            next(self._numbers),
            offers,
            to_all,
            to_error,
            extras={name: self._extra(len(offers)) for name in extras},
        )
        self._sent.append(batch)
        return Insert(batch)

    def _some_extras(self) -> list[str]:
        dice = self._dice
        if not self._has_extras or dice.random() < 0.3:
            return []
        by_kind: dict[str, list[str]] = {}
        for name in dice.sample(EXTRAS, k=len(EXTRAS)):
            by_kind.setdefault(name.partition(":")[0], []).append(name)
        return [name for names in by_kind.values() for name in names[: dice.randint(0, MOST_EXTRAS)]]

    def _extra(self, offers: int) -> Extra:
        dice = self._dice
        size = dice.choice(EXTRA_SIZES)
        offered = sorted(dice.sample(range(offers), k=dice.randint(0, min(offers, 5))))[:size]
        unsent = self._unsent(has_surplus=len(offered) == size and dice.random() < 0.5)
        if not offered and not unsent.limited_earlier:
            unsent = Unsent(0, (LimitedCount(dice.choice(AGES_US), 1),))
        return Extra(Quota(size, dice.choice(WINDOWS_US)), MOST_EXTRAS, offered, unsent)

    def _unsent(self, *, has_surplus: bool) -> Unsent:
        dice = self._dice
        counts = [LimitedCount(dice.choice(AGES_US), dice.randint(1, 50)) for _ in range(dice.choice((0, 0, 1, 2, 3)))]
        return Unsent(3 if has_surplus else 0, tuple(counts))

    def _insert_with_other_settings(self) -> Insert:
        self._quota = self._any_quota()
        return self._insert()

    def _resend(self) -> Insert:
        return Insert(self._sent[-min(self._dice.randint(1, 3), len(self._sent))])

    def _let_intervals_pass(self) -> Pass:
        interval_us = self._dice.choice((0, 1, 2, 3, 7)) * self._quota.window_us // self._quota.size
        return Pass(max(0, interval_us + self._dice.randint(-1, 1)))

    def _let_windows_pass(self) -> Pass:
        windows_us = int(self._dice.choice((0.5, 1, 2)) * self._quota.window_us)
        return Pass(max(0, windows_us + self._dice.randint(-1, 1)))

    def _let_time_pass(self) -> Pass:
        return Pass(self._dice.choice(PAUSES_US))

    def _step_the_clock_back(self) -> Pass:
        return Pass(-self._dice.choice(STEPS_BACK_US))

    def _fetch(self) -> Fetch:
        dice, events = self._dice, next(self._events)
        before, after = (dice.choice((None, dice.randint(0, events + 2))) for _ in range(2))
        containing = dice.choice((b"", b"", b"%d" % dice.randint(0, 20)))
        extra = dice.choice(EXTRAS) if self._has_extras and dice.random() < 0.5 else ""
        return Fetch(Query(dice.choice((None, *Status)), before, after, dice.choice(LIMITS), containing, extra))

    def _list(self) -> List:
        return List(self._dice.choice(("type", "group")))

    def _clear(self) -> Clear:
        return Clear(self._dice.choice((True, False)))

    def _clear_extra(self) -> ClearExtra:
        return ClearExtra(self._dice.choice(EXTRAS), self._dice.choice((True, False)))


def expected(steps: Sequence[Step]) -> Iterator[object]:
    """Yield what the model answers to each step."""
    model, clock = Model(), ManualClock()
    for step in steps:
        match step:
            case Pass(microseconds):
                clock.advance(microseconds)
                yield None
            case Insert(batch):
                yield model.insert(batch, clock.now_us)
            case Fetch(query):
                yield model.fetch(query, clock.now_us)
            case Clear(reset):
                yield model.clear(reset=reset)
            case ClearExtra(name, reset):
                yield model.clear_extra(name, reset=reset)
            case List(kind):
                yield model.extra_infos(kind)


async def answer(storage: Storage, clock: ManualClock, step: Step) -> object:
    match step:
        case Pass(microseconds):
            clock.advance(microseconds)
            return None
        case Insert(batch):
            return await storage.insert(batch)
        case Fetch(query):
            return await storage.fetch(STREAM, query)
        case Clear(reset):
            return await storage.clear(STREAM, reset=reset)
        case ClearExtra(name, reset):
            return await storage.clear_extra(STREAM, name, reset=reset)
        case List(kind):
            return await storage.extras(STREAM, kind)


Opening = Callable[[StorageOptions], Storage]


async def difference(opening: Opening, steps: Sequence[Step]) -> str:
    """Return where a storage first answers otherwise than the model, or nothing."""
    clock = ManualClock()
    prefix = f"eventscache:{secrets.token_hex(8)}"
    options = StorageOptions(prefix=prefix, now=clock, ttl_seconds=100_000, timeout_seconds=60)
    async with opening(options) as storage:
        for step, right in zip(steps, expected(steps), strict=True):
            got = await answer(storage, clock, step)
            if got != right:
                return f"{step}: {got} instead of {right}"
    return ""


async def shortest(opening: Opening, steps: list[Step]) -> list[Step]:
    """Leave out of a program all that makes no difference to its failing."""
    for position in reversed(range(len(steps))):
        without = steps[:position] + steps[position + 1 :]
        if await difference(opening, without):
            steps = without
    return steps


async def compare(opening: Opening, compared_steps: int) -> None:
    """Play programs to a storage until so many of its answers were compared."""
    base = secrets.randbits(32)
    seeds = itertools.count(base)
    while compared_steps > 0:
        programs = [Writing(next(seeds)).steps() for _ in range(AT_ONCE)]
        faults = await asyncio.gather(*(difference(opening, steps) for steps in programs))
        for steps, fault in zip(programs, faults, strict=True):
            if fault:
                few = await shortest(opening, steps)
                pytest.fail("\n".join([await difference(opening, few) or fault, "after:", *map(str, few)]))
            compared_steps -= sum(not isinstance(step, Pass) for step in steps)


async def test_the_memory_storage_agrees_with_the_model() -> None:
    await compare(MemoryStorage, STEPS)


async def test_fakeredis_agrees_with_the_model() -> None:
    await compare(lambda options: RedisStorage(fakeredis.FakeAsyncRedis(), options), FEW_STEPS)


@pytest.mark.parametrize("version", sorted(SERVERS) or [NEWEST])
async def test_a_real_redis_agrees_with_the_model(redis_servers: dict[str, RedisServer], version: str) -> None:
    url = redis_servers[version].storage_url
    await compare(lambda options: RedisStorage.from_url(url, options), STEPS if version == NEWEST else FEW_STEPS)
