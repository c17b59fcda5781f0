"""`/api/v1/access`: what a token may do, so that the live view offers nothing else."""

from typing import Any

from aiohttp import web

from eventscache.access.some_streams import WILDCARD, SomeStreams
from eventscache.server.context import Context, Route
from eventscache.server.http.responses import json_response
from eventscache.stream import Namespace

_EVERYTHING = SomeStreams((WILDCARD,), tuple(Namespace))


async def get_access(context: Context, request: web.BaseRequest) -> web.Response:
    """Say which kind of token a request has, what it may do, and which streams it may read.

    And where types are looked for, and where events can be replayed.
    """
    reader = context.access.require_reader(request)
    if isinstance(reader.streams, SomeStreams):
        shown, targets = _shown("read", reader.streams, "read"), []
    else:
        shown = _shown("admin" if reader.digest else "none", _EVERYTHING, "read", "write", "clear")
        targets = context.replayer.names
    return json_response({**shown, "type_path": context.settings.type_path, "replay_targets": targets})


def _shown(kind: str, streams: SomeStreams, *may: str) -> dict[str, Any]:
    return {"token": kind, "may": may, "namespaces": streams.namespaces, "ids": streams.ids}


ROUTES: tuple[Route, ...] = (("GET", "/api/v1/access", get_access),)
