"""Which requests and storage calls are traced, and the spans of those that are."""

import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from random import random
from typing import Protocol

from aiohttp import web
from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from eventscache.telemetry.trace_parent import TraceParent, parse_trace_parent

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

MAX_CHILD_SPANS = 64
"""How many storage calls of one request have spans; a lookup can make thousands."""
MAX_CONTINUED_PER_SECOND = 100
"""How many traces of clients are continued: anybody can send the header, and a trace costs several requests' time."""
_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
_SERVER_ERROR = 500


class Router(Protocol):
    """Answers requests, and knows their routes."""

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the response to a request."""

    def route_of(self, request: web.BaseRequest) -> str:
        """Return the path by which the route of a request was declared; an empty text if there is none."""


class RequestSpan:
    """The span of a request that is being answered."""

    __slots__ = ("reads", "span")

    def __init__(self, span: Span) -> None:
        self.span = span
        self.reads = 0


_current: ContextVar[RequestSpan | None] = ContextVar("request_span", default=None)


class Tracing:
    """Traces a share of all requests, and of the storage's inserts.

    A request that names its client's span in `traceparent` is traced if its client traces it, and belongs to it; as far
    as there are not too many of these. A request that is not traced costs one call. `now` returns seconds.
    """

    def __init__(self, tracer: Tracer, ratio: float, *, now: Callable[[], float] = time.monotonic) -> None:
        self._tracer = tracer
        self._ratio = ratio
        self._now = now
        self._second = now()
        self._continued = 0  # since then

    def traced(self, router: Router) -> Answer:
        """Return what answers requests as the router does, and traces some of them."""
        answer, ratio = router.answer, self._ratio

        def traced_answer(request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
            parent = None
            if "traceparent" in request.headers:
                headers = request.headers.getall("traceparent")
                parent = parse_trace_parent(headers[0]) if len(headers) == 1 else None
            if self._continues(parent) if parent else random() < ratio:  # noqa: S311 - a sample
                return self._traced(router, request, parent)
            return answer(request)

        return traced_answer

    def _continues(self, parent: TraceParent) -> bool:
        """Whether the trace of a client is continued."""
        if not parent.sampled:
            return False
        if (now := self._now()) - self._second >= 1:
            self._second, self._continued = now, 0
        self._continued += 1
        return self._continued <= MAX_CONTINUED_PER_SECOND

    async def _traced(self, router: Router, request: web.BaseRequest, parent: TraceParent | None) -> web.StreamResponse:
        span = self._start(router.route_of(request), request, parent)
        current = RequestSpan(span)
        token = _current.set(current)
        try:
            response = await router.answer(request)
        except BaseException as fault:  # the client has left, or the server stops
            fail(span, fault)
            raise
        else:
            _add_response(span, response)
            return response
        finally:
            _current.reset(token)
            if current.reads:
                span.set_attribute("eventscache.storage_reads", current.reads)
            span.end()

    def _start(self, route: str, request: web.BaseRequest, parent: TraceParent | None) -> Span:
        """Start the span of a request. Nothing of its path but the route is in it, and no query: ids may be secret."""
        method = request.method if request.method in _METHODS else "_OTHER"
        attributes: dict[str, str | int] = {"http.request.method": method, "url.scheme": request.scheme}
        if route:
            attributes["http.route"] = route
        if request.content_length is not None:
            attributes["http.request.body.size"] = request.content_length
        name = "HTTP" if method == "_OTHER" else method
        return self._tracer.start_span(
            f"{name} {route}" if route else name, context=_context(parent), kind=SpanKind.SERVER, attributes=attributes
        )

    def read_span(self, operation: str) -> Span | None:
        """Start the span of a storage call of the request that is being answered; None if that is not traced."""
        request = _current.get()
        if request is None or not request.span.is_recording():
            return None
        request.reads += 1
        if request.reads > MAX_CHILD_SPANS:
            return None
        return self._start_call(operation, set_span_in_context(request.span, Context()))

    def insert_span(self, operation: str) -> Span | None:
        """Start the span of a storage call that serves many requests, in a trace of its own, or return None."""
        return self._start_call(operation, Context()) if random() < self._ratio else None  # noqa: S311 - a sample

    def _start_call(self, operation: str, context: Context) -> Span:
        attributes = {"db.operation.name": operation}
        return self._tracer.start_span(
            f"storage {operation}", context=context, kind=SpanKind.CLIENT, attributes=attributes
        )


def fail(span: Span, fault: BaseException) -> None:
    """Note in a span what went wrong, without its message: that can name ids."""
    span.set_attribute("error.type", type(fault).__qualname__)
    span.set_status(StatusCode.ERROR)


def _context(parent: TraceParent | None) -> Context:
    if parent is None:
        return Context()
    remote = SpanContext(parent.trace_id, parent.span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return set_span_in_context(NonRecordingSpan(remote), Context())


def _add_response(span: Span, response: web.StreamResponse) -> None:
    span.set_attribute("http.response.status_code", response.status)
    if response.content_length is not None:
        span.set_attribute("http.response.body.size", response.content_length)
    if response.status >= _SERVER_ERROR:
        span.set_attribute("error.type", str(response.status))
        span.set_status(StatusCode.ERROR)
