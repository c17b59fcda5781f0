"""All series of `/metrics`, as a process without events has them."""

import functools
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from eventscache.cache import EventsCache
from eventscache.metrics.definitions import Process
from eventscache.metrics.prometheus import Metrics
from eventscache.metrics.snapshot import MetricsSnapshot
from eventscache.storage.memory import MemoryStorage

Series = tuple[str, Mapping[str, str]]
"""A name and its labels."""


def series_of(text: str) -> list[Series]:
    """Return the series in the text of `/metrics`."""
    return [
        (sample.name, sample.labels) for family in text_string_to_metric_families(text) for sample in family.samples
    ]


@functools.cache
def declared_series() -> list[Series]:
    """Return the series of all metrics that are declared."""
    return series_of(Metrics(lambda: MetricsSnapshot.of(Process(EventsCache(MemoryStorage())))).render().decode())


def labels_of(name: str) -> dict[str, set[str]]:
    """Return the labels of the series with a name, each with its values. Raises `KeyError` if there is none."""
    found: dict[str, set[str]] = {}
    known = False
    for declared, labels in declared_series():
        if declared == name:
            known = True
            for label, value in labels.items():
                found.setdefault(label, set()).add(value)
    if not known:
        raise KeyError(name)
    return found
