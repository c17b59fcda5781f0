"""A collector that is away, slow or frozen delays nothing, and fills no memory."""

import asyncio
import logging
from collections.abc import Callable

import pytest

from tests.support.command import Serve
from tests.support.otlp_collector import GENEROUS_SECONDS, Collector
from tests.support.redis_server import free_port
from tests.support.sidecar import Log, Sidecar, Start

EVENT = b'{"event_type":"pageview"}'
CANNOT, AGAIN = "telemetry cannot be exported, it is dropped", "telemetry exported again"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up an export after its first try: the pause before the second one takes longer."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.75")


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(GENEROUS_SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


def told(log: Log, message: str) -> list[str]:
    return [line for line in log.lines if message in line]


def waiting_spans(sidecar: Sidecar) -> int:
    assert sidecar.server._telemetry
    return len(sidecar.server._telemetry._exporter._spans)


async def test_a_frozen_collector_delays_no_request_and_keeps_no_server_from_stopping(
    collector: Collector, start: Start
) -> None:
    collector.frozen = True
    sidecar = await start(
        otlp_endpoint=collector.url, otlp_trace_ratio=1.0, otlp_interval_ms=1, shutdown_timeout_ms=500
    )
    await collector.until(lambda: collector.requests["metrics"])

    for _ in range(20):
        assert (await sidecar.post("/api/v1/event?token=a", EVENT)).status == 200
    assert sum(collector.requests.values()) == 1  # it still waits for the answer to the first
    async with asyncio.timeout(GENEROUS_SECONDS):
        await sidecar.server.stop()


async def test_spans_beyond_a_bound_are_dropped_and_counted(
    collector: Collector, start: Start, log: Log, impatient: None
) -> None:
    from eventscache.telemetry.exporter import MAX_WAITING_SPANS

    collector.frozen = True
    sidecar = await start(otlp_endpoint=collector.url, otlp_trace_ratio=1.0, otlp_interval_ms=10)
    await sidecar.get("/ping")
    await collector.until(lambda: collector.requests["traces"])

    await until(lambda: told(log, CANNOT))
    tracer = sidecar.server._telemetry._tracing._tracer  # type: ignore[union-attr]
    for _ in range(3 * MAX_WAITING_SPANS):
        tracer.start_span("a").end()
    assert waiting_spans(sidecar) <= MAX_WAITING_SPANS

    collector.frozen = False
    collector._released.set()
    await until(lambda: [line for line in told(log, AGAIN) if "'traces'" in line])
    (line,) = [line for line in told(log, AGAIN) if "'traces'" in line]
    dropped = int(line.partition("'dropped_spans': ")[2].split(",")[0])
    assert 2 * MAX_WAITING_SPANS <= dropped <= 3 * MAX_WAITING_SPANS + 1


async def test_more_spans_than_can_be_exported_are_told_once(collector: Collector, start: Start, log: Log) -> None:
    from eventscache.telemetry.exporter import MAX_WAITING_SPANS

    sidecar = await start(otlp_endpoint=collector.url, otlp_trace_ratio=1.0, otlp_interval_ms=10)
    tracer = sidecar.server._telemetry._tracing._tracer  # type: ignore[union-attr]
    for _ in range(2):
        collector.spans.clear()
        for _ in range(MAX_WAITING_SPANS + 1):
            tracer.start_span("a").end()
        await collector.until(lambda: len(collector.spans) == MAX_WAITING_SPANS)
    await until(lambda: told(log, "more spans than can be exported"))
    await collector.until(lambda: collector.requests["metrics"] > 3)

    assert len(told(log, "more spans than can be exported")) == 1
    assert not told(log, CANNOT)


@pytest.mark.parametrize("status", [404, 503])
async def test_the_log_tells_once_that_the_collector_takes_nothing_and_once_that_it_does_again(
    collector: Collector, start: Start, log: Log, impatient: None, status: int
) -> None:
    collector.status = status
    await start(otlp_endpoint=collector.url, otlp_trace_ratio=0.0, otlp_interval_ms=1)
    await collector.until(lambda: collector.requests["metrics"] > 5)
    collector.status = 200
    await until(lambda: told(log, AGAIN))
    await collector.until(lambda: len(collector.bodies) > 5)

    (line,) = told(log, CANNOT)
    assert f"the collector answers {status}" in line
    assert "'signal': 'metrics'" in line
    assert len(told(log, AGAIN)) == 1
    assert [line for line in log.lines if "Failed to export" in line or "Transient" in line] == []


async def test_a_collector_that_is_away_is_told_once(
    collector: Collector, start: Start, log: Log, impatient: None
) -> None:
    sidecar = await start(otlp_endpoint=f"http://127.0.0.1:{free_port()}", otlp_trace_ratio=1.0, otlp_interval_ms=1)
    await sidecar.get("/ping")
    await until(lambda: len(told(log, CANNOT)) == 2)
    await sidecar.still_serves()
    await sidecar.server.stop()

    lines = told(log, CANNOT)
    assert sorted(line.partition("'signal': ")[2].split(",")[0] for line in lines) == ["'metrics'", "'traces'"]
    assert all("the collector does not answer" in line for line in lines)
    assert logging.getLogger("opentelemetry").level == logging.NOTSET


@pytest.mark.slow
async def test_a_process_ends_although_the_collector_is_frozen(collector: Collector, serve: Serve) -> None:
    collector.frozen = True
    process = serve(
        EVENTSCACHE_OTLP_ENDPOINT=collector.url,
        EVENTSCACHE_OTLP_INTERVAL_MS="1",
        OTEL_EXPORTER_OTLP_TIMEOUT="3600",
    )
    await collector.until(lambda: collector.requests["metrics"])

    assert await asyncio.to_thread(process.stop) == 0
    assert process.log[-1]["event"] == "stopped"
    assert collector.requests["metrics"] == 1
