"""Jitsu's route for files of events, as its command line sends them: taken line by line, in bounded memory."""

from itertools import islice

from aiohttp import web

from eventscache.ingest.bulk import BrokenFile, BulkFile
from eventscache.ingest.limits import BatchTooLarge
from eventscache.server.context import Context, Route
from eventscache.server.http.parameters import pairs_as_in_go, path_of, raw_query
from eventscache.server.http.responses import FOR_OTHER_SITES, HttpError, ok_response
from eventscache.server.ingestion.cors import options
from eventscache.server.ingestion.senders import Sender, find_sender, find_token, in_scope
from eventscache.server.rejections import keep_broken_lines, reject_unread

_WRONG_TYPE = "The token isn't a server token. Please use an s2s integration token"
_OFFERED_TOGETHER = 500  # some milliseconds of work


async def post_bulk(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Take the events of a file, by a server secret; all of them, or none if Jitsu rejects the file.

    A line for which Jitsu rejects or skips it is kept as a `malformed` event, with Jitsu's words as its `error`.
    """
    try:
        token = find_token(request, context.api_keys)
        sender = in_scope(context, request, find_sender(context, token, from_server=True, wrong_type=_WRONG_TYPE))
        file = _file(context, request, sender)
        async with context.bodies.taken_in_pieces(request, file.feed):
            await context.bodies.in_thread(file.end)
            await _offer(context, sender, file)
    except BrokenFile as fault:
        raise reject_unread(context.cache, HttpError(400, "malformed_body", str(fault))) from None
    except (HttpError, BatchTooLarge) as fault:
        raise reject_unread(context.cache, fault) from None
    if file.fault:
        raise HttpError(400, "malformed_body", file.fault)
    if file.broken:
        context.notices.tell(request, "malformed_line")
    return ok_response(request)


def _file(context: Context, request: web.BaseRequest, sender: Sender) -> BulkFile:
    """Return what takes the request's file. Raises `BrokenFile`."""
    encoding = request.headers.get("Content-Encoding", "")
    if encoding not in {"", "gzip"}:
        raise BrokenFile("failed to read payload from input file: only 'gzip' encoding is supported")
    query: dict[str, str] = {}
    for name, value in pairs_as_in_go(raw_query(request)):
        query.setdefault(name, value)
    return BulkFile(
        request.headers.get("Content-Type", ""),
        context.limits,
        zipped=encoding == "gzip",
        fallback=query.get("fallback") == "true",
        skip=query.get("skip_malformed") == "true",
        half=sender.half,
    )


async def _offer(context: Context, sender: Sender, file: BulkFile) -> None:
    """Offer all events of a file, with turns for others."""
    cache = context.cache
    while file.events:
        events = iter(file.events.pop(0))
        while some := [*islice(events, _OFFERED_TOGETHER)]:
            await cache.offer_originals_in_turns(sender.stream, some, sender.producer, sender.scope)
            await cache.turns.next()
    await keep_broken_lines(
        cache, sender.stream, file.broken, sender.producer, omitted=file.omitted, scope=sender.scope
    )


def error_headers(_: Context, request: web.BaseRequest) -> dict[str, str]:
    """Return the headers that every error of this route has; none for other routes."""
    return FOR_OTHER_SITES if path_of(request.raw_path) == _PATH else {}


_PATH = "/api/v1/events/bulk"

ROUTES: tuple[Route, ...] = (
    ("POST", _PATH, post_bulk),
    ("OPTIONS", _PATH, options),
)
