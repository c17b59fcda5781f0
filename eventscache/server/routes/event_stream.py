"""`/api/v1/events/stream`: what comes into streams, as server-sent events."""

from contextlib import aclosing

import msgspec
from aiohttp import web

from eventscache.live.cursor import Cursor
from eventscache.live.messages import Cleared, Counters, Gap, Message, Signal
from eventscache.live.subscription import Subscription
from eventscache.live.tail import LiveEvent
from eventscache.query.turns import Work
from eventscache.server.context import Context, Route
from eventscache.server.http.parameters import Parameters, parameters
from eventscache.server.http.responses import HttpError
from eventscache.server.routes.subscriptions import stream_filter_of, subscribe

_encode = msgspec.json.encode

_MAX_HISTORY = 1000
_RETRY = b"retry: 1000\n\n"
_COMMENT = b": \n\n"
_AWAY = {"message": "the storage does not answer"}
_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}


async def get_stream(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Send what comes into the selected streams, until the client leaves, loses its token, or the server stops."""
    reader = context.access.require_reader(request)
    asked = parameters(request)
    stream_filter = stream_filter_of(context, request, asked, reader)
    if stream_filter.streams == ():
        raise HttpError(400, "invalid_parameter", "ids names no stream; without it, all known streams are meant")
    history = asked.whole_number("history", most=_MAX_HISTORY) or 0
    cursor = _cursor(request, asked)
    if request.method == "HEAD":
        return web.StreamResponse(headers=_HEADERS)
    subscription = subscribe(context, request, reader, stream_filter, cursor=cursor, history=history)
    response = web.StreamResponse(headers=_HEADERS)
    try:
        await response.prepare(request)
        await _write(response, subscription, Work(context.cache.turns))
    except ConnectionError:
        pass  # the client has left: that is how a stream ends
    finally:
        context.live.leave(subscription)
    return response


def _cursor(request: web.BaseRequest, asked: Parameters) -> Cursor | None:
    """Return where the client resumes, if it does."""
    text = request.headers.get("Last-Event-ID") or asked.one("last_event_id")
    if not text:
        return None
    try:
        return Cursor.parse(text)
    except ValueError:
        raise HttpError(
            400,
            "invalid_parameter",
            "Last-Event-ID is not an id that this push sent; leave it out to begin with new events",
        ) from None


async def _write(response: web.StreamResponse, subscription: Subscription, work: Work) -> None:
    await response.write(_RETRY)
    sent_id = ""
    async with aclosing(subscription.messages()) as messages:
        async for message in messages:
            frame, sent_id = _frame(message, subscription.cursor, sent_id)
            await response.write(frame)
            await work.spend(len(frame))  # writing alone does not yield to other tasks
    await response.write_eof()


def _frame(message: Message, cursor: str, sent_id: str) -> tuple[bytes, str]:
    """Return the frame of a message, and the id that the client has then.

    Each event has an id; `ready` and `counters` have one where the cursor has moved since.
    """
    if message is Signal.KEEPALIVE:
        return _COMMENT, sent_id
    name, data = _name_and_data(message)
    with_id = isinstance(message, LiveEvent) or (
        cursor != sent_id and (message is Signal.READY or isinstance(message, Counters))
    )
    line = f"id: {cursor}\n" if with_id else ""
    return f"event: {name}\n{line}data: ".encode() + data + b"\n\n", cursor if with_id else sent_id


def _name_and_data(message: Message) -> tuple[str, bytes]:
    match message:
        case LiveEvent(json=json):
            return "event", json
        case Counters():
            return "counters", _encode(message._asdict())
        case Gap(stream, at_most):
            return "gap", _encode({**stream._asdict(), "at_most": at_most})
        case Cleared(stream):
            return "cleared", _encode(stream._asdict())
        case Signal.AWAY:
            return "away", _encode(_AWAY)
    return message.name.lower(), b"{}"


ROUTES: tuple[Route, ...] = (("GET", "/api/v1/events/stream", get_stream),)
