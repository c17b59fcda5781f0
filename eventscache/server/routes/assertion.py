"""`/api/v1/events/assert`: whether the events of streams are what a test expects, and what is wrong if not."""

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from eventscache.errors import InvalidEvent
from eventscache.ingest.json.strict import decode
from eventscache.live.stream_filter import StreamFilter
from eventscache.query.expectations import Expectations, parse_expectations
from eventscache.query.outcome import Outcome
from eventscache.server.context import Context, Route
from eventscache.server.http.parameters import parameters
from eventscache.server.http.responses import HttpError, json_response
from eventscache.server.routes.long_poll import wait_seconds, wait_until_nothing_is_missing
from eventscache.server.routes.subscriptions import stream_filter_of
from eventscache.storage.messages import UNLIMITED, Query

_KNOWN = (
    "ids", "namespace", "scope", "group", "follow", "status", "type", "q", "start", "end", "wait", "token",
)  # fmt: skip


async def post_assert(context: Context, request: web.BaseRequest) -> web.Response:
    """Answer whether events meet expectations: at once, or when they do, or when they cannot any more.

    Where some events must not come, that is known at the end of the wait.
    """
    reader = context.access.require_reader(request)
    params = parameters(request)
    params.require_known(_KNOWN)
    stream_filter = stream_filter_of(context, params, reader)
    if not stream_filter.streams:
        raise HttpError(400, "invalid_parameter", "ids names no stream; an assertion is about the streams of ids")
    seconds = wait_seconds(params)
    expectations = _expectations(await context.bodies.json(request, Any))
    outcome = await _outcome(context, stream_filter, expectations)

    async def missing() -> int:
        nonlocal outcome
        outcome = await _outcome(context, stream_filter, expectations)
        return int(_can_change(outcome, expectations))

    if seconds and _can_change(outcome, expectations):
        await wait_until_nothing_is_missing(context, request, reader, stream_filter, seconds=seconds, missing=missing)
        outcome = await _outcome(context, stream_filter, expectations)
    return json_response(outcome.to_json())


def _can_change(outcome: Outcome, expectations: Expectations) -> bool:
    """Tell whether events that come can change an outcome in the way that matters."""
    return (bool(expectations.none) and outcome.passed) or (not outcome.passed and outcome.may_still_pass)


def _expectations(body: Any) -> Expectations:
    try:
        return parse_expectations(body)
    except ValueError as fault:
        raise HttpError(400, "invalid_parameter", str(fault)) from None


async def _outcome(context: Context, stream_filter: StreamFilter, expectations: Expectations) -> Outcome:
    """Read the streams, and evaluate their events in a thread: patterns and events may be large."""
    query = Query(stream_filter.status, limit=UNLIMITED, extra=stream_filter.extra)
    pages = []
    for stream in await stream_filter.resolve(context.cache):
        pages.append((await context.cache.fetch(stream, query, stream_filter.event_filter)).events)
        await context.cache.turns.next()
    return await context.bodies.in_thread(_evaluated, pages, expectations)


def _evaluated(pages: Sequence[Sequence[Any]], expectations: Expectations) -> Outcome:
    """Evaluate the events of all streams, the oldest first: by their sequence within a stream, by time over several."""
    oldest_first = [event for page in pages for event in reversed(page)]
    if len(pages) > 1:
        oldest_first.sort(key=lambda numbered: numbered[1].timestamp)
    return expectations.evaluate([_value(event.to_json(sequence)) for sequence, event in oldest_first])


def _value(data: bytes) -> Any:
    try:
        return decode(data)
    except InvalidEvent:  # nested too deeply for the parser: nothing can be said of it
        return {}


ROUTES: tuple[Route, ...] = (("POST", "/api/v1/events/assert", post_assert),)
