"""Jitsu 2's ingestion, and the default paths of Segment's libraries: each event is an `original` of a key's stream."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, NamedTuple

import msgspec
from aiohttp import web

from eventscache.access.api_keys import ApiKeys
from eventscache.cache import EventsCache
from eventscache.event import Event
from eventscache.ingest import formats, jitsu2
from eventscache.ingest.limits import BatchTooLarge
from eventscache.ingest.parsed import MAX_ERRORS, Parsed, Parser
from eventscache.ingest.secret_half import SecretHalf, keys_named_in
from eventscache.server.context import Context, FastHandler, FastRoute, Handler, Route
from eventscache.server.http.body import MalformedBody
from eventscache.server.http.parameters import path_of, path_parts
from eventscache.server.http.request_head import RequestHead
from eventscache.server.http.responses import (
    FOR_ALL_PAGES,
    HttpError,
    PrebuiltResponse,
    json_response,
    prebuilt,
    prebuilt_response,
)
from eventscache.server.http.whole_request import WholeRequest
from eventscache.server.ingestion.cors import jitsu2_cors_headers
from eventscache.server.ingestion.write_keys import Holder, Secrets, find_write_key, half_of, require_holder
from eventscache.server.rejections import keep_malformed, reject_unread

_OK = b'{"ok":true}'
_ALL_OK = b'{"ok":true,"receivedEvents":%d,"okEvents":%d}'
_OK_HEADERS = (*FOR_ALL_PAGES.items(), ("Content-Type", "application/json; charset=utf-8"))
_NOT_OK = {"ok": False}
_UNAUTHORIZED = 401
_MOST_SEARCHED_BYTES = 65_536  # of a body that is malformed


class _Kind(NamedTuple):
    """What a route takes: a parser of `jitsu2`, the secrets, and whether the body may name the key.

    `is_quiet` tells that errors are a 200.
    """

    parser: Callable[..., Parsed]
    secrets: Secrets
    key_in_body: bool
    is_quiet: bool = False


_PAGE: Final = _Kind(formats.JITSU2_EVENT, Secrets.CLIENT, key_in_body=False, is_quiet=True)
_SERVER: Final = _Kind(formats.JITSU2_EVENT, Secrets.SERVER, key_in_body=False)
_SEGMENT: Final = _Kind(formats.JITSU2_EVENT, Secrets.EITHER, key_in_body=True)
_BATCH: Final = _Kind(formats.JITSU2_BATCH, Secrets.EITHER, key_in_body=True)
_SERVER_BATCH: Final = _Kind(formats.JITSU2_BATCH, Secrets.SERVER, key_in_body=True)


class _Taken(NamedTuple):
    holder: Holder
    parsed: Parsed


async def post_page_event(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Take an event of the type in the path from a browser. Errors of the event or its key are a 200, as in Jitsu 2."""
    return await _post_event(context, request, _PAGE)


