"""The snapshot as Prometheus metrics; no ids, no labels of clients."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from eventscache.metrics.snapshot import DROP_REASONS, MetricsSnapshot

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _SnapshotCollector(Collector):
    def __init__(self, take_snapshot: Callable[[], MetricsSnapshot]) -> None:
        self._take_snapshot = take_snapshot

    def collect(self) -> Iterator[Metric]:
        snapshot = self._take_snapshot()
        for name, text, value in (
            ("received", "Events received: stored + limited + dropped + rejected + queued", snapshot["received"]),
            ("stored", "Events that at least one collection admitted", snapshot["stored"]),
            ("limited", "Events that no collection admitted", snapshot["limited"]),
            ("rejected", "Events, or whole bodies, refused with a 4xx and not kept", snapshot["rejected"]),
            ("unreadable", "Cached entries that could not be read, and were left out", snapshot["unreadable"]),
        ):
            yield CounterMetricFamily(f"eventscache_events_{name}", text, value=value)
        dropped = CounterMetricFamily("eventscache_events_dropped", "Events lost on our side", labels=["reason"])
        for reason in DROP_REASONS:
            dropped.add_metric([reason], snapshot[f"dropped_{reason}"])
        yield dropped
        admissions = CounterMetricFamily("eventscache_admissions", "Admissions to a collection", labels=["collection"])
        admissions.add_metric(["all"], snapshot["admitted_all"])
        admissions.add_metric(["error"], snapshot["admitted_error"])
        yield admissions
        yield GaugeMetricFamily(
            "eventscache_queue_events", "Events on their way to the storage", value=snapshot["queued"]
        )
        yield GaugeMetricFamily(
            "eventscache_queue_bytes", "Bytes that wait for the storage", value=snapshot["queue_bytes"]
        )
        yield GaugeMetricFamily(
            "eventscache_storage_up",
            "1 if the last storage call was answered",
            value=int(not snapshot["storages_down"]),
        )
        yield GaugeMetricFamily("eventscache_watchers", "Who watches or waits for events", value=snapshot["watchers"])

    def describe(self) -> list[Metric]:
        return []


class Metrics:
    """What `/metrics` answers."""

    def __init__(self, take_snapshot: Callable[[], MetricsSnapshot]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_SnapshotCollector(take_snapshot))

    def render(self) -> bytes:
        """Return the metrics in Prometheus's text format."""
        return generate_latest(self._registry)
