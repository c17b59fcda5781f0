"""The text format of `/metrics`, and reading it."""

from copy import copy
from functools import partial

import pytest

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
    assert values["eventscache_watchers"] == {"": 4}


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
