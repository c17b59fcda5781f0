"""`/api/v1/events/cache` and `/api/v1/streams`: Jitsu's reading side, and ours for writing and clearing."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable

import msgspec
from aiohttp import web

from eventscache.cache import EventPage, EventsCache
from eventscache.errors import StorageUnavailable
from eventscache.event import Event
from eventscache.ingest import malformed, native
from eventscache.ingest.limits import BatchTooLarge, Limits
from eventscache.live.stream_filter import StreamFilter
from eventscache.query.filter import EventFilter
from eventscache.server.context import Context
from eventscache.server.http.body import UnreadableBody
from eventscache.server.http.parameters import Parameters, parameters
from eventscache.server.http.responses import HttpError, json_response, prebuilt_response, streamed_response
from eventscache.server.routes.long_poll import wait_for_events
from eventscache.storage.messages import UNLIMITED, Query
from eventscache.stream import Stream
from eventscache.timestamp import format_time

_DEFAULT_LIMIT = 100
_NDJSON = "application/x-ndjson"
_PARSERS = {
    "application/json": native.parse_json,
    _NDJSON: native.parse_ndjson,
    "application/msgpack": native.parse_msgpack,
    "application/x-msgpack": native.parse_msgpack,
}


async def get_events(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Answer with the last events of the streams asked for, written stream by stream."""
    context.access.require_admin(request)
    asked = parameters(request)
    ids = asked.ids(context.settings.max_ids, context.settings.max_id_bytes)
    namespace = asked.namespace()
    query, search = _query(asked), asked.event_filter()
    if (query.before is not None or query.after is not None) and (ids is None or len(ids) != 1):
        raise HttpError(400, "before and after need exactly one id")
    named = None if ids is None else tuple(Stream(namespace, stream_id) for stream_id in ids)
    stream_filter = StreamFilter(namespace, named, query.status, search)
    await wait_for_events(context, request, asked, stream_filter, query)
    streams = await stream_filter.resolve(context.cache)
    found = _found(context.cache, streams, query, search)
    if _NDJSON in request.headers.get("Accept", ""):
        return await streamed_response(request, _NDJSON, _lines(found))
    return await streamed_response(request, "application/json; charset=utf-8", _object(context, found))


async def _found(
    cache: EventsCache, streams: Iterable[Stream], query: Query, search: EventFilter | None
) -> AsyncIterator[EventPage]:
    for stream in streams:
        yield await cache.fetch(stream, query, search)
        await asyncio.sleep(0)  # a storage in memory lets nobody else have a turn


async def _object(context: Context, pages: AsyncIterator[EventPage]) -> AsyncIterator[bytes]:
    """Yield the events, then the totals, which are known only when the last stream has been read."""
    total = limited = count = 0
    opening = b'{"events":['
    piece = [opening]
    async for found in pages:
        total += found.total
        limited += found.limited
        if found.events:
            if count:
                yield b",".join(piece)
            piece = _rendered(found)
            piece[0] = opening + piece[0]
            opening = b","
            count += len(found.events)
    piece[-1] += (
        b'],"total_events":%d,"last_minute_limited":%d,"cache_capacity_per_interval":%d,"interval_seconds":%d,'
        b'"response_events":%d}' % (total, limited, context.settings.size, context.settings.window_seconds, count)
    )
    yield b",".join(piece)


async def _lines(pages: AsyncIterator[EventPage]) -> AsyncIterator[bytes]:
    async for found in pages:
        if found.events:
            yield b"".join(event.to_json_line(sequence) + b"\n" for sequence, event in found.events)


def _query(asked: Parameters) -> Query:
    limit = asked.whole_number("limit", least=1)
    return Query(
        asked.status(),
        before=asked.whole_number("before"),
        after=asked.whole_number("after"),
        limit=_DEFAULT_LIMIT if limit is None else min(limit, UNLIMITED),
    )


def _rendered(found: EventPage) -> list[bytes]:
    return [event.to_json(sequence) for sequence, event in found.events]


