"""The metrics of one process, from where they are counted to the collector."""

import time
import uuid
from collections.abc import Callable

from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.resources import OTELResourceDetector, Resource

from eventscache import __version__
from eventscache.metrics.snapshot import MetricsSnapshot
from eventscache.telemetry.collector import Collector
from eventscache.telemetry.exporter import Exporter
from eventscache.telemetry.metric_points import metrics_data


class Telemetry:
    """Sends the metrics of a process to `endpoint`. It belongs to the process that makes it.

    `worker` is the number of the process if there are several.
    """

    def __init__(
        self,
        endpoint: str,
        take_snapshot: Callable[[], MetricsSnapshot],
        *,
        interval_seconds: float,
        worker: int | None = None,
    ) -> None:
        self._take_snapshot = take_snapshot
        self._resource = resource(worker)
        self._start_ns = time.time_ns()
        self._exporter = Exporter(Collector(endpoint), self._take_metrics, interval_seconds)

    def start(self) -> None:
        """Start sending, on the running loop."""
        self._exporter.start()

    async def stop(self, timeout_seconds: float) -> None:
        """Send what there is once more, within the timeout; safe to call before `start` too."""
        await self._exporter.stop(timeout_seconds)

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
