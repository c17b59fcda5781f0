"""Answers that wait for events: `wait` and `min` of `GET /api/v1/events/cache`, and assertions."""

import math
from collections.abc import Awaitable, Callable
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
    seconds = wait_seconds(asked)
    enough = asked.whole_number("min", least=1) or 1
    if not seconds or stream_filter.streams == ():
        return
    query = query._replace(limit=max(query.limit, min(enough, UNLIMITED)))

    async def missing() -> int:
        return enough - await _count(context, stream_filter, query)

    await wait_until_nothing_is_missing(context, request, reader, stream_filter, seconds=seconds, missing=missing)


def wait_seconds(asked: Parameters) -> float:
    """Return how many seconds a request waits at most. Raises `HttpError`."""
    return asked.seconds("wait", _MAX_WAIT_SECONDS)


async def wait_until_nothing_is_missing(
    context: Context,
    request: web.BaseRequest,
    reader: Reader,
    stream_filter: StreamFilter,
    *,
    seconds: float,
    missing: Callable[[], Awaitable[int]],
) -> None:
    """Return when `missing` returns 0 or less, when the time is up, or when the client leaves.

    It reads the storage, and returns how many events have to come at least before it is asked again. Raises
    `HttpError`, also if the reader may not read any more after that time.
    """
    subscription = subscribe(context, request, reader, stream_filter, seconds=seconds)
    try:
        await _wait(context, subscription, missing)
    finally:
        context.live.leave(subscription)
    context.access.require_still(reader)


async def _wait(context: Context, subscription: Subscription, missing: Callable[[], Awaitable[int]]) -> None:
    lacking, asked_at = 1, -math.inf
    async with aclosing(subscription.messages()) as messages:
        async for message in messages:
            lacking -= isinstance(message, LiveEvent)
            # A live event may have been counted before. So the storage is asked whether there are enough, but not for
            # each of the events that came in one tick.
            now = context.live.clock.now()
            if message is Signal.READY or (lacking <= 0 and now - asked_at >= TICK_SECONDS):
                asked_at = now
                lacking = await missing()
                if lacking <= 0:
                    return


async def _count(context: Context, stream_filter: StreamFilter, query: Query) -> int:
    """Return how many events there are for a query, over all streams."""
    count = 0
    for stream in await stream_filter.resolve(context.cache):
        page = await context.cache.fetch(stream, query, stream_filter.event_filter)
        count += len(page.events)
        await context.cache.turns.next()  # a storage in memory never yields to other tasks
    return count
