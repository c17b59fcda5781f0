"""An OpenTelemetry collector: it takes traces and metrics by OTLP over HTTP; the official classes decode them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING, Any, Self

import pytest
from aiohttp import web

from tests.support.missing import missing

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint, Metric
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

GENEROUS_SECONDS = 20


def require_opentelemetry() -> None:
    """Skip the test, or fail in CI, if the extra `otel` is not installed."""
    try:
        import opentelemetry.exporter.otlp.proto.http
        import opentelemetry.sdk.trace  # noqa: F401
    except ImportError as fault:
        missing(f"eventscache[otel] is not installed: {fault}")


def values_of(attributes: "Iterable[KeyValue]") -> dict[str, Any]:
    """Return attributes by their names."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "string_value") for each in attributes}


class Collector:
    """What was exported, decoded. While it is `frozen` it answers nothing, else with `status`."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.metrics: dict[str, dict[str, Metric]] = {}
        """The last ones of each process, by its instance id."""
        self.resources: dict[str, dict[str, Any]] = {}
        self.requests: Counter[str] = Counter()
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.status = 200
        self.frozen = False
        self._released = asyncio.Event()
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/v1/{signal}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = "http://{}:{}".format(*self._runner.addresses[0])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._released.set()
        await self._runner.cleanup()

    async def until(self, condition: Callable[[], object]) -> None:
        """Return when an export has made a condition true."""
        async with asyncio.timeout(GENEROUS_SECONDS), self._changed:
            await self._changed.wait_for(condition)

    def named(self, name: str) -> "list[Span]":
        """Return the spans of a name."""
        return [span for span in self.spans if span.name == name]

    def value(self, name: str, **labels: str) -> float | None:
        """Return the value of a counter or gauge of the only process, None if there is none yet."""
        (metrics,) = self.metrics.values() or [{}]
        if name not in metrics:
            return None
        metric = metrics[name]
        points = metric.sum.data_points if metric.HasField("sum") else metric.gauge.data_points
        (point,) = [point for point in points if values_of(point.attributes) == labels]
        return point.as_int if point.HasField("as_int") else point.as_double

    def histogram(self, name: str, **labels: str) -> "HistogramDataPoint | None":
        """Return the histogram of the only process, None if there is none yet."""
        (metrics,) = self.metrics.values() or [{}]
        points = metrics[name].histogram.data_points if name in metrics else []
        return next((point for point in points if values_of(point.attributes) == labels), None)

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        signal = request.match_info["signal"]
        self.requests[signal] += 1
        self.headers.append(dict(request.headers))
        if self.frozen:
            await self._tell()
            await self._released.wait()
        if self.status == 200:
            self.bodies.append(body)
            decode = {"traces": self._add_spans, "metrics": self._add_metrics}[signal]
            decode(body)
        await self._tell()
        return web.Response(status=self.status, content_type="application/x-protobuf")

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _add_spans(self, body: bytes) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.spans += scope.spans

    def _add_metrics(self, body: bytes) -> None:
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            attributes = values_of(resource.resource.attributes)
            instance = attributes["service.instance.id"]
            self.resources[instance] = attributes
            (scope,) = resource.scope_metrics
            self.metrics[instance] = {metric.name: metric for metric in scope.metrics}


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    """A collector on a free port, if OpenTelemetry is installed; ask for it before `start`, so that it ends later."""
    require_opentelemetry()
    async with Collector() as running:
        yield running
