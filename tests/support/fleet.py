"""Several processes that share one storage, simulated event by event in whole microseconds.

Each process is a real stream buffer with its cooldowns and batches, driven as `Queue` and `Sender` drive it, on a
monotonic clock with an offset and a drift. Its calls take time on the way there and back; the storage is the memory
storage, on the simulation's time. Nothing here knows the limiter's rules: only what is visible from outside is
recorded, and a copy of the storage's limiter decides whether a cooldown was right.
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
from eventscache.delivery.outgoing_batch import OutgoingBatch
from eventscache.delivery.pending import PendingEvents
from eventscache.delivery.stream_buffer import StreamBuffer
from eventscache.storage.limiter import Limiter
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Admission, Batch, Decision, Offer, Query, Quota, Unsent
from eventscache.storage.options import StorageOptions
from eventscache.stream import Namespace, Status, Stream
from eventscache.testing import ManualClock

STREAM = Stream(Namespace.TOKEN, "key")
START_US = 1_700_000_000_123_457
DRIFT_PPM = 500  # the rate of two crystals differs by less
SAMPLE_EVERY_US = 3_700_001  # of the limited count; a prime, so that the samples fall into every part of a second

Arrival = tuple[int, int]  # microseconds since the start, and how many events come then

FLUSH_AFTER_US = 900_000  # as the flush timer does for few streams


class Latency(NamedTuple):
    """Bounds of the time that a call takes one way, and the time until a waiting event is sent."""

    shortest_us: int = 200
    longest_us: int = 2000
    turn_us: int = 100

    @property
    def detour_us(self) -> int:
        """How much longer one event can need to the storage than another: it waits for the call before it."""
        return 3 * self.longest_us + 2 * self.turn_us


USUAL = Latency()
INSTANT = Latency(0, 0, 0)


class Collection:
    """What is visible of one collection, in microseconds of the storage's clock."""

    def __init__(self, fleet: "Fleet", status: Status) -> None:
        self.status = status
        self.offered = 0
        self.admissions: list[int] = []
        self.limited = array("q")  # when each event was limited, locally or by the storage
        self.reported = 0  # how many of them the storage has counted
        self.longest_report_us = 0  # how long it took at most until the storage counted one
        self.wrongly_limited: list[int] = []
        self.samples: list[tuple[int, int]] = []  # the storage's count of the last minute
        self._fleet = fleet
        self._unchecked_us: int | None = None

    def limit_locally(self) -> None:
        """Record that a cooldown limits an event now."""
        self.limited.append(self._fleet.now_us)
        self._unchecked_us = self._fleet.now_us

    def check_cooldowns(self) -> None:
        """Record if the storage would have admitted an event that was limited locally since the storage last changed.

        While nothing changes it, a collection that admits nothing can only begin to admit: the latest event is enough.
        """
        if self._unchecked_us is not None and self._fleet.would_admit(self, self._unchecked_us):
            self.wrongly_limited.append(self._unchecked_us)
        self._unchecked_us = None

    def record_call(self, offered: int, unsent: Unsent, decision: Decision | None) -> None:
        """Record what a call brought, and its answer."""
        now_us = self._fleet.now_us
        admitted = decision.admitted if decision else 0
        limited = offered + unsent.surplus - admitted
        self.admissions.extend([now_us] * admitted)
        self.limited.extend([now_us] * limited)
        self.reported += limited + sum(counted.events for counted in unsent.limited_earlier)

    def limited_between(self, from_us: int, to_us: int) -> int:
        """Return how many events were limited in a half-open span."""
        return bisect_left(self.limited, to_us) - bisect_left(self.limited, from_us)


class RecordedCooldown(Cooldown):
    """A cooldown that records what it limits."""

    __slots__ = ("_collection", "_since_us", "taken_since_us")

    def __init__(self, collection: Collection) -> None:
        super().__init__()
        self._collection = collection
        self._since_us: int | None = None
        self.taken_since_us: int | None = None

    def count_limited(self, now_us: int, count: int = 1) -> None:
        super().count_limited(now_us, count)
        for _ in range(count):
            self._collection.limit_locally()
        if self._since_us is None:
            self._since_us = self._collection.limited[-1]

    def take_counts(self):
        self.taken_since_us, self._since_us = self._since_us, None
        return super().take_counts()

    def record_report(self) -> None:
        """Record that the counts of a batch have reached the storage."""
        if self.taken_since_us is not None:
            late_us = self._collection._fleet.now_us - self.taken_since_us
            self._collection.longest_report_us = max(self._collection.longest_report_us, late_us)
            self.taken_since_us = None


