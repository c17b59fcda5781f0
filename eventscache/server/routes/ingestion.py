"""Jitsu's ingestion routes: the same bodies, tokens and answers, each event an `original` of its token's stream."""

import base64
import binascii
import re
from functools import lru_cache
from typing import NamedTuple

from aiohttp import web

from eventscache.access.api_keys import ApiKey
from eventscache.errors import InvalidEvent
from eventscache.event import Event
from eventscache.ingest import malformed
from eventscache.ingest.jitsu import parse_events
from eventscache.ingest.limits import BatchTooLarge
from eventscache.server.context import Context
from eventscache.server.http.body import UnreadableBody
from eventscache.server.http.parameters import Parameters, raw_query
from eventscache.server.http.responses import HttpError, ok_response
from eventscache.stream import Namespace, Stream, check_id

_CORS = {
    "Access-Control-Max-Age": "86400",
    "Access-Control-Allow-Methods": "POST, GET, OPTIONS, PUT, DELETE, UPDATE, PATCH",
    "Access-Control-Allow-Headers": (
        "Content-Type, Content-Length, Accept-Encoding, X-CSRF-Token, Authorization, Host, X-Auth-Token"
    ),
    "Access-Control-Allow-Credentials": "true",
}
# A token that comes first, and nothing that would have to be decoded: what nearly every client sends.
_PLAIN_QUERY = re.compile(r"token=([\w.~-]+)(?:&[\w.~=&-]*)?", re.ASCII)
_REMEMBERED_TOKENS = 4096
_REMEMBERED_LENGTH = 256
_REMEMBERED_ORIGINS = 1024


class _Sender(NamedTuple):
    stream: Stream
    key: ApiKey | None


async def post_client_events(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Take events from browsers and apps, by a client secret."""
    origin = request.headers.get("Origin")
    try:
        sender = await _ingest(context, request, from_server=False)
    except HttpError as refusal:
        answer = refusal.answer()
        answer.headers.update(_cors(context, request))
        return answer
    return ok_response(request, _cors_headers(origin, sender.key) if origin is not None else ())


async def post_server_events(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Take events from servers, by a server secret."""
    await _ingest(context, request, from_server=True)
    return ok_response(request)


async def preflight(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Answer a browser that asks whether its page may send events."""
    return web.Response(headers=dict(_cors(context, request)))


def _cors(context: Context, request: web.BaseRequest) -> tuple[tuple[str, str], ...]:
    """Return Jitsu's headers for a request whose sender may be unknown."""
    origin = request.headers.get("Origin")
    if origin is None:
        return ()
    try:
        token = find_token(request)
    except HttpError:
        token = ""
    return _cors_headers(origin, context.api_keys.client(token))


@lru_cache(_REMEMBERED_ORIGINS)
def _cors_headers(origin: str, key: ApiKey | None) -> tuple[tuple[str, str], ...]:
    """Return Jitsu's headers; the origin is allowed unless the key says otherwise, or it is none at all."""
    known = origin.isascii() and origin.isprintable()
    allowed = (("Access-Control-Allow-Origin", origin),) if known and (key is None or key.allows(origin)) else ()
    return (*_CORS.items(), *allowed, ("Vary", "Origin"))


async def _ingest(context: Context, request: web.BaseRequest, *, from_server: bool) -> _Sender:
    """Take the events of a request, and return whose they are."""
    cache = context.cache
    try:
        sender = _find_sender(context, request, from_server=from_server)
        originals = await context.bodies.parsed(request, parse_events)
    except (HttpError, BatchTooLarge) as fault:
        cache.ledger.reject()
        raise fault if isinstance(fault, HttpError) else HttpError(413, str(fault)) from None
    except UnreadableBody as fault:
        reason = f"Error parsing events body: {fault}"
        _keep_malformed(context, sender, fault.body, reason)
        raise HttpError(400, reason) from None
    # Whether there was room is counted, and changes no answer: Jitsu must not be held up by its cache.
    cache.offer_originals(sender.stream, originals, trusted=sender.key is not None)
    return sender


def _keep_malformed(context: Context, sender: _Sender, body: bytes, reason: str) -> None:
    if not body.strip():
        context.cache.ledger.reject()
        return
    text = malformed.cut(body, min(context.limits.max_malformed_bytes, context.limits.max_event_bytes))
    event = Event(malformed=text, error=reason, token_id=sender.stream.id)
    context.cache.offer([(sender.stream, event)], trusted=sender.key is not None)


def find_token(request: web.BaseRequest) -> str:
    """Return the token from where Jitsu looks for it, in Jitsu's order."""
    query = raw_query(request)
    if plain := _PLAIN_QUERY.fullmatch(query):
        return plain[1]
    headers = request.headers
    token, p_token = _remembered_tokens(query) if len(query) <= _REMEMBERED_LENGTH else _tokens_in_query(query)
    return (
        token
        or headers.get("X-Auth-Token")
        or headers.get("api_key")
        or p_token
        or _basic_user(headers.get("Authorization", ""))
    )


def _tokens_in_query(raw: str) -> tuple[str, str]:
    """Return the values of `token` and of the first key that begins with `p_`."""
    asked = Parameters(raw)
    tokens = asked.all("token")
    p_tokens = [value for name, value in asked.pairs if name.startswith("p_")]
    return tokens[0] if tokens else "", p_tokens[0] if p_tokens else ""


# Whoever names many things names them again.
_remembered_tokens = lru_cache(_REMEMBERED_TOKENS)(_tokens_in_query)


def _basic_user(authorization: str) -> str:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeError, ValueError):
        return ""


def _find_sender(context: Context, request: web.BaseRequest, *, from_server: bool) -> _Sender:
    """Return whose events these are; refuse a token that may not send here."""
    token = find_token(request)
    keys = context.api_keys
    if keys.configured:
        key, other = keys.client(token), keys.server(token)
        if from_server:
            key, other = other, key
        if key:
            return _Sender(Stream(Namespace.TOKEN, key.id), key)
        message = "The token is not found"
        if other and from_server:
            message = "The token isn't a server secret token. Please use an s2s integration token"
        elif other:
            message = "The token isn't a client secret token. Please use a js integration token"
        raise context.access.unknown(request, message)
    if not context.access.on_loopback and not context.settings.open_ingestion:
        raise context.access.unknown(request, "no api_keys are configured, and eventscache.open_ingestion is off")
    try:
        return _Sender(Stream(Namespace.TOKEN, check_id(token, context.limits.max_id_bytes)), None)
    except InvalidEvent as fault:
        raise context.access.unknown(request, f"The token is not usable: {fault}") from None
