"""Jitsu's tracking pixel: an event in the query, for pages that run no script, and mails."""

import base64
import uuid
from typing import Final

from aiohttp import web

from eventscache.errors import InvalidEvent
from eventscache.ingest.pixel import PixelEvent
from eventscache.server.context import Context, Route
from eventscache.server.http.parameters import pairs_as_in_go, path_of, raw_query
from eventscache.server.http.responses import FOR_ALL_PAGES, FOR_OTHER_SITES, HttpError
from eventscache.server.ingestion.cors import options
from eventscache.server.ingestion.senders import Sender, find_sender, in_scope
from eventscache.server.rejections import keep_malformed, reject_unread

_GIF: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_COOKIE = "__eventn_id"
_NO_COOKIE_POLICIES = ("strict", "comply")
_ID_CHARACTERS = 10


async def get_pixel(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Take the event of a query by the token in it, and answer with an image of one pixel.

    The image comes for an unknown token as well, whose event is counted as rejected. HEAD takes no event.
    """
    pairs = [*pairs_as_in_go(raw_query(request))]
    event = PixelEvent(context.limits)
    if request.method != "HEAD":
        await _take(context, request, event, pairs)
    headers = {**FOR_ALL_PAGES, **_cookie(request, event, dict(reversed(pairs)))}
    return web.Response(body=_GIF, content_type="image/gif", headers=headers)


async def _take(context: Context, request: web.BaseRequest, event: PixelEvent, pairs: list[tuple[str, str]]) -> None:
    """Offer the event of a query; raise `HttpError` for one that is malformed, which is kept if its token is known."""
    data = next((value for name, value in pairs if name == "data"), "")
    fault, original, token = "", b"", ""
    kept = data.encode(errors="surrogateescape")
    try:
        if data:
            kept = event.read_data(data)
    except InvalidEvent as invalid:
        fault = str(invalid)
    try:
        event.set_all(pairs)
        token = event.token
        event.hide_half()
        original = event.original()
    except InvalidEvent as invalid:
        fault = fault or str(invalid)
    sender = _sender(context, request, token or event.token)
    half = sender.half if sender else None
    if fault:
        if sender:
            most = min(context.limits.max_malformed_bytes, context.limits.max_event_bytes)
            await keep_malformed(
                context.cache,
                sender.stream,
                kept,
                fault,
                sender.producer,
                max_bytes=most,
                half=half,
                scope=sender.scope,
            )
        raise HttpError(400, "malformed_body", fault)
    if sender:
        original = half.hidden(original) if half else original
        await context.cache.offer_originals_in_turns(sender.stream, [original], sender.producer, sender.scope)


def _sender(context: Context, request: web.BaseRequest, token: str) -> Sender | None:
    """Return who sends with a token, which may be a secret of either type.

    None for a token that is not known, which is counted.
    """
    keys = context.api_keys
    from_server = keys.client(token) is None and keys.server(token) is not None
    try:
        return in_scope(context, request, find_sender(context, token, from_server=from_server))
    except HttpError as fault:
        reject_unread(context.cache, fault)
        context.notices.tell(request, fault.code)
        return None


def _cookie(request: web.BaseRequest, event: PixelEvent, query: dict[str, str]) -> dict[str, str]:
    """Return the header that gives a visitor an id, where neither the request nor its event has one."""
    if _COOKIE in request.cookies or event.has_anonymous_id or query.get("cookie_policy") in _NO_COOKIE_POLICIES:
        return {}
    domain = event.text("cookie_domain")
    is_domain = domain.isascii() and domain.replace(".", "").replace("-", "").isalnum()
    return {
        "Set-Cookie": f"{_COOKIE}={uuid.uuid4().hex[:_ID_CHARACTERS]}; Path=/; {f'Domain={domain}; ' * is_domain}"
        "Expires=Fri, 31 Dec 9999 23:59:59 GMT; Secure; SameSite=None"
    }


def error_headers(_: Context, request: web.BaseRequest) -> dict[str, str]:
    """Return the headers that every error of this route has; none for other routes."""
    return FOR_OTHER_SITES if path_of(request.raw_path) == _PATH else {}


_PATH = "/api/v1/p.gif"

ROUTES: tuple[Route, ...] = (
    ("GET", _PATH, get_pixel),
    ("OPTIONS", _PATH, options),
)
