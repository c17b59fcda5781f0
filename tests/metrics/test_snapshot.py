"""Snapshots of metrics: of one process, of all workers, and of a worker that died."""

from eventscache.cache import EventsCache
from eventscache.metrics.definitions import DROP_REASONS, METRICS, Process
from eventscache.metrics.shared_memory import SharedMetrics
from eventscache.metrics.snapshot import VALUE_NAMES, MetricsSnapshot
from eventscache.storage.memory import MemoryStorage


async def test_queued_events_of_a_worker_that_died_are_dropped() -> None:
    cache = EventsCache(MemoryStorage())
    cache.ledger.received, cache.ledger.stored, cache.ledger.queued = 10, 7, 3
    remaining = MetricsSnapshot.of(Process(cache, 2)).after_death()
    assert (remaining["received"], remaining["stored"]) == (10, 7)
    assert (remaining["dropped_worker_died"], remaining["queued"], remaining["subscribers"]) == (3, 0, 0)
    assert (remaining + remaining)["received"] == 20


async def test_a_worker_reads_the_sum_of_what_the_others_published() -> None:
    shared = SharedMetrics(3)
    cache = EventsCache(MemoryStorage())
    for worker in range(3):
        cache.ledger.received = 10**worker
        cache.ledger.dropped[DROP_REASONS[worker]] += 2**62 if worker == 0 else 1
        shared.publish(worker, MetricsSnapshot.of(Process(cache)))
    assert shared.sum_of_others(1)["received"] == 101
    assert shared.read(0)[f"dropped_{DROP_REASONS[0]}"] == 2**62


def test_every_metric_and_value_has_a_name_of_its_own() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    assert len(set(VALUE_NAMES)) == len(VALUE_NAMES)


async def test_the_death_of_a_worker_is_counted_and_its_successor_goes_on() -> None:
    own = MetricsSnapshot.of(Process(EventsCache(MemoryStorage())))
    assert own["worker_deaths"] == 0
    assert (own.after_death() + own).after_death()["worker_deaths"] == 2
