"""Several processes that share one storage, simulated event by event in whole microseconds.

Each process is the product's own lane with its leases and parcels, driven as `Queue` drives it, on a monotonic clock
that is off and drifts. Its calls take time on the way there and back; the storage is the memory storage, on the
simulation's time. Nothing here knows the limiter's rules: what is recorded is what can be seen from outside, and
whether a lease was right is asked of a copy of the storage's limiter.
"""

import functools
import heapq
import itertools
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import NamedTuple

from eventscache.clock import MICROSECONDS
from eventscache.delivery.cooldown import Cooldown
from eventscache.delivery.pending import PendingEvents
from eventscache.delivery.stream_buffer import OutgoingBatch, StreamBuffer
from eventscache.storage.limiter import Limiter
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Admission, Batch, Decision, Offer, Query, Quota, Unsent
from eventscache.storage.options import StorageOptions
from eventscache.stream import Namespace, Status, Stream
from eventscache.testing import ManualClock

STREAM = Stream(Namespace.TOKEN, "key")
START_US = 1_700_000_000_123_457
DRIFT_PPM = 500  # the rate of two crystals differs by less
SAMPLE_EVERY_US = 3_700_001  # of the count of refusals; a prime, so that it meets every part of a second

Arrival = tuple[int, int]  # microseconds since the start, and how many events come then

CARRY_AFTER_US = 900_000  # as a queue of few streams does


class Latency(NamedTuple):
    """Bounds of what a call takes one way, and of the time until a waiting event is taken."""

    shortest_us: int = 200
    longest_us: int = 2000
    turn_us: int = 100

    @property
    def detour_us(self) -> int:
        """By how much one event can be later than another on the way to the storage: it waits for a call before it."""
        return 3 * self.longest_us + 2 * self.turn_us


USUAL = Latency()
INSTANT = Latency(0, 0, 0)


class Collection:
    """What is seen of one collection, in microseconds of the storage's clock."""

    def __init__(self, fleet: "Fleet", status: Status) -> None:
        self.status = status
        self.offered = 0
        self.admissions: list[int] = []
        self.refusals = array("q")  # one by one, by leases and by the storage
        self.booked = 0  # of them, what the storage was told
        self.latest_booking_us = 0  # how long a refusal was unknown to it
        self.wrong_refusals: list[int] = []
        self.samples: list[tuple[int, int]] = []  # the storage's count of the last minute
        self._fleet = fleet
        self._unchecked_us: int | None = None

    def refuse(self) -> None:
        """Note that a lease refuses now."""
        self.refusals.append(self._fleet.now_us)
        self._unchecked_us = self._fleet.now_us

    def check_leases(self) -> None:
        """Ask the storage whether it would have admitted what was refused since it was last changed.

        As long as nothing changes it, a closed collection can only open: the latest refusal speaks for those before.
        """
        if self._unchecked_us is not None and self._fleet.would_admit(self, self._unchecked_us):
            self.wrong_refusals.append(self._unchecked_us)
        self._unchecked_us = None

    def note_call(self, offered: int, share: Unsent, verdict: Decision | None) -> None:
        """Note what a call brought, and its answer."""
        now_us = self._fleet.now_us
        admitted = verdict.admitted if verdict else 0
        refused = offered + share.surplus - admitted
        self.admissions.extend([now_us] * admitted)
        self.refusals.extend([now_us] * refused)
        self.booked += refused + sum(refusal.events for refusal in share.limited_earlier)

    def refused_between(self, from_us: int, to_us: int) -> int:
        """Return how many were refused in a half-open span."""
        return bisect_left(self.refusals, to_us) - bisect_left(self.refusals, from_us)


class WatchedLease(Cooldown):
    """A lease whose refusals are seen."""

    __slots__ = ("_collection", "_since_us", "handed_over_since_us")

    def __init__(self, collection: Collection) -> None:
        super().__init__()
        self._collection = collection
        self._since_us: int | None = None
        self.handed_over_since_us: int | None = None

    def refuse(self, now_us: int, count: int = 1) -> None:
        super().refuse(now_us, count)
        for _ in range(count):
            self._collection.refuse()
        if self._since_us is None:
            self._since_us = self._collection.refusals[-1]

    def hand_over(self):
        self.handed_over_since_us, self._since_us = self._since_us, None
        return super().hand_over()

    def note_booked(self) -> None:
        """Note that what was handed over has reached the storage."""
        if self.handed_over_since_us is not None:
            late_us = self._collection._fleet.now_us - self.handed_over_since_us
            self._collection.latest_booking_us = max(self._collection.latest_booking_us, late_us)
            self.handed_over_since_us = None


