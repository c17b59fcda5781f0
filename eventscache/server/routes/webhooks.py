"""`/ingest/...`: what Jitsu sends by itself, from a WebHook destination or from a function.

Jitsu sends again, and shows an error, if the answer is not a 200; so it always is.
"""

from collections.abc import Iterator

import msgspec
from aiohttp import web

from eventscache.access.api_keys import ApiKeys, spellings
from eventscache.delivery.producer import Producer
from eventscache.event import Event
from eventscache.ingest import formats
from eventscache.ingest.limits import BatchTooLarge
from eventscache.ingest.parsed import Parsed
from eventscache.ingest.secret_half import secret_half, without_halves
from eventscache.server.context import Context, Route
from eventscache.server.http.body import MalformedBody
from eventscache.server.http.parameters import parameters, path_of
from eventscache.server.http.responses import HttpError, prebuilt_response
from eventscache.server.rejections import keep_malformed, reject_broken_off, reject_records, reject_unread
from eventscache.stream import Namespace, Stream

_OK = b'{"status":"ok"}'
_STREAM_PARAMETERS = ("destination_id", "actor_id")


class _Sent(msgspec.Struct):
    api_key: str = ""


_read_sent = msgspec.json.Decoder(_Sent).decode


async def take_webhook(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Take whole events and records of a destination; what is wrong is counted, and logged once for each kind."""
    code = await _fault(context, request)
    if code:
        context.notices.tell(path_of(request.raw_path), code)
    can_go_on = await context.bodies.discard(request)
    return prebuilt_response(request, _OK, closes=not can_go_on)


async def _fault(context: Context, request: web.BaseRequest) -> str:
    """Take a body, and return the code of what is wrong with it, which is counted already; else no text."""
    cache, limits = context.cache, context.limits
    try:
        producer = _producer(context, request)
        stream = _stream(context, request)
        parsed = await context.bodies.parse(request, formats.WEBHOOK, stream)
    except (HttpError, BatchTooLarge) as fault:
        return reject_unread(cache, fault).code
    except ConnectionError:
        return reject_broken_off(cache).code
    except MalformedBody as fault:
        max_bytes = min(limits.max_malformed_bytes, limits.max_event_bytes)
        await keep_malformed(cache, stream, fault.body, str(fault), producer, max_bytes=max_bytes)
        return "malformed_body"
    reject_records(cache, parsed, stream)
    await cache.offer_in_turns([*parsed.records, *_events(context, stream, parsed)], producer)
    return "invalid_record" if parsed.errors else ""


def _producer(context: Context, request: web.BaseRequest) -> Producer:
    """Return who sends. A wrong token is no failed login: Jitsu sends all its events with the same one."""
    digest = context.access.writer(request)
    if digest is None:
        raise HttpError(401, "unknown_token", "neither an admin token nor an ingest token matches")
    return context.cache.producers.by_token(digest)


def _stream(context: Context, request: web.BaseRequest) -> Stream | None:
    """Return the stream of what names none, if the query names it."""
    given = parameters(request)
    for name in _STREAM_PARAMETERS:
        if found := given.stream_id(name, context.limits.max_id_bytes):
            return Stream(Namespace.DESTINATION, found)
    return None


def _events(context: Context, stream: Stream | None, parsed: Parsed) -> Iterator[tuple[Stream, Event]]:
    if stream is not None:
        for original in parsed.originals:
            secret = _secret(original)
            half = secret_half(secret)
            kept = without_halves(half.hidden(original) if half else original)
            yield stream, Event.of(stream, original=kept, token_id=_token_id(context.api_keys, secret))


def _secret(original: bytes) -> str:
    """Return the secret of the API key by which Jitsu received an event, which it puts into the event."""
    if b'"api_key"' not in original:
        return ""
    try:
        return _read_sent(original).api_key
    except msgspec.DecodeError:
        return ""


def _token_id(keys: ApiKeys, secret: str) -> str:
    """Return the id of an API key by its secret, or by the write key of Jitsu 2."""
    if not keys.configured:
        return ""
    found = (keys.client(text) or keys.server(text) for text in spellings(secret))
    return next((key.id for key in found if key), "")


ROUTES: tuple[Route, ...] = (
    ("POST", "/ingest/jitsu-webhook", take_webhook),
    ("POST", "/ingest/jitsu2", take_webhook),
)
