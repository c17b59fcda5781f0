"""Jitsu's ingestion routes: the same bodies, tokens and responses. Each event is an `original` of a token's stream."""

import base64
import binascii
import re
from functools import lru_cache
from typing import NamedTuple

from aiohttp import web

from eventscache.access.api_keys import ApiKey
from eventscache.errors import InvalidEvent
from eventscache.ingest import formats
from eventscache.ingest.limits import BatchTooLarge
from eventscache.server.context import Context, Route
from eventscache.server.http.body import MalformedBody
from eventscache.server.http.parameters import Parameters, raw_query
from eventscache.server.http.responses import HttpError, ok_response
from eventscache.server.malformed import keep_malformed
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
_CACHED_QUERIES = 4096
_MAX_CACHED_QUERY_LENGTH = 256
_CACHED_ORIGINS = 1024


class _Sender(NamedTuple):
    stream: Stream
    key: ApiKey | None


async def post_client_events(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Take events from browsers and apps, by a client secret."""
    origin = request.headers.get("Origin")
    try:
        sender = await _ingest(context, request, from_server=False)
    except HttpError as error:
        response = error.response()
        response.headers.update(_cors(context, request))
        return response
    return ok_response(request, _cors_headers(origin, sender.key) if origin is not None else ())


async def post_server_events(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Take events from servers, by a server secret."""
    await _ingest(context, request, from_server=True)
    return ok_response(request)


async def preflight(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Answer a browser's CORS preflight: whether its page may send events."""
    return web.Response(headers=dict(_cors(context, request)))


def _cors(context: Context, request: web.BaseRequest) -> tuple[tuple[str, str], ...]:
    """Return Jitsu's CORS headers for a request whose token may be unknown."""
    origin = request.headers.get("Origin")
    if origin is None:
        return ()
    try:
        token = find_token(request)
    except HttpError:
        token = ""
    return _cors_headers(origin, context.api_keys.client(token))


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
        cache.ledger.reject()
        raise fault if isinstance(fault, HttpError) else HttpError(413, "too_many_events", str(fault)) from None
    except MalformedBody as fault:
        reason = str(fault)
        max_bytes = min(context.limits.max_malformed_bytes, context.limits.max_event_bytes)
        trusted = sender.key is not None
        keep_malformed(cache, sender.stream, fault.body, reason, max_bytes=max_bytes, trusted=trusted)
        raise HttpError(400, "malformed_body", f"Error parsing events body: {reason}") from None
    # A full queue is counted, and changes no response: the cache must not slow down Jitsu.
    cache.offer_originals(sender.stream, parsed.originals, trusted=sender.key is not None)
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
    params = Parameters(raw)
    tokens = params.all("token")
    p_tokens = [value for name, value in params.pairs if name.startswith("p_")]
    return tokens[0] if tokens else "", p_tokens[0] if p_tokens else ""


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
    """Return who sends; raise `HttpError` for a token that may not send here."""
    token = find_token(request)
    keys = context.api_keys
    if keys.configured:
        key, other = keys.client(token), keys.server(token)
        if from_server:
            key, other = other, key
        if key:
            return _Sender(Stream(Namespace.TOKEN, key.id), key)
        if not other:
            raise context.access.failed_login(request, "unknown_token", "The token is not found")
        message = "The token isn't a client secret token. Please use a js integration token"
        if from_server:
            message = "The token isn't a server secret token. Please use an s2s integration token"
        raise context.access.failed_login(request, "wrong_token_type", message)
    if not context.access.on_loopback and not context.settings.open_ingestion:
        message = "no api_keys are configured, and eventscache.open_ingestion is off"
        raise context.access.failed_login(request, "ingestion_closed", message)
    try:
        return _Sender(Stream(Namespace.TOKEN, check_id(token, context.limits.max_id_bytes)), None)
    except InvalidEvent as fault:
        raise context.access.failed_login(request, "unknown_token", f"The token is not usable: {fault}") from None


ROUTES: tuple[Route, ...] = (
    ("POST", "/api/v1/event", post_client_events),
    ("OPTIONS", "/api/v1/event", preflight),
    ("POST", "/api/v1/events", post_client_events),
    ("OPTIONS", "/api/v1/events", preflight),
    ("POST", "/api/v1/s2s/event", post_server_events),
    ("POST", "/api/v1/s2s/event/", post_server_events),
    ("POST", "/api/v1/s2s/events", post_server_events),
)