class Process:
    """One process: it does with its lane what `Queue` does."""

    def __init__(self, fleet: "Fleet", name: str) -> None:
        self.received = self.stored = self.limited = 0
        self.buffer = StreamBuffer(STREAM)
        self.cooldowns = WatchedLease(fleet.all), WatchedLease(fleet.error)
        self.buffer.all, self.buffer.error = self.cooldowns
        self._fleet = fleet
        self._name = name
        self._numbers = itertools.count(1)
        self._offset_us = fleet.random.randrange(10**13)
        self._ppm = fleet.random.randint(-DRIFT_PPM, DRIFT_PPM)
        self._carrying_since_us: int | None = None
        self._timer = False

    def now_us(self) -> int:
        """Return this process's own time."""
        elapsed_us = self._fleet.now_us - START_US
        return self._offset_us + elapsed_us + elapsed_us * self._ppm // 1_000_000

    def offer(self, status: Status) -> None:
        self.received += 1
        failed = status is Status.ERROR
        if self.buffer.refuses(1, self.now_us(), failed=failed):
            self.limited += 1
            self._note_carrying()
        else:
            for item in PendingEvents.of([Offer(b"{}", status, True, failed)], [b"{}"], failed=failed):
                self.buffer.put(item)
            self._schedule()

    def _schedule(self) -> None:
        if not self.buffer.scheduled:
            self.buffer.scheduled = True
            self._fleet.after(self._fleet.latency.turn_us, self._flush)

    def _flush(self) -> None:
        sent_us = self.now_us()
        batch_ = self.buffer.take(self._fleet.quota.size, sent_us)
        if not self.buffer.carries:
            self._carrying_since_us = None
        self.limited += sum(len(item.events) for item in batch_.refused)
        if batch_.idle:
            self._finish(batch_)
            return
        batch = batch_.batch(STREAM, self._fleet.quota, self._name, next(self._numbers), sent_us, trusted=True)
        self._fleet.after(self._fleet.transit_us(), lambda: self._arrive(batch_, batch, sent_us))

    def _arrive(self, batch_: OutgoingBatch, batch: Batch, sent_us: int) -> None:
        admission = self._fleet.insert(batch)
        for cooldown in self.cooldowns:
            cooldown.note_booked()
        self._fleet.after(self._fleet.transit_us(), lambda: self._learn(batch_, admission, sent_us))

    def _learn(self, batch_: OutgoingBatch, admission: Admission, sent_us: int) -> None:
        self.buffer.renew(admission, sent_us, MICROSECONDS)
        for item, stored in batch_.outcomes(admission):
            self.stored += stored
            self.limited += len(item.events) - stored
        self._finish(batch_)

    def _finish(self, batch_: OutgoingBatch) -> None:
        self.buffer.finish_flush(batch_)
        self._note_carrying()
        if self.buffer.waiting or self.buffer.carry_due:
            self._schedule()

    def _note_carrying(self) -> None:
        if self._carrying_since_us is None and self.buffer.carries:
            self._carrying_since_us = self.now_us()
            if not self._timer:
                self._timer = True
                self._fleet.after(CARRY_AFTER_US, self._carry)

    def _carry(self) -> None:
        """Flush refusals that no event has taken along."""
        self._timer = self._carrying_since_us is not None
        if self._carrying_since_us is None:
            return
        left_us = self._carrying_since_us + CARRY_AFTER_US - self.now_us()
        if left_us > 0:
            self._fleet.after(left_us, self._carry)
            return
        self._timer, self._carrying_since_us = False, None
        if self.buffer.scheduled or self.buffer.carries:
            self.buffer.carry_due = True
            self._schedule()


