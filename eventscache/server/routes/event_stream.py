"""`/api/v1/events/stream`, what comes into streams as server-sent events; and waiting for it to come."""

import asyncio
import math
from contextlib import aclosing
from typing import cast

import msgspec
from aiohttp import web

from eventscache.live.cursor import Cursor
from eventscache.live.hub import MOST_STREAMS, TICK_SECONDS, TooManyWatchers
from eventscache.live.messages import Cleared, Client, Counters, Gap, Message, Signal, StreamFilter
from eventscache.live.subscription import Subscription
from eventscache.live.tail import LiveEvent
from eventscache.server.context import Context, Route
from eventscache.server.http.connections import Connection
from eventscache.server.http.parameters import LARGEST_LIMIT, Parameters, parameters
from eventscache.server.http.responses import HttpError
from eventscache.storage.messages import Query
from eventscache.stream import Stream

_encode = msgspec.json.encode

_MOST_HISTORY = 1000
_MOST_SECONDS = 60
_FRAMES_IN_A_ROW = 32
_RETRY = b"retry: 1000\n\n"
_COMMENT = b": \n\n"
_AWAY = {"message": "the storage does not answer"}
_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}


class _Reader(Client):
    """Whoever sent a request. Who sends no more has left: nothing else would tell before much is written in vain."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request

    @property
    def gone(self) -> bool:
        transport = self._request.transport
        return transport is None or transport.is_closing() or cast(Connection, self._request.protocol).ended

    @property
    def unread(self) -> int:
        transport = self._request.transport
        return transport.get_write_buffer_size() if transport else 0

    def cut(self) -> None:
        if self._request.transport:
            self._request.transport.abort()


async def get_stream(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Tell what comes into the streams asked for, until the client leaves or the server stops."""
    context.access.require_admin(request)
    asked = parameters(request)
    wanted = _wanted(context, asked)
    history = asked.whole_number("history", most=_MOST_HISTORY) or 0
    cursor = _cursor(request, asked)
    subscription = _subscribe(context, _Reader(request), wanted, cursor=cursor, history=history)
    response = web.StreamResponse(headers=_HEADERS)
    try:
        await response.prepare(request)
        await _write(response, subscription)
    except ConnectionError:
        pass  # whoever watched is gone: that is how it ends
    finally:
        context.live.leave(subscription)
    return response


async def _write(response: web.StreamResponse, subscription: Subscription) -> None:
    await response.write(_RETRY)
    named = ""
    written = 0
    async with aclosing(subscription.messages()) as messages:
        async for item in messages:
            frame, named = _frame(item, subscription.cursor, named)
            await response.write(frame)
            written += 1
            if not written % _FRAMES_IN_A_ROW:  # writing alone does not let others have their turn
                await asyncio.sleep(0)
    await response.write_eof()


def _wanted(context: Context, asked: Parameters) -> StreamFilter:
    ids = asked.ids(context.settings.max_ids, context.settings.max_id_bytes)
    namespace = asked.namespace()
    if ids is not None and not ids:
        raise HttpError(400, "invalid_parameter", "ids names no stream; without it, all known streams are meant")
    streams = None if ids is None else tuple(Stream(namespace, stream_id) for stream_id in ids)
    return StreamFilter(namespace, streams, asked.status(), asked.search())


def _cursor(request: web.BaseRequest, asked: Parameters) -> Cursor | None:
    """Return where to go on, if the request says so."""
    text = request.headers.get("Last-Event-ID") or asked.one("last_event_id")
    if not text:
        return None
    try:
        return Cursor.parse(text)
    except ValueError:
        raise HttpError(400, "invalid_parameter", "Last-Event-ID is not the id of an event of this stream") from None


def _subscribe(
    context: Context,
    reader: _Reader,
    wanted: StreamFilter,
    *,
    cursor: Cursor | None = None,
    history: int = 0,
    seconds: float | None = None,
) -> Subscription:
    if wanted.streams is not None and len(wanted.streams) > MOST_STREAMS:
        raise HttpError(
            400,
            "invalid_parameter",
            f"{len(wanted.streams)} ids are too many to be watched; at most {MOST_STREAMS} are allowed",
        )
    try:
        return context.live.subscribe(wanted, reader, cursor=cursor, history=history, seconds=seconds)
    except TooManyWatchers as fault:
        raise HttpError(429, "too_many_subscribers", str(fault), {"Retry-After": "5"}) from None


def _frame(item: Message, cursor: str, named: str) -> tuple[bytes, str]:
    """Return what is sent for an item, and the id that was sent last; with an event, and where it moved on, it is."""
    if item is Signal.KEEPALIVE:
        return _COMMENT, named
    name, data = _described(item)
    moved = isinstance(item, LiveEvent) or (cursor != named and (item is Signal.READY or isinstance(item, Counters)))
    line = f"id: {cursor}\n" if moved else ""
    return f"event: {name}\n{line}data: ".encode() + data + b"\n\n", cursor if moved else named


def _described(item: Message) -> tuple[str, bytes]:
    match item:
        case LiveEvent(json=json):
            return "event", json
        case Counters():
            return "counters", _encode(item._asdict())
        case Gap(stream, at_most):
            return "gap", _encode({**stream._asdict(), "at_most": at_most})
        case Cleared(stream):
            return "cleared", _encode(stream._asdict())
        case Signal.AWAY:
            return "away", _encode(_AWAY)
    return item.name.lower(), b"{}"


async def wait_for_events(
    context: Context, request: web.BaseRequest, asked: Parameters, wanted: StreamFilter, query: Query
) -> None:
    """Return when `min` events are there for a query, when `wait` seconds have passed, or when the client leaves."""
    seconds = asked.seconds("wait", _MOST_SECONDS)
    least = asked.whole_number("min", least=1) or 1
    if not seconds or wanted.streams == ():
        return
    query = query._replace(limit=max(query.limit, min(least, LARGEST_LIMIT)))
    subscription = _subscribe(context, _Reader(request), wanted, seconds=seconds)
    count, looked = 0, -math.inf
    try:
        async with aclosing(subscription.messages()) as messages:
            async for item in messages:
                count += isinstance(item, LiveEvent)
                # What is told may have been counted before: that there are enough is looked up, though not for each
                # of the events that came in one tick.
                now = context.live.clock.now()
                if item is Signal.READY or (count >= least and now - looked >= TICK_SECONDS):
                    looked = now
                    count = await _count(context, wanted, query)
                    if count >= least:
                        return
    finally:
        context.live.leave(subscription)


async def _count(context: Context, wanted: StreamFilter, query: Query) -> int:
    """Return how many events there are for a query, over all streams."""
    streams = await context.live.streams(wanted.namespace) if wanted.streams is None else wanted.streams
    count = 0
    for stream in streams:
        count += len((await context.cache.fetch(stream, query, wanted.search)).events)
        await asyncio.sleep(0)  # a storage in memory lets nobody else have a turn
    return count


ROUTES: tuple[Route, ...] = (("GET", "/api/v1/events/stream", get_stream),)
