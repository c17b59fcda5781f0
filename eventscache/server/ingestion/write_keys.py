"""Jitsu 2's write keys: where a request has one, and to whom it belongs.

A key is a plain text, or `ID:SECRET`. Its secret half is for finding the API key only: it never becomes an id.
"""

import base64
import binascii
import enum
from functools import lru_cache
from typing import NamedTuple

from eventscache.access.api_keys import ApiKey, ApiKeys, spellings
from eventscache.ingest.secret_half import SecretHalf, secret_half, with_colon
from eventscache.server.context import Context
from eventscache.server.http.parameters import pairs_as_in_go, raw_query
from eventscache.server.http.request_head import RequestHead
from eventscache.server.http.responses import HttpError
from eventscache.server.ingestion.senders import Sender, configured_sender, find_sender, halves_of, in_scope

_BASIC = "basic "
_BEARER = "bearer "
_CACHED_QUERIES = 4096
_MAX_CACHED_QUERY_LENGTH = 256
_NONE_SENT = (
    "The write key is not found: the request has none; send it as the user name of Basic authentication, "
    "in X-Write-Key, or as ?writekey="
)
_UNREADABLE = (
    "The write key is not found: Authorization must be Basic, with the key and a colon in base64, or Bearer and the key"
)
_WRONG_TYPE = "The write key is a {}, and this route needs a {}"


class Secrets(enum.Flag):
    """Which secrets of API keys a route takes as plain keys."""

    CLIENT = enum.auto()
    SERVER = enum.auto()
    EITHER = CLIENT | SERVER


class Holder(NamedTuple):
    """Who sends with a write key, and whether that is a server: then errors have their own status."""

    sender: Sender
    is_server: bool


def find_write_key(request: RequestHead) -> str:
    """Return the write key from where Jitsu 2 looks for it, in its order; an empty text if there is none.

    Raises `HttpError` for an `Authorization` that cannot be read: no other place counts then.
    """
    headers = request.headers
    if authorization := headers.get("Authorization"):
        return _decoded(authorization)
    return headers.get("X-Write-Key") or _in_query(raw_query(request))


def _decoded(authorization: str) -> str:
    if authorization[: len(_BEARER)].lower() == _BEARER:  # as newer versions of Jitsu 2 take it
        return authorization[len(_BEARER) :].strip()
    encoded = authorization[len(_BASIC) :] if authorization[: len(_BASIC)].lower() == _BASIC else authorization
    try:
        return base64.b64decode(encoded, validate=True).decode(errors="surrogateescape").removesuffix(":")
    except (binascii.Error, ValueError):
        raise HttpError(401, "unknown_token", _UNREADABLE) from None


def _in_query(raw: str) -> str:
    if "writekey" not in raw and "%" not in raw:
        return ""
    return _cached_in_query(raw) if len(raw) <= _MAX_CACHED_QUERY_LENGTH else _found_in_query(raw)


def _found_in_query(raw: str) -> str:
    return next((value for name, value in pairs_as_in_go(raw) if name == "writekey"), "")


# Clients repeat their queries.
_cached_in_query = lru_cache(_CACHED_QUERIES)(_found_in_query)


def require_holder(context: Context, request: RequestHead, write_key: str, taken: Secrets) -> Holder:
    """Return who sends a request with a write key, as `find_holder` does, with the scope that the request names."""
    sender, is_server = find_holder(context, write_key, taken)
    return Holder(in_scope(context, request, sender), is_server)


def find_holder(context: Context, write_key: str, taken: Secrets) -> Holder:
    """Return who sends with a write key; raise `HttpError` for a key that may not send here, always a 401.

    With `api_keys`, a plain key must be a secret that the route takes. `ID:SECRET` counts on every route, whether it is
    listed as a whole or only `SECRET` is. Without `api_keys` the part before the colon is the id of the stream.
    """
    if not write_key.partition(":")[0]:
        raise HttpError(401, "unknown_token", _NONE_SENT)
    if not context.api_keys.configured:
        sender = find_sender(context, write_key, from_server=False)
        return Holder(sender, Secrets.CLIENT not in taken)
    found = _configured(context.api_keys, write_key)
    if not found and (decoded := with_colon(write_key)) != write_key:
        return find_holder(context, decoded, taken)
    if not found:
        raise HttpError(401, "unknown_token", "The write key is not found")
    usable = found if ":" in write_key else {secret: key for secret, key in found.items() if secret in taken}
    if not usable:
        names = ("client secret", "server secret")
        raise HttpError(401, "wrong_token_type", _WRONG_TYPE.format(*names[:: 1 if Secrets.CLIENT in found else -1]))
    # One text may be both: then the route decides.
    preferred = Secrets.CLIENT if Secrets.CLIENT in taken else Secrets.SERVER
    secret = preferred if preferred in usable else next(iter(usable))
    key = usable[secret]
    return Holder(configured_sender(key)._replace(half=halves_of(key, write_key)), secret is Secrets.SERVER)


def half_of(keys: ApiKeys, *write_keys: str) -> SecretHalf | None:
    """Return what finds the secret halves of write keys that a body names, and of the API keys that they are of."""
    texts = dict.fromkeys((*write_keys, *map(with_colon, write_keys)))
    found = [key for text in texts for key in _configured(keys, text).values()]
    return secret_half(*write_keys, *(secret for key in found for secret in (key.client_secret, key.server_secret)))


def _configured(keys: ApiKeys, write_key: str) -> dict[Secrets, ApiKey]:
    """Return the API keys of which a write key, or else its secret half, is a secret."""
    for text in spellings(write_key):
        both = {Secrets.CLIENT: keys.client(text), Secrets.SERVER: keys.server(text)}
        if found := {secret: key for secret, key in both.items() if key is not None}:
            return found
    return {}
