"""`/api/v1/follows`: what is followed for some minutes, past the rate limit."""

import secrets
from typing import Any

import msgspec
from aiohttp import web

from eventscache.characters import is_invisible
from eventscache.errors import InvalidEvent
from eventscache.extras.follows import MOST_FOLLOWS, FieldCondition, Follow
from eventscache.follows.follow_list import TooManyFollows
from eventscache.query.members import parse_path, text_of
from eventscache.server.context import Context, Route
from eventscache.server.http.parameters import path_parts
from eventscache.server.http.responses import HttpError, json_response
from eventscache.stream import ALL_STREAMS, Namespace, Stream, check_id
from eventscache.timestamp import format_time

_MAX_MINUTES = 24 * 60
_MAX_NAME, _MAX_TEXT = 100, 1000  # characters
_MAX_IDS, _MAX_FIELDS = 100, 20


class _Field(msgspec.Struct, forbid_unknown_fields=True):
    path: str
    equals: msgspec.Raw = msgspec.Raw()
    contains: str | None = None


class _NewFollow(msgspec.Struct, forbid_unknown_fields=True):
    name: str = ""
    minutes: float = 15
    namespace: Namespace | None = None
    ids: list[str] = []
    type: str = ""
    fields: list[_Field] = []


async def get_follows(context: Context, request: web.BaseRequest) -> web.Response:
    """List what is followed, or was within the last hour; a read token sees what is followed of its streams alone."""
    reader = context.access.require_reader(request)
    follows, now_ms = context.follows.follows, context.follows.now_ms()
    if reader.streams is not ALL_STREAMS:
        follows = tuple(follow for follow in follows if _is_readable(follow, reader.streams))
    return json_response({"follows": [_shown(follow, now_ms) for follow in follows], "max_follows": MOST_FOLLOWS})


def _is_readable(follow: Follow, streams: Any) -> bool:
    namespaces = [Namespace(follow.namespace)] if follow.namespace else [*Namespace]
    return bool(follow.ids) and all(
        Stream(name, stream_id) in streams for name in namespaces for stream_id in follow.ids
    )


async def post_follow(context: Context, request: web.BaseRequest) -> web.Response:
    """Follow events for which all given conditions hold, on all servers within two seconds."""
    context.access.require_admin(request)
    if not context.cache.keeps_extras:
        raise HttpError(400, "invalid_parameter", "the storage keeps no extra collections, and so no follow")
    asked = await context.bodies.json(request, _NewFollow)
    follow = _follow(asked, context.follows.now_ms(), context.limits.max_id_bytes)
    try:
        await context.follows.add(follow)
    except TooManyFollows as fault:
        raise HttpError(409, "too_many_follows", str(fault)) from None
    return json_response({"follow": _shown(follow, context.follows.now_ms())}, 201)


async def delete_follow(context: Context, request: web.BaseRequest) -> web.Response:
    """End a follow; its events can be read for an hour."""
    context.access.require_admin(request)
    return json_response({"status": "ok", "ended": await context.follows.end(path_parts(request)[-1])})


def _follow(asked: _NewFollow, now_ms: int, max_id_bytes: int) -> Follow:
    """Return a follow that begins now; raise `HttpError` for a condition that cannot be."""
    if len(asked.name) > _MAX_NAME or any(map(is_invisible, asked.name)):
        raise _invalid(f"name: at most {_MAX_NAME} characters, all of them visible")
    if not 0 < asked.minutes <= _MAX_MINUTES:
        raise _invalid(f"minutes: a number above 0, at most {_MAX_MINUTES}")
    if len(asked.ids) > _MAX_IDS:
        raise _invalid(f"ids: at most {_MAX_IDS} of them")
    if len(asked.fields) > _MAX_FIELDS:
        raise _invalid(f"fields: at most {_MAX_FIELDS} conditions")
    if len(asked.type) > _MAX_TEXT:
        raise _invalid(f"type: at most {_MAX_TEXT} characters")
    try:
        ids = tuple(check_id(stream_id, max_id_bytes) for stream_id in asked.ids)
    except InvalidEvent as fault:
        raise _invalid(f"ids: {fault}") from None
    until_ms = now_ms + int(asked.minutes * 60_000)
    fields = tuple(_condition(index, field) for index, field in enumerate(asked.fields))
    return Follow(secrets.token_hex(8), asked.name, until_ms, asked.namespace or "", ids, asked.type, fields)


def _condition(index: int, field: _Field) -> FieldCondition:
    where = f"fields[{index}]"
    try:
        path = parse_path(field.path)
    except ValueError as fault:
        raise _invalid(f"{where}.path: {fault}") from None
    has_equals = bool(bytes(field.equals))
    if has_equals is (field.contains is not None):
        raise _invalid(f"{where}: give either equals or contains")
    text = text_of(field.equals) if has_equals else field.contains
    if text is None or len(text) > _MAX_TEXT or (not text and not has_equals):
        raise _invalid(f"{where}: a text or another single value, of at most {_MAX_TEXT} characters")
    return FieldCondition(path, text, contains=not has_equals)


def _shown(follow: Follow, now_ms: int) -> dict[str, Any]:
    """Return a follow as it is asked for, without what it does not ask for."""
    fields = [
        {"path": ".".join(field.path), "contains" if field.contains else "equals": field.text}
        for field in follow.fields
    ]
    return {
        "id": follow.id,
        "name": follow.name,
        "until": format_time(follow.until_ms * 1000),
        "active": follow.until_ms > now_ms,
        **({"namespace": follow.namespace} if follow.namespace else {}),
        **({"ids": follow.ids} if follow.ids else {}),
        **({"type": follow.event_type} if follow.event_type else {}),
        **({"fields": fields} if fields else {}),
    }


def _invalid(message: str) -> HttpError:
    return HttpError(400, "invalid_parameter", message)


_PATH = "/api/v1/follows"

ROUTES: tuple[Route, ...] = (
    ("GET", _PATH, get_follows),
    ("POST", _PATH, post_follow),
    ("DELETE", f"{_PATH}/{{id}}", delete_follow),
)
