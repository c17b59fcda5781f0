"""The figures as Prometheus metrics; no ids, no labels of clients."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from eventscache.figures import DROP_REASONS, Figures

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _FiguresCollector(Collector):
    def __init__(self, figures: Callable[[], Figures]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        figures = self._figures()
        for name, text, value in (
            ("received", "Events received: stored + limited + dropped + rejected + queued", figures["received"]),
            ("stored", "Events that at least one collection admitted", figures["stored"]),
            ("limited", "Events that no collection admitted", figures["limited"]),
            ("rejected", "Events, or whole bodies, refused with a 4xx and not kept", figures["rejected"]),
            ("unreadable", "Cached entries that could not be read, and were left out", figures["unreadable"]),
        ):
            yield CounterMetricFamily(f"eventscache_events_{name}", text, value=value)
        dropped = CounterMetricFamily("eventscache_events_dropped", "Events lost on our side", labels=["reason"])
        for reason in DROP_REASONS:
            dropped.add_metric([reason], figures[f"dropped_{reason}"])
        yield dropped
        admissions = CounterMetricFamily("eventscache_admissions", "Admissions to a collection", labels=["collection"])
        admissions.add_metric(["all"], figures["admitted_all"])
        admissions.add_metric(["error"], figures["admitted_error"])
        yield admissions
        yield GaugeMetricFamily(
            "eventscache_queue_events", "Events on their way to the storage", value=figures["queued"]
        )
        yield GaugeMetricFamily(
            "eventscache_queue_bytes", "Bytes that wait for the storage", value=figures["queue_bytes"]
        )
        yield GaugeMetricFamily(
            "eventscache_storage_up", "1 if the last storage call was answered", value=int(not figures["storages_down"])
        )
        yield GaugeMetricFamily("eventscache_watchers", "Who watches or waits for events", value=figures["watchers"])

    def describe(self) -> list[Metric]:
        return []


class Metrics:
    """What `/metrics` answers."""

    def __init__(self, figures: Callable[[], Figures]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_FiguresCollector(figures))

    def render(self) -> bytes:
        """Return the metrics in Prometheus's text format."""
        return generate_latest(self._registry)
