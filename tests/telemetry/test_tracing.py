"""Spans of requests and of storage calls."""

import asyncio
import contextlib

import pytest

from eventscache.errors import StorageUnavailable
from eventscache.server.routes.static_files import page_routes
from eventscache.server.routing import ROUTES
from eventscache.storage.base import Storage
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Page, Query
from eventscache.storage.options import StorageOptions
from eventscache.stream import Stream
from tests.support.otlp_collector import Collector, require_opentelemetry, values_of
from tests.support.sidecar import CACHE, Sidecar, Start

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, NOT_SAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"
EVENT = b'{"event_type":"pageview"}'
HARDLY_EVER = 1e-12


def tracing(collector: Collector, ratio: float = 1.0) -> dict[str, object]:
    return {"otlp_endpoint": collector.url, "otlp_trace_ratio": ratio, "otlp_interval_ms": 20}


async def test_a_request_is_a_span_with_its_method_route_status_and_size(collector: Collector, start: Start) -> None:
    sidecar = await start(**tracing(collector))
    await sidecar.post("/api/v1/event?token=s3cr3t", EVENT)
    await collector.until(lambda: collector.named("POST /api/v1/event"))

    (span,) = collector.named("POST /api/v1/event")
    assert span.kind == span.SPAN_KIND_SERVER
    assert not span.parent_span_id
    assert span.start_time_unix_nano <= span.end_time_unix_nano
    assert values_of(span.attributes) == {
        "http.request.method": "POST",
        "http.route": "/api/v1/event",
        "http.request.body.size": len(EVENT),
        "http.response.status_code": 200,
        "url.scheme": "http",
    }
    assert span.status.code == span.status.STATUS_CODE_UNSET


async def test_a_read_has_its_storage_calls_as_children(collector: Collector, start: Start) -> None:
    sidecar = await start(**tracing(collector))
    await sidecar.get(f"{CACHE}?ids=a,b", traceparent=SAMPLED)
    await collector.until(lambda: collector.named(f"GET {CACHE}"))

    (span,) = collector.named(f"GET {CACHE}")
    reads = collector.named("storage fetch")
    assert len(reads) == 2
    assert {read.parent_span_id for read in reads} == {span.span_id}
    assert {read.trace_id.hex() for read in reads} == {TRACE}
    assert values_of(reads[0].attributes) == {"db.operation.name": "fetch"}
    assert values_of(span.attributes)["eventscache.storage_reads"] == 2


async def test_a_trace_of_a_client_is_continued(collector: Collector, start: Start) -> None:
    sidecar = await start(**tracing(collector, HARDLY_EVER))
    await sidecar.get("/livez", traceparent=NOT_SAMPLED)
    await sidecar.get("/ping")
    await sidecar.get("/ping", traceparent=SAMPLED.replace(TRACE, "0" * 32))
    await sidecar.get("/readyz", traceparent=SAMPLED)
    await collector.until(lambda: collector.named("GET /readyz"))

    (span,) = [span for span in collector.spans if span.kind == span.SPAN_KIND_SERVER]
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)


async def test_a_client_that_does_not_trace_a_request_decides_too(collector: Collector, start: Start) -> None:
    sidecar = await start(**tracing(collector))
    await sidecar.get("/livez", traceparent=NOT_SAMPLED)
    await sidecar.get("/ping", traceparent="00-nonsense")  # not valid: as if it were not there
    await collector.until(lambda: collector.named("GET /ping"))
    assert not collector.named("GET /livez")
    assert not collector.named("GET /ping")[0].parent_span_id


async def test_no_client_can_have_more_than_some_requests_traced_in_a_second(
    collector: Collector, start: Start
) -> None:
    from eventscache.telemetry.tracing import MAX_CONTINUED_PER_SECOND

    sidecar = await start(**tracing(collector, HARDLY_EVER))
    assert sidecar.server._telemetry
    traces = sidecar.server._telemetry._tracing
    assert traces
    times = [traces._second]
    traces._now = lambda: times[-1]
    for _ in range(MAX_CONTINUED_PER_SECOND + 20):
        await sidecar.get("/ping", traceparent=SAMPLED)
    times.append(times[-1] + 1)
    await sidecar.get("/livez", traceparent=SAMPLED)
    await collector.until(lambda: collector.named("GET /livez"))

    assert len(collector.named("GET /ping")) == MAX_CONTINUED_PER_SECOND


async def test_inserts_have_traces_of_their_own(collector: Collector, start: Start) -> None:
    sidecar = await start(**tracing(collector))
    two = b'[{"destination_id":"a","original":{}},{"destination_id":"a","original":{}}]'
    await sidecar.record(two, traceparent=SAMPLED)
    await collector.until(lambda: collector.named("storage insert_many") and collector.named(f"POST {CACHE}"))

    for insert in collector.named("storage insert_many"):  # the first one asks whether the stream is known
        assert insert.trace_id.hex() != TRACE
        assert not insert.parent_span_id
        attributes = values_of(insert.attributes)
        assert (attributes["db.operation.batch.size"], attributes["eventscache.events"]) == (1, 2)
        assert insert.status.code == insert.status.STATUS_CODE_UNSET


