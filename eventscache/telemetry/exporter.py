"""Exports spans and metrics at intervals, in a thread, so that the event loop never waits for a collector."""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import structlog
from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from eventscache.telemetry.collector import Collector

_log = structlog.get_logger()

MAX_WAITING_SPANS = 2048
"""How many spans wait for the collector; what comes then is dropped."""
BATCH_SPANS = 128  # some milliseconds of work, for which the event loop may have to wait
_T = TypeVar("_T")


class _Exported(NamedTuple):
    """What became of an export: whether the collector took spans and metrics, None if there were none."""

    traces: bool | None
    lost_spans: int
    metrics: bool | None


class Exporter(SpanProcessor):
    """Exports what it is given. While the collector is away, slow or frozen, spans are dropped, and metrics skipped.

    `take_metrics` is called on the event loop. Metrics are sent every `interval_seconds`, spans with them and as soon
    as there are many.
    """

    def __init__(self, collector: Collector, take_metrics: Callable[[], MetricsData], interval_seconds: float) -> None:
        self._collector = collector
        self._take_metrics = take_metrics
        self._interval_seconds = interval_seconds
        self._spans: deque[ReadableSpan] = deque()
        self._dropped = 0
        self._told_of_too_many = False
        self._many = asyncio.Event()
        self._exporting: asyncio.Task[None] | None = None
        self._under_way: asyncio.Future[_Exported] | None = None

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that has ended, on the event loop."""
        waiting = len(self._spans)
        if waiting >= MAX_WAITING_SPANS:
            self._dropped += 1
            return
        self._spans.append(span)
        if waiting >= BATCH_SPANS and not self._collector.traces.failing:
            self._many.set()

    def start(self) -> None:
        """Start exporting, on the running loop."""
        self._exporting = asyncio.create_task(self._export_regularly())

    async def stop(self, timeout_seconds: float) -> None:
        """Export what there is once more, within the timeout; not to a collector that did not take the last metrics."""
        if self._exporting is None:
            return
        self._exporting.cancel()
        await asyncio.gather(self._exporting, return_exceptions=True)
        self._exporting = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                if self._under_way:
                    await asyncio.wait([self._under_way])
                if not self._collector.metrics.failing:
                    await self._export(with_metrics=True)
        self._collector.close()

    async def _export_regularly(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + self._interval_seconds
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._many.wait()
            is_due = loop.time() >= due
            await self._export(with_metrics=is_due)
            if is_due:
                due = max(due, loop.time()) + self._interval_seconds

    async def _export(self, *, with_metrics: bool) -> None:
        """Export all spans that wait now, and the metrics of this moment."""
        self._many.clear()
        metrics = self._take_metrics() if with_metrics else None
        self._under_way = _in_thread(lambda: self._send(metrics))
        exported = await asyncio.shield(self._under_way)  # it cannot be cancelled
        self._dropped += exported.lost_spans
        if exported.traces is not None:
            self._note_traces(taken=exported.traces)
        if exported.metrics is not None:
            self._collector.metrics.note(taken=exported.metrics)

    def _note_traces(self, *, taken: bool) -> None:
        """Log what became of spans: of a collector at each change, of too many spans once."""
        traces = self._collector.traces
        if taken and self._dropped and not (traces.failing or self._told_of_too_many):
            self._told_of_too_many = True
            _log.warning("more spans than can be exported, some are dropped: lower eventscache.otlp.trace_ratio")
        traces.note(taken=taken, dropped=self._dropped)
        if taken:
            self._dropped = 0

    def _send(self, metrics: MetricsData | None) -> _Exported:
        """Send spans until one batch is not taken, then metrics. Called in a thread."""
        traces: bool | None = None
        lost = 0
        for _ in range(0, len(self._spans), BATCH_SPANS):
            batch = [self._spans.popleft() for _ in range(min(BATCH_SPANS, len(self._spans)))]
            traces = self._collector.traces.export(batch)
            if not traces:
                lost = len(batch)
                break
        return _Exported(traces, lost, None if metrics is None else self._collector.metrics.export(metrics))


def _in_thread(work: Callable[[], _T]) -> "asyncio.Future[_T]":
    """Run work in a thread that does not keep the process from ending, as those of executors do."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[_T] = loop.create_future()

    def resolve(result: _T | None, fault: Exception | None) -> None:
        if fault:
            outcome.set_exception(fault)
        else:
            outcome.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: _T | None = None
        fault: Exception | None = None
        try:
            result = work()
        except Exception as raised:  # goes to who waits for the outcome
            fault = raised
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(resolve, result, fault)

    threading.Thread(target=run, name="otlp", daemon=True).start()
    return outcome
