"""Series of two healthy sidecars on one storage, in the notation of promtool's tests: a value for each minute.

At one minute something changes, if it is told to.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from tests.support.metric_samples import Series, declared_series
from tests.support.promql import selectors_of

JOB = "eventscache"
INSTANCES = ("a:8095", "b:8095")


class Gauge(NamedTuple):
    """A value that stays."""

    value: float

    def before(self, minute: int) -> str:
        return f"{self.value}x{minute - 1}"

    def after(self, _: "Steady", minute: int, end: int) -> str:
        return f"{self.value}x{end - minute}"


class Counter(NamedTuple):
    """What is added each minute; from a change on, also once."""

    each_minute: float
    once: float = 0

    def before(self, minute: int) -> str:
        return f"0+{self.each_minute}x{minute - 1}"

    def after(self, healthy: "Steady", minute: int, end: int) -> str:
        reached = healthy.each_minute * minute if isinstance(healthy, Counter) else 0
        return f"{reached + self.once}+{self.each_minute}x{end - minute}"


class Written(NamedTuple):
    """Values as they are written; `stale` means that the series ends."""

    text: str

    def after(self, *_: object) -> str:
        return self.text


Steady = Gauge | Counter
Change = Steady | Written
_ENDS = Written("stale")


_HEALTHY: Mapping[str, Steady] = {
    "up": Gauge(1),
    "eventscache_events_received_total": Counter(6000),
    "eventscache_events_stored_total": Counter(100),
    "eventscache_events_limited_total": Counter(5895),  # most of them, which is as it should be
    "eventscache_events_rejected_total": Counter(5),
    "eventscache_admissions_total": Counter(100),
    "eventscache_queue_bytes": Gauge(3000),
    "eventscache_queue_max_bytes": Gauge(32 * 1024 * 1024),
    "eventscache_storage_up": Gauge(1),
    "eventscache_loop_lag_seconds_count": Counter(600),
    "eventscache_connections": Gauge(50),
    "eventscache_max_connections": Gauge(2000),
    "eventscache_resident_memory_bytes": Gauge(200_000_000),
    "eventscache_processes": Gauge(2),
    "eventscache_build_info": Gauge(1),
}
"""What is not 0, for every set of labels."""
_HEALTHY_SOURCE: Mapping[str, Steady] = {
    "eventscache_source_entries_total": Counter(60),
    "eventscache_source_following": Gauge(1),
    "eventscache_source_lag_seconds": Gauge(2),
}
"""The same of the one source that the first instance follows."""
_TIMES_A_MINUTE, _LONG_SECONDS = 100, 0.05


def _healthy(name: str, labels: Mapping[str, str]) -> Steady:
    if "le" in labels:  # one time in 200 is long, and none very long
        return Counter(_TIMES_A_MINUTE * (1 if float(labels["le"]) > _LONG_SECONDS else 0.995))
    if (labels.get("source"), labels["instance"]) == ("jitsu_redis", INSTANCES[0]) and name in _HEALTHY_SOURCE:
        return _HEALTHY_SOURCE[name]
    return _HEALTHY.get(name, Counter(0))


def _all_series() -> list[Series]:
    declared: list[Series] = [("up", {}), *declared_series()]
    return [(name, {**labels, "job": JOB, "instance": instance}) for name, labels in declared for instance in INSTANCES]


def _written(series: Series) -> str:
    name, labels = series
    return name + "{" + ",".join(f'{label}="{value}"' for label, value in labels.items()) + "}"


def simulated_series(
    changes: Mapping[str, Change], minute: int, end: int, gone: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Return the series up to the minute `end`; those that the selectors in `changes` name change at a minute.

    The metrics of the instances that are `gone` end there, but not their `up`. Raises `ValueError` if a selector names
    no series, or if several name one.
    """
    every = _all_series()
    changed: dict[str, Change] = {
        _written(series): _ENDS for series in every if series[1]["instance"] in gone and series[0] != "up"
    }
    for text, change in changes.items():
        (selector,) = selectors_of(text)
        found = [_written(series) for series in every if selector.selects(*series)]
        if not found or changed.keys() & found:
            raise ValueError(f"names no series, or one that another selector names: {text}")
        changed.update(dict.fromkeys(found, change))
    return [
        {
            "series": _written(series),
            "values": f"{healthy.before(minute)} {changed.get(_written(series), healthy).after(healthy, minute, end)}",
        }
        for series in every
        for healthy in [_healthy(*series)]
    ]
