"""Jitsu's routes for Segment's clients: the events stay as they are sent, and Jitsu's mapping is not done."""

from aiohttp import web

from eventscache.ingest import formats
from eventscache.server.context import Context, FastRoute, Route
from eventscache.server.http.parameters import path_of
from eventscache.server.http.responses import FOR_OTHER_SITES, PrebuiltResponse, ok_response, prebuilt_ok
from eventscache.server.http.whole_request import WholeRequest
from eventscache.server.ingestion.cors import options
from eventscache.server.ingestion.senders import require_sender, sender_of
from eventscache.server.ingestion.taking import take_body, take_whole


async def post_segment(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Take one event or a batch, by a server secret; Jitsu says of a client secret that it is not found."""
    sender = require_sender(context, request, from_server=True, wrong_type="")
    await take_body(context, request, sender, formats.SEGMENT)
    return ok_response(request)


def take_segment(context: Context, request: WholeRequest) -> PrebuiltResponse | None:
    """Do at once what `post_segment` does."""
    sender = sender_of(context, request, request.query, from_server=True, wrong_type="")
    return prebuilt_ok() if take_whole(context, request.body, sender, formats.SEGMENT) else None


def error_headers(_: Context, request: web.BaseRequest) -> dict[str, str]:
    """Return the headers that every error of these routes has; none for other routes."""
    return FOR_OTHER_SITES if path_of(request.raw_path) in _PATHS else {}


_PATHS = tuple(f"/api/v1/segment{form}" for form in ("", "/v1/batch", "/compat", "/compat/v1/batch"))

ROUTES: tuple[Route, ...] = (
    *(("POST", path, post_segment) for path in _PATHS),
    *(("OPTIONS", path, options) for path in _PATHS),
)

FAST_ROUTES: tuple[FastRoute, ...] = tuple((path, take_segment) for path in _PATHS)
