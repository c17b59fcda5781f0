"""`/openapi.json`: what every route takes and returns, for people and for tools."""

from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
from aiohttp import web

from eventscache import __version__
from eventscache.server.context import Context, Route
from eventscache.server.http.responses import json_response


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document of this version."""
    described: dict[str, Any] = msgspec.json.decode((files(__package__) / "openapi.json").read_bytes())
    described["info"]["version"] = __version__
    return described


async def get_openapi(_: Context, __: web.BaseRequest) -> web.Response:
    """Answer with the document."""
    return json_response(document())


ROUTES: tuple[Route, ...] = (("GET", "/openapi.json", get_openapi),)