class Process:
    """One process: it does with its buffer what `Queue`, `Sender` and `FlushTimer` do."""

    def __init__(self, fleet: "Fleet", name: str) -> None:
        self.received = self.stored = self.limited = 0
        self.buffer = StreamBuffer(STREAM)
        self.cooldowns = RecordedCooldown(fleet.all), RecordedCooldown(fleet.error)
        self.buffer.all, self.buffer.error = self.cooldowns
        self._fleet = fleet
        self._name = name
        self._numbers = itertools.count(1)
        self._offset_us = fleet.random.randrange(10**13)
        self._ppm = fleet.random.randint(-DRIFT_PPM, DRIFT_PPM)
        self._limited_since_us: int | None = None
        self._timer_runs = False

    def now_us(self) -> int:
        """Return the time of this process's clock."""
        elapsed_us = self._fleet.now_us - START_US
        return self._offset_us + elapsed_us + elapsed_us * self._ppm // 1_000_000

    def offer(self, status: Status) -> None:
        self.received += 1
        failed = status is Status.ERROR
        if self.buffer.limit_locally(1, self.now_us(), failed=failed):
            self.limited += 1
            self._update_timer()
        else:
            for pending in PendingEvents.split([Offer(b"{}", status, True, failed)], [b"{}"], failed=failed):
                self.buffer.put(pending, self.now_us)
            self._schedule()

    def _schedule(self) -> None:
        if not self.buffer.scheduled:
            self.buffer.scheduled = True
            self._fleet.after(self._fleet.latency.turn_us, self._dispatch)

    def _dispatch(self) -> None:
        sent_us = self.now_us()
        taken = self.buffer.take(self._fleet.quota, sent_us)
        if not self.buffer.has_limited_counts:
            self._limited_since_us = None
        self.limited += sum(len(pending.events) for pending in taken.limited)
        if taken.is_empty:
            self._finish(taken)
            return
        batch = taken.to_batch(STREAM, self._fleet.quota, self._name, next(self._numbers), sent_us, trusted=True)
        self._fleet.after(self._fleet.transit_us(), lambda: self._arrive(taken, batch, sent_us))

    def _arrive(self, taken: OutgoingBatch, batch: Batch, sent_us: int) -> None:
        admission = self._fleet.insert(batch)
        for cooldown in self.cooldowns:
            cooldown.record_report()
        self._fleet.after(self._fleet.transit_us(), lambda: self._learn(taken, admission, sent_us))

    def _learn(self, taken: OutgoingBatch, admission: Admission, sent_us: int) -> None:
        self.buffer.start_cooldowns(admission, sent_us, MICROSECONDS)
        for pending, stored in taken.stored_counts(admission):
            self.stored += stored
            self.limited += len(pending.events) - stored
        self._finish(taken)

    def _finish(self, taken: OutgoingBatch) -> None:
        self.buffer.finish(taken)
        self._update_timer()
        if self.buffer.waiting or self.buffer.flush_due:
            self._schedule()

    def _update_timer(self) -> None:
        if self._limited_since_us is None and self.buffer.has_limited_counts:
            self._limited_since_us = self.now_us()
            if not self._timer_runs:
                self._timer_runs = True
                self._fleet.after(FLUSH_AFTER_US, self._flush)

    def _flush(self) -> None:
        """Send limited counts that no batch has taken."""
        self._timer_runs = self._limited_since_us is not None
        if self._limited_since_us is None:
            return
        left_us = self._limited_since_us + FLUSH_AFTER_US - self.now_us()
        if left_us > 0:
            self._fleet.after(left_us, self._flush)
            return
        self._timer_runs, self._limited_since_us = False, None
        if self.buffer.scheduled or self.buffer.has_limited_counts:
            self.buffer.flush_due = True
            self._schedule()