class Fleet:
    """Processes, their storage, and the time that they share."""

    def __init__(self, quota: Quota, processes: int = 4, *, latency: Latency = USUAL, seed: int = 1) -> None:
        self.quota = quota
        self.latency = latency
        self.random = Random(seed)
        self.calls = 0
        self.all = Collection(self, Status.SUCCESS)
        self.error = Collection(self, Status.ERROR)
        self._clock = ManualClock(START_US)
        self._storage = MemoryStorage(StorageOptions(now=self._clock))
        self._pending: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.processes = [Process(self, f"process {number}") for number in range(processes)]

    @property
    def now_us(self) -> int:
        return self._clock.now_us

    def after(self, delay_us: int, step: Callable[[], None]) -> None:
        """Let something happen later."""
        heapq.heappush(self._pending, (self.now_us + delay_us, next(self._order), step))

    def transit_us(self) -> int:
        """Return what a call takes one way, this time."""
        return self.random.randint(self.latency.shortest_us, self.latency.longest_us)

    def run(self, arrivals: Iterable[Arrival], *, errors: float = 0) -> "Fleet":
        """Offer events, a share of them errors, and let everything come to rest.

        An event comes to any process, a burst to one of them or scattered over all.
        """
        random, processes = self.random, self.processes
        self.after(SAMPLE_EVERY_US, self._sample)
        for offset_us, count in arrivals:
            self._pass_time(START_US + offset_us)
            target = random.choice(processes)
            scattered = count > 1 and random.random() < 0.5
            for _ in range(count):
                failed = random.random() < errors
                self.all.offered += 1
                self.error.offered += failed
                process = random.choice(processes) if scattered else target
                process.offer(Status.ERROR if failed else Status.SUCCESS)
        self._pass_time(self.now_us + 2 * MICROSECONDS)
        for collection in (self.all, self.error):
            collection.check_leases()
        return self

    def _pass_time(self, until_us: int) -> None:
        pending, clock = self._pending, self._clock
        while pending and pending[0][0] <= until_us:
            clock.now_us, _, step = heapq.heappop(pending)
            step()
        clock.now_us = until_us

    def insert(self, batch: Batch) -> Admission:
        """Do one storage call, now."""
        for collection in (self.all, self.error):
            collection.check_leases()
        self.calls += 1
        try:
            self._storage.insert(batch).send(None)  # it never awaits
        except StopIteration as returned:
            admission: Admission = returned.value
        self.all.note_call(sum(offer.to_all for offer in batch.offers), batch.all, admission.all)
        self.error.note_call(sum(offer.to_error for offer in batch.offers), batch.error, admission.error)
        return admission

    def would_admit(self, collection: Collection, time_us: int) -> bool:
        """Tell whether the storage, as it is now, would have admitted one event at a time since its last call."""
        kept = self._storage._streams[STREAM.namespace].get(STREAM.id)
        if kept is None:
            return True
        state = kept.state
        limiter = Limiter((state.error if collection.status is Status.ERROR else state.all).state)
        return limiter.decide(1, (), state.clock.peek(time_us), self.quota).admitted == 1

    def _sample(self) -> None:
        for collection in (self.all, self.error):
            try:
                self._storage.fetch(STREAM, Query(collection.status, limit=0)).send(None)
            except StopIteration as returned:
                collection.samples.append((self.now_us, returned.value.limited))
        self.after(SAMPLE_EVERY_US, self._sample)


# Sources. Each yields arrivals for a number of windows, at `rate` times the quota on average.


def even(quota: Quota, rate: float, windows: float, _random: Random) -> Iterator[Arrival]:
    """One event after the other, evenly spaced."""
    spacing_us = quota.window_us / (quota.size * rate)
    for number in range(int(windows * quota.size * rate)):
        yield int(number * spacing_us), 1


def poisson(quota: Quota, rate: float, windows: float, random: Random) -> Iterator[Arrival]:
    """Each event on its own."""
    mean_us = quota.window_us / (quota.size * rate)
    time_us = 0.0
    while (time_us := time_us + random.expovariate(1 / mean_us)) < windows * quota.window_us:
        yield int(time_us), 1


def bursty(quota: Quota, rate: float, windows: float, random: Random) -> Iterator[Arrival]:
    """50 to 300 at once, and a pause that makes up for it."""
    mean_us = quota.window_us / (quota.size * rate)
    time_us = 0.0
    while time_us < windows * quota.window_us:
        count = random.randint(50, 300)
        yield int(time_us), count
        time_us += count * mean_us * random.uniform(0.5, 1.5)


