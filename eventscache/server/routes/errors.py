"""`/api/v1/errors`: the errors of streams, one entry for those whose messages differ only in what varies."""

import time
from typing import Any

from aiohttp import web

from eventscache.live.stream_filter import StreamFilter
from eventscache.lookup.error_groups import ErrorGroup, find_error_groups
from eventscache.server.context import Context, Route
from eventscache.server.http.extra_parameters import require_groups
from eventscache.server.http.parameters import parameters
from eventscache.server.http.responses import json_response
from eventscache.storage.messages import PERIOD_US
from eventscache.stream import Stream
from eventscache.timestamp import format_time

_KNOWN = ("ids", "namespace", "sort", "limit", "token")  # `token` is for authentication
_DEFAULT_LIMIT, _MOST_GROUPS = 100, 1000


async def get_errors(context: Context, request: web.BaseRequest) -> web.Response:
    """Answer with the error groups of some streams, or of the most recently active ones."""
    reader = context.access.require_reader(request)
    params = parameters(request)
    ids = params.ids(context.settings.max_ids, context.settings.max_id_bytes)
    params.require_known(_KNOWN)
    namespace = params.namespace()
    frequent = params.choice("sort", "newest", "frequent") == "frequent"
    limit = params.whole_number("limit", least=1, most=_MOST_GROUPS) or _DEFAULT_LIMIT
    require_groups(context.cache)
    named = None if ids is None else tuple(Stream(namespace, stream_id) for stream_id in ids)
    streams = await StreamFilter(namespace, named, readable=reader.streams).resolve(context.cache)
    now_us = time.time_ns() // 1000
    found = await find_error_groups(context.cache, streams, frequent=frequent, limit=limit, now_us=now_us)
    return json_response(
        {
            "groups": [_shown(group, found.now_us) for group in found.groups],
            "more": found.more,
            "streams": len(streams),
            "period_seconds": PERIOD_US // 1_000_000,
        }
    )


def _shown(group: ErrorGroup, now_us: int) -> dict[str, Any]:
    return {
        "group": group.digest,
        "message": group.message,
        "template": group.template,
        "count": group.count,
        "first": format_time(group.first_us),
        "last": format_time(group.last_us),
        "recent": group.recent,
        "earlier": group.earlier,
        "trend": group.trend(now_us),
        "streams": [
            {
                "namespace": stream.namespace,
                "id": stream.id,
                "count": count,
                "first": format_time(first_us),
                "last": format_time(last_us),
            }
            for stream, count, first_us, last_us in group.streams
        ],
    }


ROUTES: tuple[Route, ...] = (("GET", "/api/v1/errors", get_errors),)
