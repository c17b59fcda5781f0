"""The metrics in Prometheus's text format; no stream ids and nothing that a client chooses are labels."""

from collections.abc import Callable, Iterator
from itertools import accumulate, groupby

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Metric as MetricFamily
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from eventscache.clock import MICROSECONDS
from eventscache.metrics.definitions import METRICS, Kind, Metric
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
    if metric.kind is Kind.HISTOGRAM:
        return _histogram(metric, snapshot)
    family_class = GaugeMetricFamily if metric.kind is Kind.GAUGE else CounterMetricFamily
    family = family_class(metric.name, metric.help, labels=metric.labels)
    for value in metric.values:
        family.add_metric(value.labels, metric.show(snapshot[value.name]))
    return family


def _histogram(metric: Metric, snapshot: MetricsSnapshot) -> MetricFamily:
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    bounds = [*(str(bound_us / MICROSECONDS) for bound_us in metric.bounds_us), "+Inf"]
    for labels, values in groupby(metric.values, key=lambda value: value.labels):
        *counts, sum_us = (snapshot[value.name] for value in values)
        family.add_metric(labels, [*zip(bounds, accumulate(counts), strict=True)], sum_us / MICROSECONDS)
    return family


class Metrics:
    """The response body of `/metrics`."""

    def __init__(self, take_snapshot: Callable[[], MetricsSnapshot]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_SnapshotCollector(take_snapshot))

    def render(self) -> bytes:
        """Return the metrics in Prometheus's text format."""
        return generate_latest(self._registry)
