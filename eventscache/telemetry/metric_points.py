"""The metrics of a process as OpenTelemetry's data points: with the names, texts and values of `/metrics`."""

from collections.abc import Iterator
from itertools import groupby

from opentelemetry.sdk.metrics import export
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from eventscache import __version__
from eventscache.clock import MICROSECONDS
from eventscache.metrics.definitions import METRICS, Kind, Metric
from eventscache.metrics.snapshot import MetricsSnapshot

SCOPE = InstrumentationScope("eventscache", __version__)
_CUMULATIVE = export.AggregationTemporality.CUMULATIVE
_UNITS = {"_seconds": "s", "_bytes": "By"}


def metrics_data(snapshot: MetricsSnapshot, resource: Resource, start_ns: int, now_ns: int) -> export.MetricsData:
    """Return all metrics of a process that counts since `start_ns`; both times are Unix nanoseconds."""
    metrics = [
        export.Metric(metric.name, metric.help, unit_of(metric), _data(metric, snapshot, start_ns, now_ns))
        for metric in METRICS
    ]
    scope_metrics = export.ScopeMetrics(SCOPE, metrics, schema_url="")
    return export.MetricsData([export.ResourceMetrics(resource, [scope_metrics], schema_url="")])


def unit_of(metric: Metric) -> str:
    """Return the unit of a metric, which its name ends with; empty if it counts."""
    return next((unit for ending, unit in _UNITS.items() if metric.name.endswith(ending)), "")


def _data(metric: Metric, snapshot: MetricsSnapshot, start_ns: int, now_ns: int) -> export.DataT:
    if metric.kind is Kind.HISTOGRAM:
        return export.Histogram([*_histogram_points(metric, snapshot, start_ns, now_ns)], _CUMULATIVE)
    points = [
        export.NumberDataPoint(
            dict(zip(metric.labels, value.labels, strict=True)),
            start_ns,
            now_ns,
            metric.show(snapshot[value.name]),
        )
        for value in metric.values
    ]
    return export.Gauge(points) if metric.kind is Kind.GAUGE else export.Sum(points, _CUMULATIVE, is_monotonic=True)


def _histogram_points(
    metric: Metric, snapshot: MetricsSnapshot, start_ns: int, now_ns: int
) -> Iterator[export.HistogramDataPoint]:
    bounds = [bound_us / MICROSECONDS for bound_us in metric.bounds_us]
    for labels, values in groupby(metric.values, key=lambda value: value.labels):
        *counts, sum_us = (snapshot[value.name] for value in values)
        yield export.HistogramDataPoint(
            attributes=dict(zip(metric.labels, labels, strict=True)),
            start_time_unix_nano=start_ns,
            time_unix_nano=now_ns,
            count=sum(counts),
            sum=sum_us / MICROSECONDS,
            bucket_counts=counts,
            explicit_bounds=bounds,
            min=None,  # type: ignore[arg-type] # not known, and so not sent
            max=None,  # type: ignore[arg-type]
        )
