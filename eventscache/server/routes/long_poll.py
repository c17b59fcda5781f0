"""`wait` and `min` of `GET /api/v1/events/cache`: an answer that waits until there are enough events."""

import math
from contextlib import aclosing

from aiohttp import web

from eventscache.live.hub import TICK_SECONDS
from eventscache.live.messages import Signal
from eventscache.live.stream_filter import StreamFilter
from eventscache.live.subscription import Subscription
from eventscache.live.tail import LiveEvent
from eventscache.server.context import Context
from eventscache.server.http.auth import Reader
from eventscache.server.http.parameters import Parameters
from eventscache.server.routes.subscriptions import subscribe
from eventscache.storage.messages import UNLIMITED, Query

_MAX_WAIT_SECONDS = 60


async def wait_for_events(
    context: Context,
    request: web.BaseRequest,
    asked: Parameters,
    stream_filter: StreamFilter,
    query: Query,
    *,
    reader: Reader,
) -> None:
    """Return when a query has `min` events, when `wait` seconds have passed, or when the client leaves.

    Without `wait` return at once. Raises `HttpError`, also if the reader may not read any more after that time.
    """
    seconds = asked.seconds("wait", _MAX_WAIT_SECONDS)
    enough = asked.whole_number("min", least=1) or 1
    if not seconds or stream_filter.streams == ():
        return
    query = query._replace(limit=max(query.limit, min(enough, UNLIMITED)))
    subscription = subscribe(context, request, reader, stream_filter, seconds=seconds)
    try:
        await _wait(context, subscription, query, enough)
    finally:
        context.live.leave(subscription)
    context.access.require_still(reader)


async def _wait(context: Context, subscription: Subscription, query: Query, enough: int) -> None:
    count, counted_at = 0, -math.inf
    async with aclosing(subscription.messages()) as messages:
        async for message in messages:
            count += isinstance(message, LiveEvent)
            # A live event may have been counted before. So the storage is asked whether there are enough, but not for
            # each of the events that came in one tick.
            now = context.live.clock.now()
            if message is Signal.READY or (count >= enough and now - counted_at >= TICK_SECONDS):
                counted_at = now
                count = await _count(context, subscription.stream_filter, query)
                if count >= enough:
                    return


async def _count(context: Context, stream_filter: StreamFilter, query: Query) -> int:
    """Return how many events there are for a query, over all streams."""
    count = 0
    for stream in await stream_filter.resolve(context.cache):
        page = await context.cache.fetch(stream, query, stream_filter.event_filter)
        count += len(page.events)
        await context.cache.turns.next()  # a storage in memory never yields to other tasks
    return count
