"""Jitsu's ingestion routes: the same bodies, tokens and responses. Each event is an `original` of a token's stream."""

import base64
import binascii
import re
from functools import lru_cache
from typing import NamedTuple

from aiohttp import web

from eventscache.access.api_keys import ApiKey
from eventscache.delivery.producer import CONFIGURED, Producer
from eventscache.errors import InvalidEvent
from eventscache.ingest import formats
from eventscache.ingest.limits import BatchTooLarge
from eventscache.server.context import Context, Route
from eventscache.server.http.body import MalformedBody
from eventscache.server.http.parameters import pairs_as_in_go, path_of, raw_query
from eventscache.server.http.responses import FOR_ALL_PAGES, HttpError, ok_response
from eventscache.server.rejections import keep_malformed, reject_unread
from eventscache.stream import Namespace, Stream, check_id

_CORS = {
    "Access-Control-Max-Age": "86400",
    "Access-Control-Allow-Methods": "POST, GET, OPTIONS, PUT, DELETE, UPDATE, PATCH",
    "Access-Control-Allow-Headers": (
        "Content-Type, Content-Length, Accept-Encoding, X-CSRF-Token, Authorization, Host, X-Auth-Token"
    ),
    "Access-Control-Allow-Credentials": "true",
}
# A token first, and nothing that would have to be decoded: the query of nearly every client.
_PLAIN_QUERY = re.compile(r"token=([\w.~-]+)(?:&[\w.~=&-]*)?", re.ASCII)
_NONE_SENT = (
    "The token is not found: the request has none that can be read; send it as ?token=, in X-Auth-Token or api_key, "
    "as ?p_...=, or as the user name of Basic authentication"
)
_CACHED_QUERIES = 4096
_MAX_CACHED_QUERY_LENGTH = 256
_CACHED_ORIGINS = 1024


class _Sender(NamedTuple):
    stream: Stream
    key: ApiKey | None
    producer: Producer


