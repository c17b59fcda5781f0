"""The ledger and the queue as Prometheus metrics; no ids, no labels of clients."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from eventscache.cache import EventsCache

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
DROP_REASONS = (
    "queue_full",
    "storage_unavailable",
    "unconfirmed",
    "storage_error",
    "max_streams",
    "shutdown",
    "disabled",
)


class _CacheCollector(Collector):
    def __init__(self, cache: EventsCache) -> None:
        self._cache = cache

    def collect(self) -> Iterator[Metric]:
        ledger, queue = self._cache.ledger, self._cache.queue
        for name, text, value in (
            ("received", "Events received: stored + limited + dropped + rejected + queued", ledger.received),
            ("stored", "Events that at least one collection admitted", ledger.stored),
            ("limited", "Events that no collection admitted", ledger.limited),
            ("rejected", "Events, or whole bodies, refused with a 4xx and not kept", ledger.rejected),
            ("unreadable", "Cached entries that could not be read, and were left out", self._cache.unreadable),
        ):
            yield CounterMetricFamily(f"eventscache_events_{name}", text, value=value)
        dropped = CounterMetricFamily("eventscache_events_dropped", "Events lost on our side", labels=["reason"])
        for reason in DROP_REASONS:
            dropped.add_metric([reason], ledger.dropped[reason])
        yield dropped
        admissions = CounterMetricFamily("eventscache_admissions", "Admissions to a collection", labels=["collection"])
        admissions.add_metric(["all"], ledger.admitted_all)
        admissions.add_metric(["error"], ledger.admitted_error)
        yield admissions
        yield GaugeMetricFamily("eventscache_queue_events", "Events on their way to the storage", value=ledger.queued)
        yield GaugeMetricFamily("eventscache_queue_bytes", "Bytes that wait for the storage", value=queue.bytes)
        yield GaugeMetricFamily(
            "eventscache_storage_up", "1 if the last storage call was answered", value=int(queue.storage_answers)
        )

    def describe(self) -> list[Metric]:
        return []


class Metrics:
    """What `/metrics` answers."""

    def __init__(self, cache: EventsCache) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_CacheCollector(cache))

    def render(self) -> bytes:
        """Return the metrics in Prometheus's text format."""
        return generate_latest(self._registry)
