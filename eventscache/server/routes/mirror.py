"""`/mirror/...`: copies of what Jitsu receives, sent by a proxy that ignores the answers."""

import structlog
from aiohttp import web

from eventscache.server.context import Context, FastHandler, Route
from eventscache.server.http.aiohttp_internals import with_target
from eventscache.server.http.error_codes import ErrorCode
from eventscache.server.http.parameters import path_of, raw_query
from eventscache.server.http.responses import HttpError, PrebuiltResponse, no_content_response, prebuilt_no_content
from eventscache.server.http.shown_path import shown_path
from eventscache.server.http.whole_request import WholeRequest, without_prefix
from eventscache.server.notices import TOLD_AS
from eventscache.server.rejections import METHODS_WITH_EVENTS, reject_broken_off, reject_unread

_log = structlog.get_logger()

ROUTE = "/mirror"
PREFIX = f"{ROUTE}/"


async def take_mirrored(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Let the ingestion route of the rest of the path take a request; answer 204 whatever it says.

    Only ingestion routes are served: what a copy asks to read, to record or to clear is not done. The answer comes when
    the body has been read, so that the proxy can use its connection again; it is closed only where nothing can follow.
    """
    code = await _fault(context, request)
    if code:
        context.notices.tell(request, code)
    can_go_on = await context.bodies.discard(request)
    return no_content_response(request, closes=not can_go_on)


async def _fault(context: Context, request: web.BaseRequest) -> ErrorCode | None:
    """Take the events of a request, and return the code of what is wrong with it, which is counted already."""
    path, query = path_of(request.raw_path)[len(PREFIX) - 1 :], raw_query(request)
    methods = context.ingestion.at(path)
    try:
        if handler := methods.get(request.method):
            copied = with_target(request, f"{path}?{query}" if query else path)
            copied[TOLD_AS] = ROUTE
            await handler(context, copied)
        elif request.method in METHODS_WITH_EVENTS:
            return reject_unread(context.cache, _not_taken(known=bool(methods))).code
    except HttpError as fault:
        return fault.code
    except ConnectionError:
        return reject_broken_off(context.cache).code
    except Exception:
        _log.exception("request failed: internal error", path=shown_path(path_of(request.raw_path)))
        return reject_unread(context.cache, HttpError(500, "internal_error", "a bug of eventscache")).code
    return None


def fast_mirrored(handler: FastHandler) -> FastHandler:
    """Return what does at once what `take_mirrored` does, for copies that a handler takes at once."""

    def take(context: Context, request: WholeRequest) -> PrebuiltResponse | None:
        return prebuilt_no_content() if handler(context, without_prefix(request, len(ROUTE))) else None

    return take


def refused(request: web.BaseRequest) -> web.StreamResponse:
    """Return the response to a copy that is not valid HTTP: as to any other, and the last one of its connection."""
    return no_content_response(request, closes=True)


def _not_taken(*, known: bool) -> HttpError:
    if known:
        return HttpError(405, "method_not_allowed", "no events are taken by this method here")
    return HttpError(404, "not_found", "no events are taken at this path")


# Every method is served, as the router sends all that begins with the prefix here; these are what Jitsu's clients use.
ROUTES: tuple[Route, ...] = (
    ("POST", f"{PREFIX}{{path}}", take_mirrored),
    ("GET", f"{PREFIX}{{path}}", take_mirrored),
)
