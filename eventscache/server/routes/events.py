"""`/api/v1/events/cache`: reading events as in Jitsu, and writing and clearing them."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import msgspec
from aiohttp import web

from eventscache.cache import EventPage, EventsCache, WrittenPage
from eventscache.delivery.producer import Producer
from eventscache.errors import NewStreamsRefused, NotStored, StorageUnavailable
from eventscache.event import Event
from eventscache.ingest import formats
from eventscache.ingest.limits import BatchTooLarge
from eventscache.ingest.parsed import Parsed, Parser
from eventscache.live.stream_filter import StreamFilter
from eventscache.query.filter import EventFilter
from eventscache.query.turns import Work
from eventscache.server.context import Context, Route
from eventscache.server.http.body import MalformedBody
from eventscache.server.http.extra_parameters import scope_of
from eventscache.server.http.parameters import Parameters, parameters
from eventscache.server.http.responses import HttpError, json_response, prebuilt_response, streamed_response
from eventscache.server.ingestion.scope_room import require_scope_room
from eventscache.server.rejections import keep_malformed, reject_records, reject_unread
from eventscache.server.routes.long_poll import wait_for_events
from eventscache.server.routes.subscriptions import stream_filter_of
from eventscache.storage.messages import UNLIMITED, Query
from eventscache.stream import Stream

_DEFAULT_LIMIT = 100
_CLEARING = (
    "namespace",
    "ids",
    "all",
    "reset",
    "scope",
    "token",
)  # the parameters of DELETE; `token` is for authentication
_LARGE_BYTES = 4 * 1024 * 1024


async def get_events(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Answer with the last events of streams, written stream by stream."""
    reader = context.access.require_reader(request)
    params = parameters(request)
    stream_filter = stream_filter_of(context, request, params, reader)
    query = _query(params, stream_filter)
    if (query.before is not None or query.after is not None) and len(stream_filter.streams or ()) != 1:
        raise HttpError(400, "invalid_parameter", "before and after need exactly one id in ids")
    await wait_for_events(context, request, params, stream_filter, query, reader=reader)
    as_lines = formats.NDJSON in request.headers.get("Accept", "")
    streams = await stream_filter.resolve(context.cache)
    pages = _pages(context.cache, streams, query, stream_filter.event_filter, as_lines=as_lines)
    if as_lines:
        return await streamed_response(request, formats.NDJSON, _lines(pages))
    return await streamed_response(request, "application/json; charset=utf-8", _object(context, pages))


async def _pages(
    cache: EventsCache, streams: Iterable[Stream], query: Query, event_filter: EventFilter | None, *, as_lines: bool
) -> AsyncIterator[WrittenPage]:
    for number, stream in enumerate(streams):
        if number:
            await cache.turns.next()  # the memory storage itself never lets other tasks run
        if event_filter is None:
            yield await cache.fetch_written(stream, query, as_lines=as_lines)
        else:
            page = await cache.fetch(stream, query, event_filter)
            yield WrittenPage(_rendered(cache, page, as_lines=as_lines), page.total, page.limited)


async def _object(context: Context, pages: AsyncIterator[WrittenPage]) -> AsyncIterator[tuple[bytes, ...]]:
    """Yield a JSON object: the events, then the totals, which are known only when the last stream has been read."""
    total = limited = count = 0
    piece: tuple[bytes, ...] = (b'{"events":[',)
    async for page in pages:
        total += page.total
        limited += page.limited
        async for text, written in page.pieces:
            if count:
                yield piece
                piece = (b",", text)
            else:
                piece += (text,)
            count += written
    totals = (
        b'],"total_events":%d,"last_minute_limited":%d,"cache_capacity_per_interval":%d,"interval_seconds":%d,'
        b'"response_events":%d}' % (total, limited, context.settings.size, context.settings.window_seconds, count)
    )
    yield (*piece, totals)


async def _lines(pages: AsyncIterator[WrittenPage]) -> AsyncIterator[tuple[bytes, ...]]:
    async for page in pages:
        async for text, _ in page.pieces:
            yield text, b"\n"


async def _rendered(cache: EventsCache, page: EventPage, *, as_lines: bool) -> AsyncIterator[tuple[bytes, int]]:
    """Yield the events of a page as they are written, all at once unless they are very large."""
    work = Work(cache.turns)
    render = Event.to_json_line if as_lines else Event.to_json
    separator = b"\n" if as_lines else b","
    rendered: list[bytes] = []
    size_bytes = 0
    for sequence, event in page.events:
        rendered.append(render(event, sequence))
        size_bytes += len(rendered[-1])
        await work.spend(len(rendered[-1]))
        if size_bytes >= _LARGE_BYTES:
            yield separator.join(rendered), len(rendered)
            rendered, size_bytes = [], 0
    if rendered:
        yield separator.join(rendered), len(rendered)


def _query(params: Parameters, stream_filter: StreamFilter) -> Query:
    limit = params.whole_number("limit", least=1)
    return Query(
        stream_filter.status,
        before=params.whole_number("before"),
        after=params.whole_number("after"),
        limit=_DEFAULT_LIMIT if limit is None else min(limit, UNLIMITED),
        extra=stream_filter.extra,
    )