class Fleet:
    """Processes, their storage, and the simulation's time."""

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
        """Schedule a step."""
        heapq.heappush(self._pending, (self.now_us + delay_us, next(self._order), step))

    def transit_us(self) -> int:
        """Return how long a call takes one way, this time."""
        return self.random.randint(self.latency.shortest_us, self.latency.longest_us)

    def run(self, arrivals: Iterable[Arrival], *, errors: float = 0) -> "Fleet":
        """Offer events, a share of them errors, and return when all of them are counted.

        A single event goes to any process, a burst to one of them or scattered over all.
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
            collection.check_cooldowns()
        return self

    def _pass_time(self, until_us: int) -> None:
        pending, clock = self._pending, self._clock
        while pending and pending[0][0] <= until_us:
            clock.now_us, _, step = heapq.heappop(pending)
            step()
        clock.now_us = until_us

    def insert(self, batch: Batch) -> Admission:
        """Make one storage call, now."""
        for collection in (self.all, self.error):
            collection.check_cooldowns()
        self.calls += 1
        try:
            self._storage.insert(batch).send(None)  # it never awaits
        except StopIteration as returned:
            admission: Admission = returned.value
        self.all.record_call(sum(offer.to_all for offer in batch.offers), batch.all, admission.all)
        self.error.record_call(sum(offer.to_error for offer in batch.offers), batch.error, admission.error)
        return admission

    def would_admit(self, collection: Collection, time_us: int) -> bool:
        """Whether the storage, as it is now, would have admitted one event at `time_us`, after its last call."""
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
    """Events independent of each other."""
    mean_us = quota.window_us / (quota.size * rate)
    time_us = 0.0
    while (time_us := time_us + random.expovariate(1 / mean_us)) < windows * quota.window_us:
        yield int(time_us), 1


def bursty(quota: Quota, rate: float, windows: float, random: Random) -> Iterator[Arrival]:
    """50 to 300 events at once, then a pause that keeps the average."""
    mean_us = quota.window_us / (quota.size * rate)
    time_us = 0.0
    while time_us < windows * quota.window_us:
        count = random.randint(50, 300)
        yield int(time_us), count
        time_us += count * mean_us * random.uniform(0.5, 1.5)


SOURCES = {"even": even, "Poisson": poisson, "bursts": bursty}


def conforming(quota: Quota, events: int, random: Random, *, slack_us: int = 0, start_us: int = 0) -> Iterator[Arrival]:
    """As many events as the quota allows: in any window of W + slack at most S, often exactly S at once."""
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
    """An overload: by which source, how many times the quota, to how many processes."""

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
        """The gap between admissions that use the quota evenly."""
        return self.window_us / self.size

    @property
    def spacing_us(self) -> float:
        """The average gap between offers."""
        return self.interval_us / self.rate

    @property
    def windows(self) -> int:
        """How many windows are simulated: more where fewer events come, for better averages."""
        return 40 if self.rate < 2 else 20 if self.rate < 10 else 8 if self.rate < 100 else 4 if self.rate < 600 else 3

    def arrivals(self) -> Iterator[Arrival]:
        """Return what is offered, the same each time."""
        return SOURCES[self.source](self.quota, self.rate, self.windows, Random(7))

    @functools.cache  # noqa: B019 - simulated once, used by many tests
    def run(self) -> "Overload":
        fleet = Fleet(self.quota, self.processes, seed=self.processes).run(self.arrivals(), errors=self.errors)
        return Overload(self, fleet)


class Overload:
    """The result of a scenario, in microseconds."""

    def __init__(self, scenario: Scenario, fleet: Fleet) -> None:
        admissions = fleet.all.admissions
        self.fleet = fleet
        self.first_limited_us = fleet.all.limited[0]
        self.fresh = admissions[bisect_right(admissions, self.first_limited_us) :]
        """The admissions after the first limited event."""
        self.gaps = [later - earlier for earlier, later in itertools.pairwise(self.fresh)]
        self._end_us = START_US + scenario.windows * scenario.window_us
        self._scenario = scenario

    @property
    def use(self) -> float:
        """The share of the quota that was used after the first limited event."""
        return self.share_of_quota(self.fresh)

    def share_of_quota(self, admissions: list[int]) -> float:
        """Return how much of the quota some admissions use, from the first fresh one on."""
        inside = bisect_left(admissions, self._end_us) - bisect_left(admissions, self.fresh[0])
        return inside / (self._end_us - self.fresh[0]) * self._scenario.interval_us


def greedy(quota: Quota, arrivals: Iterable[Arrival]) -> list[int]:
    """Return the admissions of a limiter that admits whatever the window allows: no exact limiter admits more."""
    admissions: list[int] = []
    for offset_us, count in arrivals:
        time_us = START_US + offset_us
        for _ in range(count):
            if len(admissions) < quota.size or time_us - admissions[-quota.size] >= quota.window_us:
                admissions.append(time_us)
    return admissions
