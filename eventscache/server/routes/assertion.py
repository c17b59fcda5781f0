"""`/api/v1/events/assert`: whether the events of streams are what a test expects, and what is wrong if not."""

from typing import Any

from aiohttp import web

from eventscache.event import Event
from eventscache.live.stream_filter import StreamFilter
from eventscache.query.budget import BudgetSpent
from eventscache.query.expectations import Expectations, parse_expectations
from eventscache.query.outcome import Outcome
from eventscache.server.asserter import MOST_WAITING
from eventscache.server.context import Context, Route
from eventscache.server.http.parameters import parameters
from eventscache.server.http.responses import HttpError, json_response
from eventscache.server.routes.long_poll import wait_seconds, wait_until_nothing_is_missing
from eventscache.server.routes.subscriptions import has_left, stream_filter_of
from eventscache.storage.messages import UNLIMITED, Query

_KNOWN = (
    "ids", "namespace", "scope", "group", "follow", "status", "type", "q", "field", "start", "end", "wait", "token",
)  # fmt: skip
_TOO_MUCH = (
    "the patterns and events are too many to compare: select fewer events by scope, type, q, start or ids, or name "
    "fewer and smaller patterns"
)


async def post_assert(context: Context, request: web.BaseRequest) -> web.Response:
    """Answer whether events meet expectations: at once, or when they do, or when they cannot any more.

    Where some events must not come, that is known at the end of the wait.
    """
    reader = context.access.require_reader(request)
    params = parameters(request)
    params.require_known(_KNOWN)
    stream_filter = stream_filter_of(context, request, params, reader)
    if not stream_filter.streams:
        raise HttpError(400, "invalid_parameter", "ids names no stream; an assertion is about the streams of ids")
    seconds = wait_seconds(params)
    if context.asserter.full:
        message = f"{MOST_WAITING} assertions wait for their turn already: try again"
        raise HttpError(429, "too_many_subscribers", message, {"Retry-After": "1"})
    asked = _Asked(context, request, stream_filter, await context.bodies.json(request, Any))
    until = context.live.clock.now() + seconds
    outcome = await asked.outcome()

    async def missing() -> int:
        nonlocal outcome
        outcome = await asked.outcome_until(until) or outcome
        return int(asked.can_change(outcome))

    if seconds and asked.can_change(outcome):
        await wait_until_nothing_is_missing(context, request, reader, stream_filter, seconds=seconds, missing=missing)
        outcome = await asked.outcome()
    return json_response(await context.asserter.in_thread(outcome.to_json))


class _Asked:
    """What a request asserts of which events."""

    def __init__(self, context: Context, request: web.BaseRequest, stream_filter: StreamFilter, body: Any) -> None:
        self._context = context
        self._request = request
        self._stream_filter = stream_filter
        self._body = body
        self._expectations: Expectations | None = None

    def can_change(self, outcome: Outcome) -> bool:
        """Tell whether events that come can change an outcome in the way that matters."""
        has_none = self._expectations is not None and bool(self._expectations.none)
        return (has_none and outcome.passed) or (not outcome.passed and outcome.may_still_pass)

    async def outcome(self) -> Outcome:
        """Read the streams and evaluate their events, when it is this request's turn. Raises `HttpError`.

        For a client that has left meanwhile nothing is read.
        """
        async with self._context.asserter.turn():
            if has_left(self._request):
                message = "the client closed its side of the connection before the events were looked at"
                raise HttpError(400, "invalid_http", message, closes=True)
            return await self._evaluated()

    async def outcome_until(self, time: float) -> Outcome | None:
        """Return the outcome, or None if it was not this request's turn before a time of the live view's clock."""
        async with self._context.asserter.turn():
            late = self._context.live.clock.now() >= time or has_left(self._request)
            return None if late else await self._evaluated()

    async def _evaluated(self) -> Outcome:
        expectations = await self._parsed()
        pages = await self._pages()
        try:
            return await self._context.asserter.evaluate(expectations, pages)
        except BudgetSpent:
            raise HttpError(400, "invalid_parameter", _TOO_MUCH) from None

    async def _parsed(self) -> Expectations:
        if self._expectations is None:
            try:
                self._expectations = await self._context.asserter.in_thread(lambda: parse_expectations(self._body))
            except ValueError as fault:
                raise HttpError(400, "invalid_parameter", str(fault)) from None
        return self._expectations

    async def _pages(self) -> list[list[tuple[int, Event]]]:
        stream_filter, cache = self._stream_filter, self._context.cache
        query = Query(stream_filter.status, limit=UNLIMITED, extra=stream_filter.extra)
        pages = []
        for stream in await stream_filter.resolve(cache):
            pages.append((await cache.fetch(stream, query, stream_filter.event_filter)).events)
            await cache.turns.next()
        return pages


ROUTES: tuple[Route, ...] = (("POST", "/api/v1/events/assert", post_assert),)