async def post_events(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Take native records, and answer when they are queued, or with `ack=stored` when the storage has them."""
    try:
        producer = context.cache.producers.by_token(context.access.require_writer(request))
        params = parameters(request)
        default = params.stream(context.settings.max_id_bytes)
        wait = params.choice("ack", "queued", "stored") == "stored"
        scope = scope_of(request, keeps_extras=context.cache.keeps_extras)
        parsed = await context.bodies.parse(request, _parser(request), default)
        require_scope_room(context.cache, scope, {stream for stream, _ in parsed.records} if scope else ())
    except (HttpError, BatchTooLarge) as fault:
        raise reject_unread(context.cache, fault) from None
    except MalformedBody as fault:
        body, max_bytes = fault.body.strip(), context.limits.max_malformed_bytes
        # A blank body has nothing to show.
        stream = default if body else None
        await keep_malformed(context.cache, stream, body, str(fault), producer, max_bytes=max_bytes, scope=scope)
        raise HttpError(400, "malformed_body", f"the body cannot be read: {fault}") from None
    reject_records(context.cache, parsed, default)
    errors = _errors(parsed)
    if parsed.errors and not parsed.records:
        raise HttpError(400, "no_valid_record", "no record is valid; errors says why for each", fields=errors)
    counts = {"received": len(parsed.records)}
    if wait:
        counts |= await _store(context, parsed, producer, scope)
    elif not await context.cache.offer_in_turns(parsed.records, producer, scope=scope):
        raise _queue_full()
    status = 200 if wait else 202
    if parsed.errors:
        return json_response({"status": "ok", **counts, **errors}, status)
    return prebuilt_response(request, msgspec.json.encode({"status": "ok", **counts}), status=status)


def _errors(parsed: Parsed) -> dict[str, Any]:
    """Return what an answer says of the invalid records."""
    errors: dict[str, Any] = {"errors": [{"index": index, "message": message} for index, message in parsed.errors]}
    if parsed.errors_omitted:
        errors["errors_omitted"] = parsed.errors_omitted
    return errors


def _parser(request: web.BaseRequest) -> Parser:
    """Return the parser for the content type of a request."""
    parser = formats.NATIVE.get(request.content_type) if "Content-Type" in request.headers else None
    if parser is None:
        types = ", ".join(formats.NATIVE)
        raise HttpError(415, "unsupported_content_type", f"the content type must be one of {types}", {"Accept": types})
    if (request.charset or "utf-8").lower() not in {"utf-8", "utf8"}:
        raise HttpError(415, "unsupported_content_type", "the charset in Content-Type must be UTF-8")
    return parser


async def _store(context: Context, parsed: Parsed, producer: Producer, scope: str) -> dict[str, int]:
    try:
        receipt = await context.cache.store(parsed.records, producer, scope=scope)
    except NotStored as fault:
        counts = {"received": len(parsed.records), "stored": fault.stored, "limited": fault.limited}
        if isinstance(fault, NewStreamsRefused):
            raise HttpError(429, "too_many_new_streams", str(fault), {"Retry-After": "60"}, counts) from None
        raise HttpError(503, "not_stored", str(fault), {"Retry-After": "1"}, counts) from None
    except StorageUnavailable as fault:
        received = {"received": len(parsed.records)}
        message = f"{fault}; the outcome is unknown, and sending again may store events twice"
        raise HttpError(503, "not_confirmed", message, {"Retry-After": "1"}, received) from None
    if receipt is None:
        raise _queue_full()
    return {"stored": receipt.stored, "limited": receipt.limited}


def _queue_full() -> HttpError:
    return HttpError(
        429,
        "queue_full",
        "the queue is full (eventscache.queue_bytes), and nothing of the body was kept: try again",
        {"Retry-After": "1"},
    )


async def delete_events(context: Context, request: web.BaseRequest) -> web.Response:
    """Remove the events of some streams, or of a whole namespace."""
    context.access.require_admin(request)
    params = parameters(request)
    params.require_known(_CLEARING)
    namespace = params.namespace()
    ids = params.ids(context.settings.max_ids, context.settings.max_id_bytes)
    reset = params.choice("reset", "", "limiter") == "limiter"
    if params.choice("all", "false", "true") == "true":
        if ids is not None:
            raise HttpError(400, "invalid_parameter", "give either ids or all=true")
        streams = [info.stream for info in await context.cache.streams(namespace)]
    elif ids:
        streams = [Stream(namespace, stream_id) for stream_id in ids]
    else:
        raise HttpError(400, "invalid_parameter", "ids is required parameter, or all=true for the whole namespace")
    if scope := scope_of(request, keeps_extras=context.cache.keeps_extras):
        cleared = await context.cache.clear_extra(streams, scope, reset=reset)
    else:
        cleared = await context.cache.clear_many(streams, reset=reset)
    return json_response({"status": "ok", "cleared": cleared})


_PATH = "/api/v1/events/cache"
ROUTES: tuple[Route, ...] = (
    ("GET", _PATH, get_events),
    ("POST", _PATH, post_events),
    ("DELETE", _PATH, delete_events),
)