async def post_client_events(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Take events from browsers and apps, by a client secret."""
    origin = request.headers.get("Origin")
    sender = await _ingest(context, request, from_server=False)
    return ok_response(request, _cors_headers(origin, sender.key) if origin is not None else ())


async def post_server_events(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Take events from servers, by a server secret."""
    await _ingest(context, request, from_server=True)
    return ok_response(request)


async def preflight(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Answer a browser's CORS preflight: whether its page may send events."""
    return web.Response(headers={**FOR_ALL_PAGES, **dict(_cors(context, request))})


async def options(_: Context, __: web.BaseRequest) -> web.StreamResponse:
    """Answer 200 without the headers of CORS, as Jitsu does where only servers send."""
    return web.Response(headers=FOR_ALL_PAGES)


def headers_of_error(context: Context, request: web.BaseRequest) -> dict[str, str]:
    """Return the headers that every error of an ingestion route has, so that a page can read it; none for others."""
    path = path_of(request.raw_path)
    if path not in _PATHS:
        return {}
    cors = _cors(context, request) if path in _PAGE_PATHS else ()
    return {"Cross-Origin-Resource-Policy": FOR_ALL_PAGES["Cross-Origin-Resource-Policy"], **dict(cors)}


def _cors(context: Context, request: web.BaseRequest) -> tuple[tuple[str, str], ...]:
    """Return Jitsu's CORS headers for a request whose token may be unknown."""
    origin = request.headers.get("Origin")
    if origin is None:
        return ()
    return _cors_headers(origin, context.api_keys.client(find_token(request)))


@lru_cache(_CACHED_ORIGINS)
def _cors_headers(origin: str, key: ApiKey | None) -> tuple[tuple[str, str], ...]:
    """Return Jitsu's CORS headers; a valid origin is allowed unless the key has others only."""
    valid = origin.isascii() and origin.isprintable()
    allowed = (("Access-Control-Allow-Origin", origin),) if valid and (key is None or key.allows(origin)) else ()
    return (*_CORS.items(), *allowed, ("Vary", "Origin"))


async def _ingest(context: Context, request: web.BaseRequest, *, from_server: bool) -> _Sender:
    """Take the events of a request, and return who sent them."""
    cache = context.cache
    try:
        sender = _find_sender(context, request, from_server=from_server)
        parsed = await context.bodies.parse(request, formats.JITSU, sender.stream)
    except (HttpError, BatchTooLarge) as fault:
        raise reject_unread(cache, fault) from None
    except MalformedBody as fault:
        reason = str(fault)
        max_bytes = min(context.limits.max_malformed_bytes, context.limits.max_event_bytes)
        await keep_malformed(cache, sender.stream, fault.body, reason, sender.producer, max_bytes=max_bytes)
        raise HttpError(400, "malformed_body", f"Error parsing events body: {reason}") from None
    # A full queue is counted, and changes no response: the cache must not slow down Jitsu.
    await cache.offer_originals_in_turns(sender.stream, parsed.originals, sender.producer)
    return sender


def find_token(request: web.BaseRequest) -> str:
    """Return the token from where Jitsu looks for it, in Jitsu's order."""
    query = raw_query(request)
    if plain := _PLAIN_QUERY.fullmatch(query):
        return plain[1]
    headers = request.headers
    token, p_token = (
        _cached_tokens_in_query(query) if len(query) <= _MAX_CACHED_QUERY_LENGTH else _tokens_in_query(query)
    )
    return (
        token
        or headers.get("X-Auth-Token")
        or headers.get("api_key")
        or p_token
        or _basic_user(headers.get("Authorization", ""))
    )


def _tokens_in_query(raw: str) -> tuple[str, str]:
    """Return the values of `token` and of the first key that begins with `p_`."""
    pairs = [*pairs_as_in_go(raw)]
    tokens = (value for name, value in pairs if name == "token")
    p_tokens = (value for name, value in pairs if name.startswith("p_"))
    return next(tokens, ""), next(p_tokens, "")


# Clients repeat their queries.
_cached_tokens_in_query = lru_cache(_CACHED_QUERIES)(_tokens_in_query)


def _basic_user(authorization: str) -> str:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeError, ValueError):
        return ""


def _find_sender(context: Context, request: web.BaseRequest, *, from_server: bool) -> _Sender:
    """Return who sends; raise `HttpError` for a token that may not send here.

    That is always a 401, however often it happens: behind a proxy all clients share one address.
    """
    token = find_token(request)
    keys = context.api_keys
    if keys.configured:
        key, other = keys.client(token), keys.server(token)
        if from_server:
            key, other = other, key
        if key:
            return _Sender(Stream(Namespace.TOKEN, key.id), key, CONFIGURED)
        if not other:
            raise HttpError(401, "unknown_token", "The token is not found" if token else _NONE_SENT)
        message = "The token isn't a client secret token. Please use a js integration token"
        if from_server:
            message = "The token isn't a server secret token. Please use an s2s integration token"
        raise HttpError(401, "wrong_token_type", message)
    if not context.access.on_loopback and not context.settings.open_ingestion:
        message = "no api_keys are configured, and eventscache.open_ingestion is off"
        raise HttpError(401, "ingestion_closed", message)
    if not token:
        raise HttpError(401, "unknown_token", _NONE_SENT)
    try:
        stream = Stream(Namespace.TOKEN, check_id(token, context.limits.max_id_bytes))
    except InvalidEvent as fault:
        raise HttpError(401, "unknown_token", f"The token is not usable: {fault}") from None
    return _Sender(stream, None, context.cache.producers.anonymous)


_PAGE_PATHS = ("/api/v1/event", "/api/v1/events")
_SERVER_PATHS = ("/api/v1/s2s/event", "/api/v1/s2s/event/", "/api/v1/s2s/events")
_PATHS = frozenset((*_PAGE_PATHS, *_SERVER_PATHS))

ROUTES: tuple[Route, ...] = (
    *(("POST", path, post_client_events) for path in _PAGE_PATHS),
    *(("OPTIONS", path, preflight) for path in _PAGE_PATHS),
    *(("POST", path, post_server_events) for path in _SERVER_PATHS),
    *(("OPTIONS", path, options) for path in _SERVER_PATHS),
)