SOURCES = {"even": even, "Poisson": poisson, "bursts": bursty}


def conforming(quota: Quota, events: int, random: Random, *, slack_us: int = 0, start_us: int = 0) -> Iterator[Arrival]:
    """As many as the quota allows, and no more: in any window of W + slack at most S, often exactly S at once."""
    for time_us, group in itertools.groupby(_conforming_times(quota, events, random, slack_us, start_us)):
        yield time_us, len([*group])


def _conforming_times(quota: Quota, events: int, random: Random, slack_us: int, time_us: int) -> Iterator[int]:
    latest: deque[int] = deque(maxlen=quota.size)
    interval_us = quota.window_us // quota.size
    while events > 0:
        count = random.choice((1, 1, random.randint(1, quota.size), quota.size))
        for _ in range(count):
            if len(latest) == quota.size:
                time_us = max(time_us, latest[0] + quota.window_us + slack_us)
            latest.append(time_us)
            yield time_us
        events -= count
        time_us += random.choice((0, 1, random.randrange(2 * interval_us), random.randrange(quota.window_us)))


class Scenario(NamedTuple):
    """An overload: how often the quota is offered, by which source, to how many processes."""

    source: str
    rate: float
    size: int
    processes: int
    window_us: int = 60 * MICROSECONDS
    errors: float = 0

    def __str__(self) -> str:
        errors = f" {self.errors:.0%} errors" if self.errors else ""
        return f"{self.source} x{self.rate:g}{errors} S={self.size} W={self.window_us / 1e6:g}s P={self.processes}"

    @property
    def quota(self) -> Quota:
        return Quota(self.size, self.window_us)

    @property
    def interval_us(self) -> float:
        """How far apart admissions are that use the quota evenly."""
        return self.window_us / self.size

    @property
    def spacing_us(self) -> float:
        """How far apart offers are, on average."""
        return self.interval_us / self.rate

    @property
    def windows(self) -> int:
        """How long it is watched: for the sake of averages longer where fewer events come."""
        return 40 if self.rate < 2 else 20 if self.rate < 10 else 8 if self.rate < 100 else 4 if self.rate < 600 else 3

    def arrivals(self) -> Iterator[Arrival]:
        """Return what is offered, the same each time."""
        return SOURCES[self.source](self.quota, self.rate, self.windows, Random(7))

    @functools.cache  # noqa: B019 - simulated once, looked at by many
    def run(self) -> "Overload":
        fleet = Fleet(self.quota, self.processes, seed=self.processes).run(self.arrivals(), errors=self.errors)
        return Overload(self, fleet)


class Overload:
    """What came of a scenario, in microseconds."""

    def __init__(self, scenario: Scenario, fleet: Fleet) -> None:
        admissions = fleet.all.admissions
        self.fleet = fleet
        self.first_refusal_us = fleet.all.refusals[0]
        self.fresh = admissions[bisect_right(admissions, self.first_refusal_us) :]
        """The admissions from the first reopening on."""
        self.gaps = [later - earlier for earlier, later in itertools.pairwise(self.fresh)]
        self._end_us = START_US + scenario.windows * scenario.window_us
        self._scenario = scenario

    @property
    def use(self) -> float:
        """The share of the quota that was used from the first reopening on."""
        return self.share_of_quota(self.fresh)

    def share_of_quota(self, admissions: list[int]) -> float:
        """Return how much of the quota some admissions use, from the first reopening on."""
        inside = bisect_left(admissions, self._end_us) - bisect_left(admissions, self.fresh[0])
        return inside / (self._end_us - self.fresh[0]) * self._scenario.interval_us


def greedy(quota: Quota, arrivals: Iterable[Arrival]) -> list[int]:
    """Return the admissions of a limiter that takes all it can: no limiter that is exact can take more."""
    admissions: list[int] = []
    for offset_us, count in arrivals:
        time_us = START_US + offset_us
        for _ in range(count):
            if len(admissions) < quota.size or time_us - admissions[-quota.size] >= quota.window_us:
                admissions.append(time_us)
    return admissions
