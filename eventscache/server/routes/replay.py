"""`/api/v1/replay`: cached events are posted again, as their clients sent them."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from aiohttp import web

from eventscache.cache import EventsCache
from eventscache.errors import InvalidEvent
from eventscache.event import Event
from eventscache.extras.error_groups import GROUP
from eventscache.extras.follows import FOLLOW
from eventscache.extras.scopes import SCOPE
from eventscache.extras.types import TYPE
from eventscache.server.context import Context, Route
from eventscache.server.http.responses import HttpError, json_response
from eventscache.storage.messages import Query
from eventscache.stream import Namespace, Status, Stream, check_id

_MOST_EVENTS = 100
_LARGEST_SEQ = 2**53


class _Replay(msgspec.Struct, forbid_unknown_fields=True):
    target: str
    id: str
    seqs: list[int | float]  # JSON has one kind of number
    namespace: Namespace = Namespace.DESTINATION
    uids: list[str] = []


async def get_targets(context: Context, request: web.BaseRequest) -> web.Response:
    """List the names of the targets; their addresses are nobody's business."""
    context.access.require_admin(request)
    return json_response({"targets": context.replayer.names})


async def post_replay(context: Context, request: web.BaseRequest) -> web.Response:
    """Post events of a stream to a target, one after another in the order in which they are named."""
    context.access.require_admin(request)
    asked = await context.bodies.json(request, _Replay)
    if asked.target not in context.replayer.names:
        known = ", ".join(context.replayer.names) or "none: see eventscache.replay_targets"
        raise HttpError(400, "invalid_parameter", f"target: not one of those that are configured, which are {known}")
    if not 1 <= len(asked.seqs) <= _MOST_EVENTS or not all(map(_is_seq, asked.seqs)):
        raise HttpError(400, "invalid_parameter", f"seqs: 1 to {_MOST_EVENTS} whole numbers from 1 on")
    try:
        stream = Stream(asked.namespace, check_id(asked.id, context.limits.max_id_bytes))
    except InvalidEvent as fault:
        raise HttpError(400, "invalid_parameter", f"id: {fault}") from None
    return json_response({"answers": [await _replayed(context, stream, int(seq), asked) for seq in asked.seqs]})


def _is_seq(number: float) -> bool:
    return 1 <= number <= _LARGEST_SEQ and number == int(number)


async def _replayed(context: Context, stream: Stream, seq: int, asked: _Replay) -> dict[str, Any]:
    event = await _find(context, stream, seq)
    if event and asked.uids and event.uid not in asked.uids:
        event = None  # the numbers began anew, and this is another one
    body = (event.original or event.malformed.encode(errors="surrogatepass")) if event else b""
    if event is None or not body:
        reason = "the event has no original" if event else "the event is not cached any more"
        return {"seq": seq, "masked": False, "status": None, "body": "", "error": reason}
    answered = await context.replayer.post(asked.target, body)
    return {"seq": seq, "masked": event.masked, **answered._asdict()}


async def _find(context: Context, stream: Stream, seq: int) -> Event | None:
    one = Query(before=seq + 1, after=seq - 1, limit=1)
    async for query in _places(context.cache, stream, one):
        if events := (await context.cache.fetch(stream, query)).events:
            return events[0][1]
    return None


async def _places(cache: EventsCache, stream: Stream, query: Query) -> AsyncIterator[Query]:
    """Yield the query for each collection of a stream: an example of an error group can be in that group alone."""
    yield query
    yield query._replace(status=Status.ERROR)
    for kind in (GROUP, FOLLOW, SCOPE, TYPE):
        for extra in await cache.extras(stream, kind):
            yield query._replace(extra=extra.name)


_PATH = "/api/v1/replay"

ROUTES: tuple[Route, ...] = (("GET", _PATH, get_targets), ("POST", _PATH, post_replay))