async def post_server_event(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Take an event of the type in the path from a server."""
    return await _post_event(context, request, _SERVER)


async def post_segment_event(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Take an event of the type in the path from a library of Segment."""
    return await _post_event(context, request, _SEGMENT)


async def post_batch(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Take a batch of events, from a library of Segment or whoever else."""
    return await _post_batch(context, request, _BATCH)


async def post_server_batch(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Take a batch of events from a server."""
    return await _post_batch(context, request, _SERVER_BATCH)


async def preflight(_: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Answer a browser's CORS preflight as Jitsu 2 does: every page may send, whatever the key."""
    return web.Response(headers={**FOR_ALL_PAGES, **dict(jitsu2_cors_headers(request.headers.get("Origin") or "*"))})


def error_headers(_: Context, request: web.BaseRequest) -> dict[str, str]:
    """Return the headers that every error of these routes has, so that a page can read it; none for other routes."""
    path = path_of(request.raw_path)
    if path not in _PATHS and not path.startswith(_PREFIXES):
        return {}
    return {"Cross-Origin-Resource-Policy": FOR_ALL_PAGES["Cross-Origin-Resource-Policy"], **dict(cors_of(request))}


def cors_of(request: RequestHead) -> tuple[tuple[str, str], ...]:
    """Return the headers by which a page may read an answer of these routes."""
    origin = request.headers.get("Origin")
    return jitsu2_cors_headers(origin) if origin is not None else ()


def take_event(context: Context, request: WholeRequest, kind: _Kind) -> PrebuiltResponse | None:
    """Do at once what `_post_event` does."""
    event_type = path_parts(request)[-1]
    taken = _take_whole(context, request, kind)
    if taken is None or jitsu2.fault_of(taken.parsed.originals[0], event_type):
        return None
    return prebuilt(_OK, (*_OK_HEADERS, *cors_of(request))) if _offer_at_once(context.cache, taken) else None


def take_batch(context: Context, request: WholeRequest, kind: _Kind) -> PrebuiltResponse | None:
    """Do at once what `_post_batch` does."""
    taken = _take_whole(context, request, kind)
    if taken is None or not _offer_at_once(context.cache, taken):
        return None
    received = len(taken.parsed.originals)
    return prebuilt(_ALL_OK % (received, received), (*_OK_HEADERS, *cors_of(request)))


async def _post_event(context: Context, request: web.BaseRequest, kind: _Kind) -> web.StreamResponse:
    try:
        event_type = path_parts(request)[-1]
    except HttpError as fault:
        raise reject_unread(context.cache, fault) from None
    holder, parsed = await _take(context, request, kind)
    reason = jitsu2.fault_of(parsed.originals[0], event_type)
    if reason and holder.sender.half:
        reason = jitsu2.fault_of(parsed.originals[0], holder.sender.half.hidden_in_words(event_type))
    await offer(context.cache, holder, msgspec.structs.replace(parsed, faults=[(0, reason)] if reason else ()))
    if reason:
        raise _refusal(kind, holder, f"event error: {reason}")
    return prebuilt_response(request, _OK, (*_OK_HEADERS, *cors_of(request)))


async def _post_batch(context: Context, request: web.BaseRequest, kind: _Kind) -> web.StreamResponse:
    holder, parsed = await _take(context, request, kind)
    await offer(context.cache, holder, parsed)
    received, refused = len(parsed.originals), len(parsed.faults)
    if not refused:
        return prebuilt_response(request, _ALL_OK % (received, received), (*_OK_HEADERS, *cors_of(request)))
    context.notices.tell(request, "event_error")
    answer = {"ok": False, "receivedEvents": received, "okEvents": received - refused, "errors": [*_told(parsed)]}
    return json_response(answer, headers={**FOR_ALL_PAGES, **dict(cors_of(request))})


def _told(parsed: Parsed) -> Iterator[str]:
    """Yield what to say of the first events that are refused."""
    events = [*parsed.originals]
    for index, fault in parsed.faults[:MAX_ERRORS]:
        message_id = jitsu2.message_id_of(events[index])
        yield f"{f'Message ID: {message_id}' if message_id else f'Event {index}'}: event error: {fault}"


async def _take(context: Context, request: web.BaseRequest, kind: _Kind) -> _Taken:
    """Return the events of a request and who sent them; raise `HttpError` for what is not taken, which is counted."""
    holder = None
    try:
        holder = _holder_of_head(context, request, kind)
        half, parser = _parser(context, kind, holder)
        parsed = context.bodies.parse_at_once(request, parser, None, half)  # a coroutine costs 1 %
        if parsed is None:
            parsed = await context.bodies.parse(request, parser, None, half)
        return _Taken(holder or require_holder(context, request, parsed.write_key, kind.secrets), parsed)
    except (HttpError, BatchTooLarge) as fault:
        error = reject_unread(context.cache, fault)
        raise (_quiet(error) if kind.is_quiet and error.status == _UNAUTHORIZED else error) from None
    except MalformedBody as fault:
        reason = f"error parsing message: {fault}"
        await _keep_malformed(context, holder, fault.body, reason)
        raise _refusal(kind, holder, reason) from None


def _take_whole(context: Context, request: WholeRequest, kind: _Kind) -> _Taken | None:
    """Return what `_take` does, of a body that is parsed at once; else None. What is wrong with it is not counted."""
    holder = _holder_of_head(context, request, kind)
    half, parser = _parser(context, kind, holder)
    parsed = context.bodies.parse_whole(request.body, parser, None, half)
    if parsed is None:
        return None
    return _Taken(holder or require_holder(context, request, parsed.write_key, kind.secrets), parsed)


def _holder_of_head(context: Context, request: RequestHead, kind: _Kind) -> Holder | None:
    """Return who sends a request by its head; None if it names no key, and the body may."""
    write_key = find_write_key(request)
    if not write_key and kind.key_in_body:
        return None
    return require_holder(context, request, write_key, kind.secrets)


def _parser(context: Context, kind: _Kind, holder: Holder | None) -> tuple[SecretHalf | None, Parser]:
    """Return the secret half that the body must not have, and the parser that hides others."""
    half = holder.sender.half if holder else None
    return half, partial(kind.parser, half_of=partial(_other_half_of, context.api_keys, half))


def _offer_at_once(cache: EventsCache, taken: _Taken) -> bool:
    """Offer events if that can be done at once, and Jitsu 2 refuses none of them; else return False."""
    sender, parsed = taken.holder.sender, taken.parsed
    return not parsed.faults and cache.offer_originals_at_once(
        sender.stream, parsed.originals, sender.producer, sender.scope
    )


def _other_half_of(keys: ApiKeys, half: SecretHalf | None, write_key: str) -> SecretHalf | None:
    """Return what finds the halves of the key that a body names, unless it is the `half` that is hidden anyway."""
    found = half_of(keys, write_key)
    return None if found is half else found


async def _keep_malformed(context: Context, holder: Holder | None, body: bytes, reason: str) -> None:
    """Keep a body that cannot be parsed in the stream of its sender, if the request named one."""
    limits = context.limits
    max_bytes = min(limits.max_malformed_bytes, limits.max_event_bytes)
    stream = holder.sender.stream if holder else None
    producer = holder.sender.producer if holder else context.cache.producers.anonymous
    named = () if holder else keys_named_in(body[:_MOST_SEARCHED_BYTES])
    half = holder.sender.half if holder else half_of(context.api_keys, *named)
    scope = holder.sender.scope if holder else ""
    await keep_malformed(context.cache, stream, body, reason, producer, max_bytes=max_bytes, half=half, scope=scope)


async def offer(cache: EventsCache, holder: Holder, parsed: Parsed) -> None:
    """Offer events; those that Jitsu 2 refuses have its error. A full queue is counted, and changes no response."""
    stream, producer, scope = holder.sender.stream, holder.sender.producer, holder.sender.scope
    if not parsed.faults:
        await cache.offer_originals_in_turns(stream, parsed.originals, producer, scope)
        return
    faults = dict(parsed.faults)
    events = [
        Event.of(stream, original=bytes(original), error=f"event error: {faults[index]}" if index in faults else "")
        for index, original in enumerate(parsed.originals)
    ]
    await cache.offer_in_turns([(stream, event) for event in events], producer, scope=scope)


def _refusal(kind: _Kind, holder: Holder | None, reason: str) -> HttpError:
    error = HttpError(400, "malformed_body", reason, fields=_NOT_OK)
    return _quiet(error) if kind.is_quiet and not (holder and holder.is_server) else error


def _quiet(error: HttpError) -> HttpError:
    """Return an error with the status that browsers get from Jitsu 2, so that none repeats it."""
    error.status, error.fields = 200, _NOT_OK
    return error


_BATCH_PATHS = ("/v1/batch", "/v1/b", "/v1/batch/b", "/batch", "/b", "/batch/b")
_SEGMENT_PATHS = (
    *(f"/v1/{name}" for name in ("track", "page", "identify", "group", "screen", "alias")),
    *(f"{start}/{letter}" for start in ("", "/v1") for letter in "tpigsa"),
)
_HANDLERS: dict[str, tuple[Handler, FastHandler]] = {
    "/api/s/{tp}": (post_page_event, partial(take_event, kind=_PAGE)),
    "/api/s/s2s/{tp}": (post_server_event, partial(take_event, kind=_SERVER)),
    "/api/s/s2s/batch": (post_server_batch, partial(take_batch, kind=_SERVER_BATCH)),
    **dict.fromkeys(_BATCH_PATHS, (post_batch, partial(take_batch, kind=_BATCH))),
    **dict.fromkeys(_SEGMENT_PATHS, (post_segment_event, partial(take_event, kind=_SEGMENT))),
}
_PATHS = frozenset((*_BATCH_PATHS, *_SEGMENT_PATHS))
_PREFIXES = ("/api/s/", "/api/px/", "/v1/projects/")

ROUTES: tuple[Route, ...] = (
    *(("POST", path, handler) for path, (handler, _) in _HANDLERS.items()),
    *(("OPTIONS", path, preflight) for path in _HANDLERS),
)

FAST_ROUTES: tuple[FastRoute, ...] = tuple((path, handler) for path, (_, handler) in _HANDLERS.items())
