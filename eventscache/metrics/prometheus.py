"""The metrics in Prometheus's text format; no stream ids and nothing that a client chooses are labels."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Metric as MetricFamily
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from eventscache.metrics.definitions import METRICS, Metric
from eventscache.metrics.snapshot import MetricsSnapshot

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _SnapshotCollector(Collector):
    def __init__(self, take_snapshot: Callable[[], MetricsSnapshot]) -> None:
        self._take_snapshot = take_snapshot

    def collect(self) -> Iterator[MetricFamily]:
        snapshot = self._take_snapshot()
        return (_family(metric, snapshot) for metric in METRICS)

    def describe(self) -> list[MetricFamily]:
        return []


def _family(metric: Metric, snapshot: MetricsSnapshot) -> MetricFamily:
    family_class = GaugeMetricFamily if metric.gauge else CounterMetricFamily
    family = family_class(metric.name, metric.help, labels=metric.labels)
    for value in metric.values:
        family.add_metric(value.labels, metric.show(snapshot[value.name]))
    return family


class Metrics:
    """The response body of `/metrics`."""

    def __init__(self, take_snapshot: Callable[[], MetricsSnapshot]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_SnapshotCollector(take_snapshot))

    def render(self) -> bytes:
        """Return the metrics in Prometheus's text format."""
        return generate_latest(self._registry)
