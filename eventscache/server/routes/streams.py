"""`/api/v1/streams`: the streams that the cache knows."""

from aiohttp import web

from eventscache.query.turns import Work
from eventscache.server.context import Context, Route
from eventscache.server.http.parameters import parameters
from eventscache.server.http.responses import json_response
from eventscache.storage.messages import StreamInfo
from eventscache.timestamp import format_time


async def get_streams(context: Context, request: web.BaseRequest) -> web.Response:
    """List the known streams of a namespace, most recently active first; and which sources and keys are configured."""
    reader = context.access.require_reader(request)
    namespace = parameters(request).namespace()
    work = Work(context.cache.turns)
    streams = []
    for info in await context.cache.streams(namespace):
        if info.stream in reader.streams:
            streams.append(_shown(info))
        await work.spend(0)
    return json_response(
        {"streams": streams, "api_keys": context.api_keys.configured, "sources": [*context.sources.counts]}
    )


def _shown(info: StreamInfo) -> dict[str, object]:
    return {
        "namespace": info.stream.namespace,
        "id": info.stream.id,
        "total_events": info.total,
        "error_events": info.errors,
        "last_active": format_time(info.last_active_us),
    }


ROUTES: tuple[Route, ...] = (("GET", "/api/v1/streams", get_streams),)
