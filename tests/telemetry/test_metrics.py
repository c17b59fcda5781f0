"""Metrics by OTLP: those of `/metrics`, of each process its own."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from eventscache import __version__
from eventscache.metrics.definitions import METRICS, Kind
from eventscache.metrics.parsing import parse_metrics
from tests.support.command import Serve
from tests.support.otlp_collector import Collector
from tests.support.redis_server import RedisServer
from tests.support.sidecar import CACHE, Start

if TYPE_CHECKING:
    from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint

EVENT = b'{"event_type":"pageview"}'
OFTEN = {"otlp_interval_ms": 20}


async def test_all_metrics_arrive_with_their_kinds_units_and_texts(collector: Collector, start: Start) -> None:
    await start(otlp_endpoint=collector.url, **OFTEN)

    await collector.until(lambda: collector.metrics)

    (metrics,) = collector.metrics.values()
    assert set(metrics) == {metric.name for metric in METRICS}
    kinds = {Kind.COUNTER: "sum", Kind.GAUGE: "gauge", Kind.HISTOGRAM: "histogram"}
    for metric in METRICS:
        arrived = metrics[metric.name]
        assert arrived.description == metric.help
        assert arrived.WhichOneof("data") == kinds[metric.kind]
        ending = metric.name.rpartition("_")[2]
        assert arrived.unit == {"seconds": "s", "bytes": "By"}.get(ending, ""), metric.name


async def test_counters_and_histograms_are_cumulative_since_the_start(collector: Collector, start: Start) -> None:
    await start(otlp_endpoint=collector.url, **OFTEN)
    await collector.until(lambda: collector.metrics)
    (first,) = collector.metrics.values()
    await collector.until(lambda: [*collector.metrics.values()] != [first])
    (second,) = collector.metrics.values()

    for name, metric in second.items():
        data = getattr(metric, metric.WhichOneof("data") or "")
        if metric.HasField("gauge"):
            continue
        assert data.aggregation_temporality == 2, name  # CUMULATIVE
        before = getattr(first[name], first[name].WhichOneof("data") or "")
        for earlier, later in zip(before.data_points, data.data_points, strict=True):
            assert earlier.start_time_unix_nano == later.start_time_unix_nano <= earlier.time_unix_nano
            assert earlier.time_unix_nano < later.time_unix_nano
    assert all(metric.sum.is_monotonic for metric in second.values() if metric.HasField("sum"))


async def test_values_are_those_of_the_prometheus_text(collector: Collector, start: Start) -> None:
    sidecar = await start(otlp_endpoint=collector.url, **OFTEN)
    for _ in range(3):
        await sidecar.record(b'{"token_id":"a","original":{}}')
    await sidecar.get(f"{CACHE}?ids=a&namespace=token")
    await collector.until(lambda: collector.value("eventscache_events_stored") == 3)

    text = parse_metrics((await sidecar.get("/metrics")).body.decode())
    assert text["eventscache_events_stored_total"] == {"": 3}
    assert collector.value("eventscache_events_received") == 3
    assert collector.value("eventscache_admissions", collection="all") == 3
    assert collector.value("eventscache_events_dropped", reason="queue_full") == 0
    assert collector.value("eventscache_storage_up") == 1
    assert collector.value("eventscache_build_info", version=__version__) == 1


async def test_histograms_arrive_with_bounds_and_counts(collector: Collector, start: Start) -> None:
    sidecar = await start(otlp_endpoint=collector.url, **OFTEN)
    (metric,) = [metric for metric in METRICS if metric.name == "eventscache_storage_seconds"]
    calls = sidecar.cache.storage_calls
    for time_us in (400, 700, 900, 3_000_000):
        calls.reads.add(time_us)

    def reads() -> "HistogramDataPoint | None":
        point = collector.histogram("eventscache_storage_seconds", operation="read")
        return point if point and point.count else None

    await collector.until(reads)
    point = reads()
    assert point
    assert list(point.explicit_bounds) == [bound_us / 1_000_000 for bound_us in metric.bounds_us]
    assert list(point.bucket_counts) == [1, 2, *[0] * 10, 1]
    assert point.count == 4
    assert point.sum == pytest.approx(3.002)
    assert not point.HasField("min")
    assert not point.HasField("max")


async def test_the_last_values_are_exported_when_the_server_stops(collector: Collector, start: Start) -> None:
    sidecar = await start(otlp_endpoint=collector.url, otlp_interval_ms=3_600_000)
    await sidecar.post("/api/v1/event?token=a", EVENT)

    await sidecar.server.stop()

    assert collector.requests["metrics"] == 1
    assert collector.value("eventscache_events_stored") == 1
    assert collector.value("eventscache_queue_events") == 0


async def test_variables_of_opentelemetry_describe_the_service_and_add_headers(
    collector: Collector, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,service.version=7")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=abc")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    await start(otlp_endpoint=collector.url, **OFTEN)

    await collector.until(lambda: collector.metrics)

    (resource,) = collector.resources.values()
    assert (resource["service.name"], resource["service.version"]) == ("shop", "7")
    assert resource["deployment.environment.name"] == "test"
    assert collector.headers[0]["x-key"] == "abc"
    assert collector.headers[0]["Content-Encoding"] == "gzip"


async def test_the_variable_of_one_signal_overrides_the_endpoint(
    collector: Collector, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", f"{collector.url}/v1/metrics")
    await start(otlp_endpoint="http://127.0.0.1:9/", **OFTEN)
    await collector.until(lambda: collector.metrics)


@pytest.mark.slow
async def test_each_worker_exports_its_own_values(
    serve: Serve, collector: Collector, redis_server: RedisServer
) -> None:
    process = serve(
        "--workers",
        "2",
        "--storage",
        redis_server.storage_url,
        EVENTSCACHE_PREFIX="eventscache:telemetry",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_RESOURCE_ATTRIBUTES="service.instance.id=pod",
        EVENTSCACHE_OTLP_INTERVAL_MS="20",
    )
    await collector.until(lambda: len(collector.metrics) == 2)
    for _ in range(10):  # each on a connection of its own, which the kernel gives to either
        await process.post("/api/v1/event?token=a", {"a": 1})
    code = await asyncio.to_thread(process.stop)

    assert code == 0
    assert set(collector.metrics) == {"pod-0", "pod-1"}
    received = [
        metrics["eventscache_events_received"].sum.data_points[0].as_int for metrics in collector.metrics.values()
    ]
    assert sum(received) == 10
    assert all(
        metrics["eventscache_processes"].gauge.data_points[0].as_int == 1 for metrics in collector.metrics.values()
    )
