"""The collector at the other end: one address for each signal, over HTTP with protobuf."""

import logging
import os
from collections.abc import Callable, Sequence
from typing import Final, Generic, Literal, TypeVar

import requests
import structlog
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from eventscache.logs import hide_secrets

_log = structlog.get_logger()
_Data = TypeVar("_Data")
_SignalName = Literal["traces", "metrics"]
_VARIABLES: Final[dict[_SignalName, str]] = {
    "traces": "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "metrics": "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
}


class Signal(Generic[_Data]):
    """Sends one kind of data, and logs once when the collector does not take it, and once when it does again."""

    def __init__(self, name: _SignalName, url: str, session: "_Session", send: Callable[[_Data], bool]) -> None:
        self.failing = False
        self._name = name
        self._url = url
        self._session = session
        self._send = send

    def export(self, data: _Data) -> bool:
        """Send data, and return whether the collector took it. It takes as long as the collector: not on the loop."""
        self._session.status = None
        try:
            return self._send(data)
        except Exception:  # a bug of the library: no worse than a collector that is away
            return False

    def note(self, *, taken: bool, dropped: int = 0) -> None:
        """Log if the collector no longer takes the data, or takes it again; `dropped` spans were lost meanwhile."""
        if taken is not self.failing:
            return
        self.failing = not taken
        status = self._session.status
        url = hide_secrets(self._url)
        if taken:
            _log.info("telemetry exported again", signal=self._name, url=url, dropped_spans=dropped)
        else:
            reason = "the collector does not answer" if status is None else f"the collector answers {status}"
            _log.warning("telemetry cannot be exported, it is dropped", signal=self._name, url=url, reason=reason)


class _Session(requests.Session):
    """Connections that know the status of the last answer."""

    def __init__(self) -> None:
        super().__init__()
        self.status: int | None = None
        self.hooks["response"] = [self._note]

    def _note(self, response: requests.Response, *_: object, **__: object) -> None:
        self.status = response.status_code


class Collector:
    """Takes spans and metrics. Its two signals may be used by one thread at a time.

    OpenTelemetry's own environment variables for headers, timeouts, certificates and compression hold, and those for
    the endpoint of one signal.
    """

    def __init__(self, endpoint: str) -> None:
        traces, metrics = _Session(), _Session()
        traces_url, metrics_url = _url(endpoint, "traces"), _url(endpoint, "metrics")
        self._spans = OTLPSpanExporter(traces_url, session=traces)
        self._metrics = OTLPMetricExporter(metrics_url, session=metrics)
        self.traces = Signal[Sequence[ReadableSpan]]("traces", traces_url, traces, self._send_spans)
        self.metrics = Signal[MetricsData]("metrics", metrics_url, metrics, self._send_metrics)
        for module in (OTLPSpanExporter.__module__, OTLPMetricExporter.__module__):
            logging.getLogger(module).setLevel(logging.CRITICAL)  # they log each try, our signals each change

    def close(self) -> None:
        """Send nothing more; a call that waits to try again ends."""
        self._spans.shutdown()  # type: ignore[no-untyped-call]
        self._metrics.shutdown()

    def _send_spans(self, spans: Sequence[ReadableSpan]) -> bool:
        return self._spans.export(spans) is SpanExportResult.SUCCESS

    def _send_metrics(self, metrics: MetricsData) -> bool:
        return self._metrics.export(metrics) is MetricExportResult.SUCCESS


def _url(endpoint: str, name: _SignalName) -> str:
    return os.environ.get(_VARIABLES[name]) or f"{endpoint}/v1/{name}"