async def post_events(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Take native, and answer when they are queued, or with `ack=stored` when the storage has them."""
    try:
        context.access.require_writer(request)
        asked = parameters(request)
        default = asked.stream(context.settings.max_id_bytes)
        wait = asked.choice("ack", "queued", "stored") == "stored"
        parse = _parser(request)
        parsed = await context.bodies.parsed(request, lambda body, limits: parse(body, default, limits))
    except (HttpError, BatchTooLarge) as fault:
        context.cache.ledger.reject()
        raise fault if isinstance(fault, HttpError) else HttpError(413, str(fault)) from None
    except UnreadableBody as fault:
        _keep_malformed(context, default, fault.body, str(fault))
        raise HttpError(400, f"the body cannot be read: {fault}") from None
    context.cache.ledger.reject(len(parsed.errors))
    errors = {"errors": [{"index": index, "message": message} for index, message in parsed.errors]}
    if parsed.errors and not parsed.records:
        raise HttpError(400, "no record is good", fields=errors)
    counts = {"received": len(parsed.records)}
    if wait:
        counts |= await _store(context, parsed)
    elif not context.cache.offer(parsed.records):
        raise _queue_full()
    status = 200 if wait else 202
    if parsed.errors:
        return json_response({"status": "ok", **counts, **errors}, status)
    return prebuilt_response(request, msgspec.json.encode({"status": "ok", **counts}), status=status)


def _parser(request: web.BaseRequest) -> Callable[[bytes, Stream | None, Limits], native.Parsed]:
    parse = _PARSERS.get(request.content_type) if "Content-Type" in request.headers else None
    if parse is None:
        types = ", ".join(_PARSERS)
        raise HttpError(415, f"the content type must be one of {types}", {"Accept": types})
    if (request.charset or "utf-8").lower() not in {"utf-8", "utf8"}:
        raise HttpError(415, "the charset must be UTF-8")
    return parse


async def _store(context: Context, parsed: native.Parsed) -> dict[str, int]:
    try:
        receipt = await context.cache.store(parsed.records)
    except StorageUnavailable as fault:
        raise HttpError(
            503, f"{fault}; the outcome is unknown", {"Retry-After": "1"}, {"received": len(parsed.records)}
        ) from None
    if receipt is None:
        raise _queue_full()
    return {"stored": receipt.stored, "limited": receipt.limited}


def _queue_full() -> HttpError:
    return HttpError(429, "the queue is full; nothing of the body was kept", {"Retry-After": "1"})


def _keep_malformed(context: Context, stream: Stream | None, body: bytes, reason: str) -> None:
    """Keep a body that is not what it claims to be with its stream, so that its sender finds it."""
    text = malformed.cut(body.strip(), context.limits.max_malformed_bytes)
    if stream is None or not text:
        context.cache.ledger.reject()
    else:
        context.cache.offer([(stream, Event.of(stream, malformed=text, error=reason))])


async def delete_events(context: Context, request: web.BaseRequest) -> web.Response:
    """Remove the events of some streams, or of a whole namespace."""
    context.access.require_admin(request)
    asked = parameters(request)
    namespace = asked.namespace()
    ids = asked.ids(context.settings.max_ids, context.settings.max_id_bytes)
    reset = asked.choice("reset", "", "limiter") == "limiter"
    if asked.choice("all", "false", "true") == "true":
        if ids is not None:
            raise HttpError(400, "give either ids or all=true")
        streams = [info.stream for info in await context.cache.streams(namespace)]
    elif ids:
        streams = [Stream(namespace, stream_id) for stream_id in ids]
    else:
        raise HttpError(400, "ids is required parameter, or all=true for the whole namespace")
    cleared = 0
    for stream in streams:
        cleared += await context.cache.clear(stream, reset=reset)
    return json_response({"status": "ok", "cleared": cleared})


async def get_streams(context: Context, request: web.BaseRequest) -> web.Response:
    """List the known streams of a namespace, most recently active first, and tell whether tokens map to ids."""
    context.access.require_admin(request)
    namespace = parameters(request).namespace()
    return json_response(
        {
            "streams": [
                {
                    "namespace": info.stream.namespace,
                    "id": info.stream.id,
                    "total_events": info.total,
                    "error_events": info.errors,
                    "last_active": format_time(info.last_active_us),
                }
                for info in await context.cache.streams(namespace)
            ],
            "api_keys": context.api_keys.configured,
        }
    )
