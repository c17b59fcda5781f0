"""Jitsu's plain ingestion routes: the same bodies, tokens and responses; each event is an `original` of a token."""

from aiohttp import web

from eventscache.ingest import formats
from eventscache.server.context import Context, FastRoute, Route
from eventscache.server.http.parameters import path_of
from eventscache.server.http.responses import (
    FOR_ALL_PAGES,
    FOR_OTHER_SITES,
    PrebuiltResponse,
    ok_response,
    prebuilt_ok,
)
from eventscache.server.http.whole_request import WholeRequest
from eventscache.server.ingestion.cors import cors_headers, cors_of, options
from eventscache.server.ingestion.senders import require_sender, sender_of
from eventscache.server.ingestion.taking import take_body, take_whole


async def post_client_events(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Take events from browsers and apps, by a client secret."""
    origin = request.headers.get("Origin")
    sender = require_sender(context, request, from_server=False)
    await take_body(context, request, sender, formats.JITSU)
    return ok_response(request, cors_headers(origin, sender.key) if origin is not None else ())


async def post_server_events(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Take events from servers, by a server secret."""
    await take_body(context, request, require_sender(context, request, from_server=True), formats.JITSU)
    return ok_response(request)


def take_client_events(context: Context, request: WholeRequest) -> PrebuiltResponse | None:
    """Do at once what `post_client_events` does."""
    sender = sender_of(context, request, request.query, from_server=False)
    if not take_whole(context, request.body, sender, formats.JITSU):
        return None
    origin = request.headers.get("Origin")
    return prebuilt_ok(cors_headers(origin, sender.key) if origin is not None else ())


def take_server_events(context: Context, request: WholeRequest) -> PrebuiltResponse | None:
    """Do at once what `post_server_events` does."""
    sender = sender_of(context, request, request.query, from_server=True)
    return prebuilt_ok() if take_whole(context, request.body, sender, formats.JITSU) else None


async def preflight(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Answer a browser's CORS preflight: whether its page may send events."""
    return web.Response(headers={**FOR_ALL_PAGES, **dict(cors_of(context, request))})


def error_headers(context: Context, request: web.BaseRequest) -> dict[str, str]:
    """Return the headers that every error of these routes has, so that a page can read it; none for other routes."""
    path = path_of(request.raw_path)
    if path in _PAGE_PATHS or path.startswith(_RANDOM_PATH.partition("{")[0]):
        return {**FOR_OTHER_SITES, **dict(cors_of(context, request))}
    return FOR_OTHER_SITES if path in _SERVER_PATHS else {}


_RANDOM_PATH = "/api.{anything}"  # of Jitsu's `randomize_url`
_PAGE_PATHS = ("/api/v1/event", "/api/v1/events")
_SERVER_PATHS = ("/api/v1/s2s/event", "/api/v1/s2s/event/", "/api/v1/s2s/events")

ROUTES: tuple[Route, ...] = (
    *(("POST", path, post_client_events) for path in (*_PAGE_PATHS, _RANDOM_PATH)),
    *(("OPTIONS", path, preflight) for path in (*_PAGE_PATHS, _RANDOM_PATH)),
    *(("POST", path, post_server_events) for path in _SERVER_PATHS),
    *(("OPTIONS", path, options) for path in _SERVER_PATHS),
)

FAST_ROUTES: tuple[FastRoute, ...] = (
    *((path, take_client_events) for path in (*_PAGE_PATHS, _RANDOM_PATH)),
    *((path, take_server_events) for path in _SERVER_PATHS),
)
