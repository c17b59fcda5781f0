"""Jitsu's routes for Segment's clients: the events stay as they are sent, and Jitsu's mapping is not done."""

from aiohttp import web

from eventscache.ingest import formats
from eventscache.server.context import Context, Route
from eventscache.server.http.body import MalformedBody
from eventscache.server.http.parameters import path_of
from eventscache.server.http.responses import FOR_OTHER_SITES, HttpError, ok_response
from eventscache.server.ingestion.cors import options
from eventscache.server.ingestion.senders import find_sender, find_token
from eventscache.server.ingestion.taking import take_body
from eventscache.server.ingestion.told import told_once
from eventscache.server.rejections import reject_unread


async def post_segment(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Take one event or a batch, by a server secret; Jitsu says of a client secret that it is not found."""
    try:
        sender = find_sender(context, find_token(request), from_server=True, wrong_type="")
    except HttpError as fault:
        raise reject_unread(context.cache, fault) from None
    try:
        await take_body(context, request, sender, formats.SEGMENT)
    except MalformedBody as fault:
        raise HttpError(400, "malformed_body", f"Error parsing events body: {fault}") from None
    return ok_response(request)


def error_headers(_: Context, request: web.BaseRequest) -> dict[str, str]:
    """Return the headers that every error of these routes has; none for other routes."""
    return FOR_OTHER_SITES if path_of(request.raw_path) in _PATHS else {}


_PATHS = tuple(f"/api/v1/segment{form}" for form in ("", "/v1/batch", "/compat", "/compat/v1/batch"))

ROUTES: tuple[Route, ...] = (
    *(("POST", path, told_once(path, post_segment)) for path in _PATHS),
    *(("OPTIONS", path, options) for path in _PATHS),
)
