"""Who sends events: the token of a request, and the key that it belongs to."""

import base64
import binascii
import re
from functools import lru_cache
from typing import NamedTuple

from eventscache.access.api_keys import ApiKey, ApiKeys, spellings
from eventscache.delivery.producer import CONFIGURED, Producer
from eventscache.errors import InvalidEvent
from eventscache.ingest.secret_half import SecretHalf, secret_half, with_colon
from eventscache.server.context import Context
from eventscache.server.http.extra_parameters import may_be_in_scope, scope_of
from eventscache.server.http.parameters import pairs_as_in_go, raw_query
from eventscache.server.http.request_head import RequestHead
from eventscache.server.http.responses import HttpError
from eventscache.server.ingestion.scope_room import require_scope_room
from eventscache.server.rejections import reject_unread
from eventscache.stream import Namespace, Stream, check_id

# A token first, and nothing that would have to be decoded: the query of nearly every client.
_PLAIN_QUERY = re.compile(r"token=([\w.~-]+)(?:&[\w.~=&-]*)?", re.ASCII)
_NONE_SENT = (
    "The token is not found: the request has none that can be read; send it as ?token=, in X-Auth-Token or api_key, "
    "as ?p_...=, as the user name of Basic authentication, or as Jitsu 2's write key"
)
_NEEDS_CLIENT = "The token isn't a client secret token. Please use a js integration token"
_NEEDS_SERVER = "The token isn't a server secret token. Please use an s2s integration token"
_CACHED_QUERIES = _CACHED_SENDERS = 4096
_MAX_CACHED_QUERY_LENGTH = 256


class Sender(NamedTuple):
    """Where the events of a token belong, and by which key; None if no keys are configured.

    `half` finds the secret halves of the token and of both secrets of the key: they must not be kept. `scope` is the
    extra collection of the test scope that the events belong to as well, if any.
    """

    stream: Stream
    key: ApiKey | None
    producer: Producer
    half: SecretHalf | None = None
    scope: str = ""


def in_scope(context: Context, request: RequestHead, sender: Sender) -> Sender:
    """Return a sender with the scope that the request names, if it does; raise `HttpError` for one that cannot be."""
    scope = scope_of(request, keeps_extras=context.cache.keeps_extras)
    require_scope_room(context.cache, scope, (sender.stream,))
    return sender._replace(scope=scope) if scope else sender


def find_token(request: RequestHead, keys: ApiKeys) -> str:
    """Return the token from where Jitsu looks for it, in Jitsu's order, or else from where Jitsu 2 does.

    A token may be `ID:SECRET`, a write key of Jitsu 2.
    """
    return _token_of(request, raw_query(request), keys)


def _token_of(request: RequestHead, query: str, keys: ApiKeys) -> str:
    if plain := _plain_token(query):
        return plain
    headers = request.headers
    token, p_token, write_key = (
        _cached_tokens_in_query(query) if len(query) <= _MAX_CACHED_QUERY_LENGTH else _tokens_in_query(query)
    )
    return (
        token
        or headers.get("X-Auth-Token")
        or headers.get("api_key")
        or p_token
        or _in_authorization(headers.get("Authorization", ""), keys)
        or headers.get("X-Write-Key")
        or write_key
    )


@lru_cache(_CACHED_QUERIES)  # clients repeat their queries
def _cached_plain_token(raw: str) -> str:
    plain = _PLAIN_QUERY.fullmatch(raw)
    return plain[1] if plain else ""


def _plain_token(raw: str) -> str:
    """Return the token of a plain query; an empty text if it has none, or is not plain."""
    return _cached_plain_token(raw) if len(raw) <= _MAX_CACHED_QUERY_LENGTH else ""


def _tokens_in_query(raw: str) -> tuple[str, str, str]:
    """Return the values of `token`, of the first key that begins with `p_`, and of `writekey`."""
    pairs = [*pairs_as_in_go(raw)]
    tokens = (value for name, value in pairs if name == "token")
    p_tokens = (value for name, value in pairs if name.startswith("p_"))
    write_keys = (value for name, value in pairs if name == "writekey")
    return next(tokens, ""), next(p_tokens, ""), next(write_keys, "")


# Clients repeat their queries.
_cached_tokens_in_query = lru_cache(_CACHED_QUERIES)(_tokens_in_query)


def _in_authorization(authorization: str, keys: ApiKeys) -> str:
    """Return the user of Basic authentication, or user and password if they are a write key; or a Bearer's write key.

    Without keys, a Bearer's text without a colon is none: it may be an admin token, and must not become an id.
    """
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return text.strip() if keys.configured or ":" in text else ""
    if scheme.lower() != "basic":
        return ""
    try:
        token = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        return ""
    is_known = not keys.configured or any(keys.client(part) or keys.server(part) for part in spellings(token))
    return token if is_known else token.partition(":")[0]


