"""Jitsu 2's tracking pixel."""

import base64
from typing import Final

from aiohttp import web

from eventscache.errors import InvalidEvent
from eventscache.ingest import jitsu2
from eventscache.ingest.jitsu2_pixel import pixel_event, sent_data
from eventscache.ingest.parsed import Parsed
from eventscache.server.context import Context, Route
from eventscache.server.http.parameters import pairs_as_in_go, path_parts, raw_query
from eventscache.server.http.responses import FOR_ALL_PAGES, HttpError
from eventscache.server.ingestion.write_keys import Secrets, find_write_key, require_holder
from eventscache.server.rejections import keep_malformed, reject_unread
from eventscache.server.routes.jitsu2_ingestion import cors_of, offer, preflight

_GIF: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_HEADERS: Final = {
    **FOR_ALL_PAGES,
    "Content-Type": "image/gif",
    "Cache-Control": "no-cache, no-store, must-revalidate",
    "Pragma": "no-cache",
    "Expires": "0",
}


async def get_pixel(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Take an event from a query. The answer is a picture whatever happens; `X-Jitsu-Error` has an error, in ASCII."""
    error = "" if request.method == "HEAD" else await _take(context, request)
    headers = {"X-Jitsu-Error": ascii(error)[1:-1]} if error else {}
    return web.Response(body=_GIF, headers={**_HEADERS, **dict(cors_of(request)), **headers})


async def _take(context: Context, request: web.BaseRequest) -> str:
    """Take the event of a request, and return what is wrong with it or with its key; an empty text if nothing is."""
    try:
        event_type = path_parts(request)[-1]
        holder = require_holder(context, request, find_write_key(request), Secrets.CLIENT)
    except HttpError as fault:
        error = reject_unread(context.cache, fault)
        context.notices.tell(request, error.code)
        return error.message
    stream, producer, half = holder.sender.stream, holder.sender.producer, holder.sender.half
    pairs = [*pairs_as_in_go(raw_query(request))]
    try:
        event = pixel_event(pairs, context.limits)
        event = half.hidden(event) if half else event
    except InvalidEvent as fault:
        reason = f"error parsing message: {half.hidden_in_words(str(fault)) if half else fault}"
        context.notices.tell(request, "malformed_body")
        max_bytes = min(context.limits.max_malformed_bytes, context.limits.max_event_bytes)
        await keep_malformed(
            context.cache,
            stream,
            sent_data(pairs),
            reason,
            producer,
            max_bytes=max_bytes,
            half=half,
            scope=holder.sender.scope,
        )
        return reason
    fault_of_event = jitsu2.fault_of(event, event_type)
    if fault_of_event and half:
        fault_of_event = jitsu2.fault_of(event, half.hidden_in_words(event_type))
    await offer(context.cache, holder, Parsed([event], faults=[(0, fault_of_event)] if fault_of_event else ()))
    if not fault_of_event:
        return ""
    context.notices.tell(request, "event_error")
    return f"event error: {fault_of_event}"


ROUTES: tuple[Route, ...] = (("GET", "/api/px/{tp}", get_pixel), ("OPTIONS", "/api/px/{tp}", preflight))