@pytest.mark.parametrize(
    ("method", "path", "name", "status"),
    [
        ("GET", "/nowhere/s3cr3t", "GET", 404),
        ("DELETE", "/api/v1/event/s3cr3t", "DELETE", 404),
        ("PUT", "/api/v1/event", "PUT /api/v1/event", 405),
        ("PURGE", "/api/v1/event", "HTTP /api/v1/event", 405),
        ("GET", "/log/incoming.all/s3cr3t", "GET /log/{type}.{level}/{actor}", 200),
        ("POST", "/v1/projects/s3cr3t/settings", "POST /v1/projects/{key}/settings", 200),
        ("POST", "/api.s3cr3t", "POST /api.{anything}", 200),
        ("POST", "/mirror/api/v1/event?token=s3cr3t", "POST /mirror/api/v1/event", 204),
        ("POST", "/mirror/s3cr3t", "POST /mirror/{path}", 204),
        ("HEAD", "/livez", "HEAD /livez", 200),
    ],
)  # fmt: skip
async def test_a_span_is_named_by_the_declared_route_and_holds_no_secret(
    collector: Collector, start: Start, method: str, path: str, name: str, status: int
) -> None:
    sidecar = await start(**tracing(collector))
    head = "Host: localhost\r\nX-Auth-Token: s3cr3t\r\nContent-Length: 2\r\nConnection: close"
    await sidecar.raw(f"{method} {path} HTTP/1.1\r\n{head}\r\n\r\n{{}}".encode())
    await collector.until(lambda: collector.named(name))

    (span,) = collector.named(name)
    assert values_of(span.attributes)["http.response.status_code"] == status
    assert not any(b"s3cr3t" in body.lower() for body in collector.bodies)


class Broken(MemoryStorage):
    """Cannot be read."""

    async def fetch(self, stream: Stream, query: Query) -> Page:
        raise StorageUnavailable("s3cr3t")


async def test_an_error_of_the_server_is_one_in_its_span(collector: Collector, start: Start) -> None:
    sidecar = await start(Broken(StorageOptions()), **tracing(collector))
    assert (await sidecar.get(f"{CACHE}?ids=a")).status == 503
    await collector.until(lambda: collector.named(f"GET {CACHE}"))

    (span,), (read,) = collector.named(f"GET {CACHE}"), collector.named("storage fetch")
    assert span.status.code == read.status.code == span.status.STATUS_CODE_ERROR
    assert values_of(span.attributes)["error.type"] == "503"
    assert values_of(read.attributes)["error.type"] == "StorageUnavailable"
    assert not any(b"s3cr3t" in body for body in collector.bodies)


async def test_polls_for_all_subscribers_belong_to_no_request(collector: Collector, start: Start) -> None:
    sidecar = await start(**tracing(collector))
    stream = b"GET /api/v1/events/stream?ids=a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    counters = asyncio.create_task(sidecar.raw(stream, until=b"event: counters"))  # after a second of polls
    await counters
    await collector.until(lambda: collector.named("GET /api/v1/events/stream"))

    polls = sidecar.cache.storage_calls.reads.counts
    assert sum(polls) > len(collector.named("storage fetch"))


async def test_few_calls_of_a_request_have_spans_of_their_own(collector: Collector, start: Start) -> None:
    from eventscache.telemetry.tracing import MAX_CHILD_SPANS

    sidecar = await start(**tracing(collector))
    ids = ",".join(f"id{number}" for number in range(MAX_CHILD_SPANS + 40))
    await sidecar.get(f"{CACHE}?ids={ids}")
    await collector.until(lambda: collector.named(f"GET {CACHE}"))

    (span,) = collector.named(f"GET {CACHE}")
    assert len(collector.named("storage fetch")) == MAX_CHILD_SPANS
    assert values_of(span.attributes)["eventscache.storage_reads"] == MAX_CHILD_SPANS + 40


async def test_a_share_of_requests_and_inserts_is_traced(collector: Collector, start: Start) -> None:
    sidecar = await start(**tracing(collector, 0.25))
    for _ in range(400):
        await sidecar.get("/ping")
    await sidecar.get("/livez", traceparent=SAMPLED)
    await collector.until(lambda: collector.named("GET /livez"))
    assert 50 < len(collector.named("GET /ping")) < 150  # outside once in 10^8


def test_a_traced_storage_leaves_nothing_to_the_defaults_of_the_contract() -> None:
    require_opentelemetry()
    from eventscache.telemetry.traced_storage import TracedStorage

    members = {name for name in vars(Storage) if not name.startswith("_")} - {"multiprocess"}  # asked of the class
    assert members - set(vars(TracedStorage)) == set()


def handlers_of(sidecar: Sidecar) -> dict[tuple[str, str], object]:
    router = getattr(sidecar.server._connections.request_handler, "__self__", None)
    assert router is not None
    return {
        (method, path): handler for path, by_method in router._handlers.items() for method, handler in by_method.items()
    }


@pytest.mark.parametrize(
    "changes", [{}, {"otlp_trace_ratio": 0.0, "otlp_endpoint": "http://127.0.0.1:9", "shutdown_timeout_ms": 100}]
)
async def test_without_traces_nothing_is_wrapped(start: Start, changes: dict[str, object]) -> None:
    if changes:
        require_opentelemetry()
    storage = MemoryStorage(StorageOptions())
    sidecar = await start(storage, **changes)

    handlers = handlers_of(sidecar)
    declared = {(method, path): handler for method, path, handler in ROUTES}
    assert {key: handlers[key] for key in declared} == declared
    assert len(handlers) == len(declared) + len([*page_routes()])
    assert sidecar.cache._storage is storage
    assert sidecar.cache.queue.sender._storage is storage


async def test_a_client_that_leaves_ends_its_span(collector: Collector, start: Start) -> None:
    sidecar = await start(**tracing(collector))
    request = b"POST /api/v1/event?token=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"
    with contextlib.suppress(TimeoutError):
        _, writer = await asyncio.open_connection(*sidecar.server._runner.addresses[0][:2])
        writer.write(request)
        await writer.drain()
        writer.transport.abort()
    await collector.until(lambda: collector.named("POST /api/v1/event"))
    (span,) = collector.named("POST /api/v1/event")
    assert span.end_time_unix_nano
