"""`/api/v1/lookup`: the way of one event, from its token to its destinations."""

import time
from typing import Any

import msgspec
from aiohttp import web

from eventscache.lookup.lookup import Found
from eventscache.lookup.wanted import ByEventId, ByField, Wanted
from eventscache.query.members import parse_path
from eventscache.query.pending import Pending
from eventscache.query.way import Step, Way
from eventscache.server.context import Context, Route
from eventscache.server.http.parameters import Parameters, parameters
from eventscache.server.http.responses import HttpError, json_response

_KNOWN = ("event_id", "field", "value", "limit", "token")  # `token` is for authentication
_DEFAULT_LIMIT, _MOST_WAYS = 10, 100


async def get_lookup(context: Context, request: web.BaseRequest) -> web.Response:
    """Answer with the ways of the events that have an id, or a value in a field; or why there is none with the id."""
    reader = context.access.require_reader(request)
    params = parameters(request)
    params.require_known(_KNOWN)
    wanted = _wanted(params)
    limit = params.whole_number("limit", least=1, most=_MOST_WAYS) or _DEFAULT_LIMIT
    found = await context.lookup.find(wanted, limit, reader.streams)
    unknown_id = wanted.event_id if isinstance(wanted, ByEventId) and not found.ways else ""
    explanation = await context.explainer.explain(unknown_id, reader.streams) if unknown_id else None
    return json_response({**_answer(found, time.time_ns() // 1000), "explanation": msgspec.to_builtins(explanation)})


def _wanted(params: Parameters) -> Wanted:
    event_id, field, value = params.one("event_id"), params.one("field"), params.one("value")
    if event_id and not field and value is None:
        return ByEventId(event_id)
    if event_id or not field or value is None:
        raise HttpError(400, "invalid_parameter", "give either event_id, or field and value")
    try:
        return ByField(parse_path(field), value)
    except ValueError as fault:
        raise HttpError(400, "invalid_parameter", f"field: {fault}") from None


def _answer(found: Found, now_us: int) -> dict[str, Any]:
    return {
        "found": bool(found.ways),
        "ways": [_way(way, pending, now_us) for way, pending in found.ways],
        "more": found.more,
        "searched": {
            "streams": found.streams,
            "events": found.events,
            "complete": found.complete,
            "pending_complete": found.pending_complete,
        },
    }


def _way(way: Way, pending: list[Pending], now_us: int) -> dict[str, Any]:
    return {
        "event_id": way.event_id,
        "received": [{"token_id": step.stream.id, **_step(step)} for step in way.received],
        "destinations": [
            {"destination_id": destination_id, "attempts": _attempts(steps, way.received_us)}
            for destination_id, steps in sorted(way.destinations.items(), key=lambda item: item[1][0].order)
        ],
        "pending": [
            {
                "destination_id": one.destination_id,
                "waiting_ms": _passed_ms(one.since_us, now_us),
                "may_be_gone": one.may_be_gone,
            }
            for one in pending
        ],
    }


def _attempts(steps: list[Step], received_us: int | None) -> list[dict[str, Any]]:
    attempts = []
    before_us = received_us
    for step in steps:
        more = {
            "has_result": step.has_result,
            "after_ms": _passed_ms(received_us, step.time_us),
            "after_previous_ms": _passed_ms(before_us, step.time_us),
        }
        attempts.append({**_step(step), **more})
        before_us = step.time_us
    return attempts


def _step(step: Step) -> dict[str, Any]:
    """Return what every step has, and what only some have."""
    shown: dict[str, Any] = {
        "timestamp": step.timestamp,
        "status": step.status,
        "seq": step.sequence,
        "uid": step.uid,
    }
    if step.error:
        shown["error"] = step.error
    if step.skip:
        shown["skip"] = step.skip
    if step.attempt is not None:
        shown["attempt"] = step.attempt
    if step.response is not None:
        shown["response"] = step.response
    return shown


def _passed_ms(from_us: int | None, to_us: int | None) -> float | None:
    return None if from_us is None or to_us is None else (to_us - from_us) / 1000


ROUTES: tuple[Route, ...] = (("GET", "/api/v1/lookup", get_lookup),)
