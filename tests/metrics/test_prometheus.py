"""The text format of `/metrics`, and reading it."""

from copy import copy
from functools import partial

import pytest

from eventscache import __version__
from eventscache.cache import EventsCache
from eventscache.metrics.definitions import DROP_REASONS, Process
from eventscache.metrics.parsing import parse_metrics
from eventscache.metrics.prometheus import Metrics
from eventscache.metrics.snapshot import VALUE_NAMES, MetricsSnapshot
from eventscache.storage.memory import MemoryStorage


async def test_what_is_rendered_is_read_again() -> None:
    cache = EventsCache(MemoryStorage())
    cache.ledger.received, cache.ledger.stored, cache.ledger.queued = 15_000_000, 7, 3
    cache.ledger.admitted_all, cache.ledger.admitted_error = 5, 2
    cache.ledger.dropped["unconfirmed"] = 6

    values = parse_metrics(Metrics(lambda: MetricsSnapshot.of(Process(cache, 4))).render().decode())

    assert values["eventscache_events_received_total"] == {"": 15_000_000}
    assert values["eventscache_queue_events"] == {"": 3}
    assert values["eventscache_events_dropped_total"] == {**dict.fromkeys(DROP_REASONS, 0), "unconfirmed": 6}
    assert values["eventscache_admissions_total"] == {"all": 5, "error": 2}
    assert values["eventscache_subscribers"] == {"": 4}


async def test_the_storage_is_up_only_if_it_answers_every_process() -> None:
    up = MetricsSnapshot.of(Process(EventsCache(MemoryStorage())))
    down = MetricsSnapshot(tuple(int(name == "storages_down") for name in VALUE_NAMES))
    for snapshot, expected in ((up, 1), (up + down, 0), (down + down, 0)):
        metrics = Metrics(partial(copy, snapshot))
        values = parse_metrics(metrics.render().decode())
        assert values["eventscache_storage_up"] == {"": expected}


@pytest.mark.parametrize("text", ["<html><body>Not Found</body></html>", "a{ 1", '{"message": ""}', "a b c"])
def test_other_text_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"[Ii]nvalid|could not"):
        parse_metrics(text)


async def test_a_histogram_has_cumulated_counts_seconds_and_its_labels() -> None:
    cache = EventsCache(MemoryStorage())
    for time_us in (400, 700, 900, 3_000_000):
        cache.storage_calls.reads.add(time_us)
    text = Metrics(lambda: MetricsSnapshot.of(Process(cache))).render().decode()
    for line in (
        'eventscache_storage_seconds_bucket{le="0.0005",operation="read"} 1.0',
        'eventscache_storage_seconds_bucket{le="0.001",operation="read"} 3.0',
        'eventscache_storage_seconds_bucket{le="2.5",operation="read"} 3.0',
        'eventscache_storage_seconds_bucket{le="+Inf",operation="read"} 4.0',
        'eventscache_storage_seconds_count{operation="read"} 4.0',
        'eventscache_storage_seconds_sum{operation="read"} 3.002',
        'eventscache_storage_seconds_count{operation="insert"} 0.0',
    ):
        assert f"\n{line}\n" in text


async def test_the_version_is_a_label_whose_value_stays_1() -> None:
    own = MetricsSnapshot.of(Process(EventsCache(MemoryStorage())))
    values = parse_metrics(Metrics(lambda: own + own).render().decode())
    assert values["eventscache_build_info"] == {__version__: 1}
    assert values["eventscache_processes"] == {"": 2}
    assert values["eventscache_resident_memory_bytes"][""] > 10_000_000
