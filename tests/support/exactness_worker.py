"""What each process of the exactness tests does to a storage, and what it reports of it."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Sequence
from multiprocessing.synchronize import Barrier
from typing import NamedTuple

import structlog

from eventscache.cache import EventsCache
from eventscache.clock import MICROSECONDS
from eventscache.delivery.ledger import Ledger
from eventscache.errors import StorageUnavailable
from eventscache.event import Event
from eventscache.extras.error_groups import group_collection
from eventscache.storage.messages import Admission, Batch, LimitedCount, Offer, Quota, Unsent
from eventscache.storage.options import StorageOptions
from eventscache.storage.redis import RedisStorage
from eventscache.stream import Status, Stream
from tests.support.recording_redis import Deed, RecordingRedis, now_us

# Only a broken connection ends a try here: long enough for the slowest machine.
OPTIONS = StorageOptions(timeout_seconds=30)
GENEROUS_SECONDS = 60
# Every so many windows all processes fall silent for the last few of them, so that each collection gets back its
# burst, and all of them are there when it does. They agree by their clocks: they share a machine.
CYCLE_WINDOWS, LOUD_WINDOWS = 5, 3
# Each is a group, whatever the number is.
ERRORS = ("no", "timeout after {} s", "Unsupported column [c{}]", "no such table: 'events_{}'")

_barriers: list[Barrier] = []


class Job(NamedTuple):
    """Work for so many windows, and on until each collection of each stream has admitted `least` of the own events."""

    url: str
    streams: Sequence[Stream]
    quota: Quota
    windows: int
    least: int
    seed: int

    @property
    def ends_us(self) -> int:
        return now_us() + self.windows * self.quota.window_us


class Report(NamedTuple):
    """What a process did, what it counted, and how many events it had for each collection, limited ones included.

    `groups` has the same for each error group of each stream.
    """

    deeds: list[Deed]
    ledger: Ledger
    offered_all: int
    offered_error: int
    groups: Counter[tuple[Stream, str]]


def set_up(barrier: Barrier) -> None:
    """Prepare a new process: its rounds begin at a barrier, and it is silent about the faults that it meets."""
    _barriers.append(barrier)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


def insert_raw(job: Job) -> Report:
    """Insert batches into each of the streams, every one of them until it is answered."""
    return asyncio.run(_insert_raw(job))


def offer_to_cache(job: Job) -> Report:
    """Offer events to an `EventsCache`: cooldowns limit most, and the limited counts travel with later batches."""
    return asyncio.run(_offer_to_cache(job))


def _recording(job: Job) -> RecordingRedis:
    storage = RecordingRedis.from_url(job.url, OPTIONS)
    storage.deeds, storage.tries = {}, {}
    _barriers[0].wait(GENEROUS_SECONDS)
    return storage


async def _insert_raw(job: Job) -> Report:
    ledger = Ledger()
    async with _recording(job) as storage:
        await asyncio.gather(*(_insert_into(storage, job, stream, ledger) for stream in job.streams))
    deeds = [*storage.deeds.values()]
    offers = [offer for deed in deeds for offer in deed.batch.offers]
    return Report(
        deeds,
        ledger,
        sum(offer.to_all for offer in offers) + sum(_counted(deed.batch.all) for deed in deeds),
        sum(offer.to_error for offer in offers) + sum(_counted(deed.batch.error) for deed in deeds),
        Counter(),
    )


def _counted(unsent: Unsent) -> int:
    return unsent.surplus + sum(limited.events for limited in unsent.limited_earlier)


async def _insert_into(storage: RecordingRedis, job: Job, stream: Stream, ledger: Ledger) -> None:
    dice = random.Random(f"{job.seed} {stream}")
    ends_us = job.ends_us
    number = 0
    while now_us() < ends_us or not storage.has_admitted(job.least, [stream]):
        number += 1
        batch = _random_batch(dice, job, stream, number)
        admission = await answered(storage, batch)
        ledger.admitted_all += admission.all.admitted if admission.all else 0
        ledger.admitted_error += admission.error.admitted if admission.error else 0
        for in_all, in_error in admission.placed(batch.offers):
            ledger.received += 1
            ledger.stored += in_all or in_error
            ledger.limited += not (in_all or in_error)
        await _pause(dice, job)


async def answered(storage: RedisStorage, batch: Batch) -> Admission:
    """Insert a batch, again and again until there is an answer."""
    async with asyncio.timeout(GENEROUS_SECONDS):
        while True:
            try:
                return await storage.insert(batch)
            except StorageUnavailable:
                await asyncio.sleep(0.001)


def _random_batch(dice: random.Random, job: Job, stream: Stream, number: int) -> Batch:
    offers = []
    for nth in range(_random_count(dice)):
        status = dice.choice([*Status])
        collections = (
            dice.choice([(True, True), (True, False), (False, True)]) if status is Status.ERROR else (True, False)
        )
        offers.append(Offer(f"{job.seed} {number} {nth}".encode(), status, *collections))
    to_all = _random_unsent(dice, job.quota, sum(offer.to_all for offer in offers))
    to_error = _random_unsent(dice, job.quota, sum(offer.to_error for offer in offers))
    return Batch(stream, job.quota, f"writer {job.seed}", number, offers, to_all, to_error)


def _random_unsent(dice: random.Random, quota: Quota, offered: int) -> Unsent:
    return Unsent(
        surplus=dice.randint(0, 20) if offered >= quota.size else 0,
        limited_earlier=tuple(_random_limited_counts(dice)) if dice.random() < 0.2 else (),
    )


def _random_count(dice: random.Random) -> int:
    return dice.randint(1, dice.choice([1, 10, 150]))


def _random_limited_counts(dice: random.Random) -> list[LimitedCount]:
    """Of this instant, of just before, and of more than a minute ago."""
    latest_us = [0, MICROSECONDS // 10, 2 * MICROSECONDS, 70 * MICROSECONDS]
    return [
        LimitedCount(dice.randint(0, dice.choice(latest_us)), dice.randint(1, 5)) for _ in range(dice.randint(1, 3))
    ]


async def _pause(dice: random.Random, job: Job) -> None:
    """Let some time lie between two batches, and all that is left of the cycle when its loud part is over."""
    cycle_us = CYCLE_WINDOWS * job.quota.window_us
    phase_us = now_us() % cycle_us
    pause_us = dice.uniform(0, 1) * job.quota.window_us / job.quota.size
    if phase_us > LOUD_WINDOWS * job.quota.window_us:
        pause_us = cycle_us - phase_us
    await asyncio.sleep(pause_us / MICROSECONDS)


async def _offer_to_cache(job: Job) -> Report:
    dice = random.Random(job.seed)
    storage = _recording(job)
    cache = EventsCache(storage, quota=job.quota, ack_timeout_seconds=GENEROUS_SECONDS, error_groups=True)
    await cache.open()
    ends_us = job.ends_us
    offered = errors = 0
    groups: Counter[tuple[Stream, str]] = Counter()
    while now_us() < ends_us or not storage.has_admitted(job.least, job.streams):
        stream = dice.choice(job.streams)
        events = [_random_event(dice, f"{job.seed} {offered + nth}") for nth in range(_random_count(dice))]
        assert cache.offer([(stream, event) for event in events])
        offered += len(events)
        errors += sum(event.status is Status.ERROR for event in events)
        groups.update((stream, group_collection(event.error)) for event in events if event.error)
        await _pause(dice, job)
    await cache.close(GENEROUS_SECONDS)
    assert cache.ledger.received == offered
    return Report([*storage.deeds.values()], cache.ledger, offered, errors, groups)


def _random_event(dice: random.Random, uid: str) -> Event:
    event = Event(original=b"{}", timestamp="now", uid=uid)
    status = dice.choice([*Status])
    if status is Status.ERROR:
        event.error = dice.choice(ERRORS).format(dice.randrange(1000))
    elif status is Status.SKIP:
        event.skip = "skip"
    return event
