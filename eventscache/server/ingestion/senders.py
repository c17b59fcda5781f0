"""Who sends events: the token of a request, and the key that it belongs to."""

import base64
import binascii
import re
from functools import lru_cache
from typing import NamedTuple

from aiohttp import web

from eventscache.access.api_keys import ApiKey
from eventscache.delivery.producer import CONFIGURED, Producer
from eventscache.errors import InvalidEvent
from eventscache.server.context import Context
from eventscache.server.http.parameters import pairs_as_in_go, raw_query
from eventscache.server.http.responses import HttpError
from eventscache.server.rejections import reject_unread
from eventscache.stream import Namespace, Stream, check_id

# A token first, and nothing that would have to be decoded: the query of nearly every client.
_PLAIN_QUERY = re.compile(r"token=([\w.~-]+)(?:&[\w.~=&-]*)?", re.ASCII)
_NONE_SENT = (
    "The token is not found: the request has none that can be read; send it as ?token=, in X-Auth-Token or api_key, "
    "as ?p_...=, or as the user name of Basic authentication"
)
_NEEDS_CLIENT = "The token isn't a client secret token. Please use a js integration token"
_NEEDS_SERVER = "The token isn't a server secret token. Please use an s2s integration token"
_CACHED_QUERIES = _CACHED_SENDERS = 4096
_MAX_CACHED_QUERY_LENGTH = 256


class Sender(NamedTuple):
    """Where the events of a token belong, and by which key; None if no keys are configured."""

    stream: Stream
    key: ApiKey | None
    producer: Producer


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


def require_sender(
    context: Context, request: web.BaseRequest, *, from_server: bool, wrong_type: str | None = None
) -> Sender:
    """Return who sends a request, as `find_sender` does; an error is counted."""
    try:
        return find_sender(context, find_token(request), from_server=from_server, wrong_type=wrong_type)
    except HttpError as fault:
        raise reject_unread(context.cache, fault) from None


def find_sender(context: Context, token: str, *, from_server: bool, wrong_type: str | None = None) -> Sender:
    """Return who sends with a token; raise `HttpError` for a token that may not send here.

    That is always a 401, however often it happens: behind a proxy all clients share one address. `wrong_type` is the
    message about a secret of the other type, where the route has one of its own; if it is empty, such a secret is as
    unknown as any other.
    """
    keys = context.api_keys
    if keys.configured:
        key, other = keys.client(token), keys.server(token)
        if from_server:
            key, other = other, key
        if key:
            return configured_sender(key)
        if wrong_type is None:
            wrong_type = _NEEDS_SERVER if from_server else _NEEDS_CLIENT
        if not other or not wrong_type:
            raise HttpError(401, "unknown_token", "The token is not found" if token else _NONE_SENT)
        raise HttpError(401, "wrong_token_type", wrong_type)
    if not context.access.on_loopback and not context.settings.open_ingestion:
        message = "no api_keys are configured, and eventscache.open_ingestion is off"
        raise HttpError(401, "ingestion_closed", message)
    if not token:
        raise HttpError(401, "unknown_token", _NONE_SENT)
    try:
        return _anonymous_sender(token, context.limits.max_id_bytes, context.cache.producers.anonymous)
    except InvalidEvent as fault:
        raise HttpError(401, "unknown_token", f"The token is not usable: {fault}") from None


# Clients repeat their tokens.
@lru_cache(_CACHED_SENDERS)
def configured_sender(key: ApiKey) -> Sender:
    """Return who sends with an API key."""
    return Sender(Stream(Namespace.TOKEN, key.id), key, CONFIGURED)


@lru_cache(_CACHED_SENDERS)
def _anonymous_sender(token: str, max_id_bytes: int, producer: Producer) -> Sender:
    """Return who sends with a token that is an id; raise `InvalidEvent` if it cannot be one."""
    return Sender(Stream(Namespace.TOKEN, check_id(token, max_id_bytes)), None, producer)