def sender_of(
    context: Context, request: RequestHead, query: str, *, from_server: bool, wrong_type: str | None = None
) -> Sender:
    """Return who sends a request with a raw query, as `find_sender` does."""
    sender = _plain_sender(context, query)
    if sender is None:
        token = _token_of(request, query, context.api_keys)
        sender = find_sender(context, token, from_server=from_server, wrong_type=wrong_type)
    return in_scope(context, request, sender) if may_be_in_scope(request, query) else sender


def require_sender(
    context: Context, request: RequestHead, *, from_server: bool, wrong_type: str | None = None
) -> Sender:
    """Return who sends a request, as `sender_of` does; an error is counted."""
    try:
        return sender_of(context, request, raw_query(request), from_server=from_server, wrong_type=wrong_type)
    except HttpError as fault:
        raise reject_unread(context.cache, fault) from None


def find_sender(context: Context, token: str, *, from_server: bool, wrong_type: str | None = None) -> Sender:
    """Return who sends with a token; raise `HttpError` for a token that may not send here.

    With `api_keys`, a token counts as a whole, or else what is behind a colon in it does, which may be of either type,
    as in Jitsu 2. Without them, it is the id of the stream up to a colon. That may be encoded once too often.

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
        if not other and (sender := _by_half(keys, token, from_server=from_server)):
            return sender
        if wrong_type is None:
            wrong_type = _NEEDS_SERVER if from_server else _NEEDS_CLIENT
        if not other or not wrong_type:
            raise HttpError(401, "unknown_token", "The token is not found" if token else _NONE_SENT)
        raise HttpError(401, "wrong_token_type", wrong_type)
    if not _takes_anonymous(context):
        message = "no api_keys are configured, and eventscache.open_ingestion is off"
        raise HttpError(401, "ingestion_closed", message)
    if not token:
        raise HttpError(401, "unknown_token", _NONE_SENT)
    try:
        return _anonymous_sender(token, context.limits.max_id_bytes, context.cache.producers.anonymous)
    except InvalidEvent as fault:
        raise HttpError(401, "unknown_token", f"The token is not usable: {fault}") from None


def _takes_anonymous(context: Context) -> bool:
    return context.access.on_loopback or context.settings.open_ingestion


def key_of(keys: ApiKeys, token: str) -> ApiKey | None:
    """Return the key of which a token, or what is behind a colon in it, is the client secret."""
    found = (keys.client(text) for text in spellings(token))
    return next((key for key in found if key), None)


def _by_half(keys: ApiKeys, token: str, *, from_server: bool) -> Sender | None:
    """Return who sends with the secret half of a token, or with one that was encoded once too often."""
    decoded = with_colon(token)
    for secret in spellings(decoded)[decoded == token :]:
        kinds = (keys.server, keys.client) if from_server else (keys.client, keys.server)
        if key := kinds[0](secret) or kinds[1](secret):
            return configured_sender(key)._replace(half=halves_of(key, token))
    return None


# Clients repeat their tokens.
@lru_cache(_CACHED_SENDERS)
def configured_sender(key: ApiKey) -> Sender:
    """Return who sends with an API key."""
    return Sender(Stream(Namespace.TOKEN, key.id), key, CONFIGURED, halves_of(key))


def halves_of(key: ApiKey, *write_keys: str) -> SecretHalf | None:
    """Return what finds the secret halves of an API key, and of other write keys; None if there are none."""
    return secret_half(key.client_secret, key.server_secret, *write_keys)


@lru_cache(_CACHED_SENDERS)
def _anonymous_sender(token: str, max_id_bytes: int, producer: Producer) -> Sender:
    """Return who sends with a token that begins with an id; raise `InvalidEvent` if it cannot be one."""
    stream = Stream(Namespace.TOKEN, check_id(with_colon(token).partition(":")[0], max_id_bytes))
    return Sender(stream, None, producer, secret_half(token))


def _plain_sender(context: Context, query: str) -> Sender | None:
    """Return who sends with a plain query where no keys are configured: one look for all; None if it is not plain."""
    if len(query) > _MAX_CACHED_QUERY_LENGTH or context.api_keys.configured or not _takes_anonymous(context):
        return None
    return _cached_plain_sender(query, context.limits.max_id_bytes, context.cache.producers.anonymous)


@lru_cache(_CACHED_SENDERS)
def _cached_plain_sender(query: str, max_id_bytes: int, producer: Producer) -> Sender | None:
    plain = _PLAIN_QUERY.fullmatch(query)
    if plain is None or len(token := plain[1]) > max_id_bytes:
        return None
    # No sign of a plain token is one that an id may not have, or that stands before a secret half.
    return Sender(Stream(Namespace.TOKEN, token), None, producer)
