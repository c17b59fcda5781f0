"""Which pages may read the answers of the ingestion of Jitsu classic and Jitsu 2."""

from functools import lru_cache

from aiohttp import web

from eventscache.access.api_keys import ApiKey
from eventscache.server.context import Context
from eventscache.server.http.request_head import RequestHead
from eventscache.server.http.responses import FOR_ALL_PAGES
from eventscache.server.ingestion.senders import find_token, key_of

_CORS = {
    "Access-Control-Max-Age": "86400",
    "Access-Control-Allow-Methods": "POST, GET, OPTIONS, PUT, DELETE, UPDATE, PATCH",
    "Access-Control-Allow-Headers": (
        "Content-Type, Content-Length, Accept-Encoding, X-CSRF-Token, Authorization, Host, X-Auth-Token"
    ),
    "Access-Control-Allow-Credentials": "true",
}
_JITSU2_CORS = {
    "Access-Control-Max-Age": "86400",
    "Access-Control-Allow-Methods": "GET,POST,HEAD,OPTIONS",
    "Access-Control-Allow-Headers": (
        "x-enable-debug, x-write-key, authorization, content-type, x-ip-policy, cache-control, x-jitsu-custom, "
        # Not in Jitsu 2, where what Segment's library sends again is refused by the browser.
        "x-retry-count"
    ),
    "Access-Control-Allow-Credentials": "true",
}
_CACHED_ORIGINS = 1024


def cors_of(context: Context, request: RequestHead) -> tuple[tuple[str, str], ...]:
    """Return Jitsu's CORS headers for a request whose token may be unknown."""
    origin = request.headers.get("Origin")
    if origin is None:
        return ()
    return cors_headers(origin, key_of(context.api_keys, find_token(request, context.api_keys)))


async def options(_: Context, __: web.BaseRequest) -> web.StreamResponse:
    """Answer 200 without the headers of CORS, as Jitsu does where only servers send."""
    return web.Response(headers=FOR_ALL_PAGES)


@lru_cache(_CACHED_ORIGINS)
def cors_headers(origin: str, key: ApiKey | None) -> tuple[tuple[str, str], ...]:
    """Return Jitsu's CORS headers; a valid origin is allowed unless the key has others only."""
    allowed = (("Access-Control-Allow-Origin", origin),) if _is_valid(origin) and _allows(key, origin) else ()
    return (*_CORS.items(), *allowed, ("Vary", "Origin"))


@lru_cache(_CACHED_ORIGINS)
def jitsu2_cors_headers(origin: str) -> tuple[tuple[str, str], ...]:
    """Return Jitsu 2's CORS headers, which allow every valid origin whatever the key; `*` is one."""
    allowed = (("Access-Control-Allow-Origin", origin),) if _is_valid(origin) else ()
    return (*_JITSU2_CORS.items(), *allowed, ("Vary", "Origin"))


def _is_valid(origin: str) -> bool:
    return origin.isascii() and origin.isprintable()


def _allows(key: ApiKey | None, origin: str) -> bool:
    return key is None or key.allows(origin)
