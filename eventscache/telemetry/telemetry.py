"""Traces and metrics of one process, from where they are made to the collector."""

import time
import uuid
from collections.abc import Callable

from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Tracer

from eventscache import __version__
from eventscache.metrics.snapshot import MetricsSnapshot
from eventscache.storage.base import Storage
from eventscache.telemetry.collector import Collector
from eventscache.telemetry.exporter import Exporter
from eventscache.telemetry.metric_points import metrics_data
from eventscache.telemetry.traced_storage import TracedStorage
from eventscache.telemetry.tracing import Answer, Router, Tracing


class Telemetry:
    """Makes spans and metrics of a process, and sends them to `endpoint`. It belongs to the process that makes it.

    `trace_ratio` is the share of requests that are traced, `worker` the number of the process if there are several.
    """

    def __init__(
        self,
        endpoint: str,
        take_snapshot: Callable[[], MetricsSnapshot],
        *,
        trace_ratio: float,
        interval_seconds: float,
        worker: int | None = None,
    ) -> None:
        self._take_snapshot = take_snapshot
        self._resource = resource(worker)
        self._start_ns = time.time_ns()
        self._exporter = Exporter(Collector(endpoint), self._take_metrics, interval_seconds)
        self._tracing = Tracing(self._tracer(), trace_ratio) if trace_ratio else None

    def storage(self, storage: Storage) -> Storage:
        """Return a storage whose calls are traced; the same one if nothing is traced."""
        return TracedStorage(storage, self._tracing) if self._tracing else storage

    def answer(self, router: Router) -> Answer:
        """Return what answers as the router does, and traces requests; the router itself if nothing is traced."""
        return self._tracing.traced(router) if self._tracing else router.answer

    def start(self) -> None:
        """Start sending, on the running loop."""
        self._exporter.start()

    async def stop(self, timeout_seconds: float) -> None:
        """Send what there is once more, within the timeout; safe to call before `start` too."""
        await self._exporter.stop(timeout_seconds)

    def _tracer(self) -> Tracer:
        # Who is traced is decided before there is a span. Nothing is left to do when the interpreter ends.
        provider = TracerProvider(sampler=ALWAYS_ON, resource=self._resource, shutdown_on_exit=False)
        provider.add_span_processor(self._exporter)
        return provider.get_tracer("eventscache", __version__)

    def _take_metrics(self) -> MetricsData:
        return metrics_data(self._take_snapshot(), self._resource, self._start_ns, time.time_ns())


def resource(worker: int | None = None) -> Resource:
    """Return what describes this process; OpenTelemetry's own environment variables override our values.

    An instance id from there gets the number of the worker, since no two processes may have the same.
    """
    given = dict(OTELResourceDetector().detect().attributes)
    if worker is not None and "service.instance.id" in given:
        given["service.instance.id"] = f"{given['service.instance.id']}-{worker}"
    ours = {
        "service.name": "eventscache",
        "service.version": __version__,
        "service.instance.id": str(uuid.uuid4()),
    }
    return Resource.create({**ours, **given})
