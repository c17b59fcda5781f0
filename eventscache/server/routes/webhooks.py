"""`/ingest/...`: what Jitsu sends by itself, from a WebHook destination or from a function.

Jitsu sends again, and shows an error, if the answer is not a 200; so it always is.
"""

from functools import partial
from typing import Final

from aiohttp import web

from eventscache.access.api_keys import ApiKeys, spellings
from eventscache.delivery.producer import Producer
from eventscache.ingest import webhook
from eventscache.ingest.limits import BatchTooLarge
from eventscache.ingest.parsed import Parsed
from eventscache.ingest.secret_half import keys_named_in
from eventscache.server.context import Context, Route
from eventscache.server.http.body import MalformedBody
from eventscache.server.http.extra_parameters import scope_of
from eventscache.server.http.parameters import parameters
from eventscache.server.http.responses import HttpError, json_response, prebuilt_response
from eventscache.server.ingestion.write_keys import half_of
from eventscache.server.rejections import keep_malformed, reject_broken_off, reject_records, reject_unread
from eventscache.stream import Namespace, Stream

_OK = b'{"status":"ok"}'
_MOST_SEARCHED_BYTES = 65_536  # of a body that is malformed
_STREAM_PARAMETERS = ("destination_id", "actor_id")


async def take_webhook(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Take whole events and records of a destination; what is wrong is counted, and logged once for each kind."""
    code = await _fault(context, request)
    if code:
        context.notices.tell(request, code)
    can_go_on = await context.bodies.discard(request)
    return prebuilt_response(request, _OK, closes=not can_go_on)


async def answer_head(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Answer as to a webhook, and keep nothing."""
    response = json_response({"status": "ok"})
    if not await context.bodies.discard(request):
        response.force_close()
    return response


def refused(request: web.BaseRequest) -> web.StreamResponse:
    """Return the response to a request that is not valid HTTP: as to any other, and the last one of its connection."""
    return prebuilt_response(request, _OK, closes=True)


async def _fault(context: Context, request: web.BaseRequest) -> str:
    """Take a body, and return the code of what is wrong with it, which is counted already; else no text."""
    cache, limits = context.cache, context.limits
    try:
        producer = _producer(context, request)
        stream = _stream(context, request)
        scope = scope_of(request, keeps_extras=cache.keeps_extras)
        parser = partial(webhook.parse, half_of=partial(half_of, context.api_keys))
        parsed = await context.bodies.parse(request, parser, stream)
    except (HttpError, BatchTooLarge) as fault:
        return reject_unread(cache, fault).code
    except ConnectionError:
        return reject_broken_off(cache).code
    except MalformedBody as fault:
        max_bytes = min(limits.max_malformed_bytes, limits.max_event_bytes)
        half = half_of(context.api_keys, *keys_named_in(fault.body[:_MOST_SEARCHED_BYTES]))
        await keep_malformed(
            cache, stream, fault.body, str(fault), producer, max_bytes=max_bytes, half=half, scope=scope
        )
        return "malformed_body"
    reject_records(cache, parsed, stream)
    _identify(context.api_keys, parsed)
    await cache.offer_in_turns(parsed.records, producer, scope=scope)
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


def _identify(keys: ApiKeys, parsed: Parsed) -> None:
    """Let each event that names no API key name the one by which Jitsu received it."""
    if not keys.configured:
        return
    known: dict[str, str] = {}
    for (_, event), write_key in zip(parsed.records, parsed.write_keys, strict=True):
        if write_key and not event.token_id:
            if write_key not in known:
                known[write_key] = _token_id(keys, write_key)
            event.token_id = known[write_key]


def _token_id(keys: ApiKeys, secret: str) -> str:
    """Return the id of an API key by its secret, or by the write key of Jitsu 2."""
    found = (keys.client(text) or keys.server(text) for text in spellings(secret))
    return next((key.id for key in found if key), "")


PATHS: Final = ("/ingest/jitsu-webhook", "/ingest/jitsu-webhook/", "/ingest/jitsu2", "/ingest/jitsu2/")
# Those that Jitsu lets one choose; its default is GET, with a body as well.
_METHODS = ("POST", "GET", "PUT", "PATCH", "DELETE")

ROUTES: tuple[Route, ...] = (
    *((method, path, take_webhook) for path in PATHS for method in _METHODS),
    *(("HEAD", path, answer_head) for path in PATHS),  # else it would be as GET
)
