"""The settings that Segment's library for browsers loads before it sends anything."""

from aiohttp import web

from eventscache.ingest.secret_half import with_colon
from eventscache.server.context import Context, Route
from eventscache.server.http.parameters import path_parts
from eventscache.server.http.responses import FOR_ALL_PAGES, HttpError, json_response
from eventscache.server.routes.jitsu2_ingestion import cors_of, preflight

_PATH = "/v1/projects/{key}/settings"
_KEY_PART = 2
_ENABLED = {"__default": {"enabled": True}}


async def get_settings(_: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Answer with settings for any key, as Jitsu 2 does: events go to Segment's API, which this server stands in for.

    The key in the answer is that of the path without the secret half; raises `HttpError` if nothing is left.
    """
    key = with_colon(path_parts(request)[_KEY_PART]).partition(":")[0]
    if not key:
        raise HttpError(404, "not_found", "the path has no write key before its colon")
    versions = {"version": "4.4.7", "componentTypes": ["browser"]}
    settings = {
        "integrations": {"Segment.io": {"apiKey": key, "versionSettings": versions}},
        "plan": {"track": _ENABLED, "identify": _ENABLED, "group": _ENABLED},
        "analyticsNextEnabled": True,
    }
    return json_response(settings, headers={**FOR_ALL_PAGES, **dict(cors_of(request))})


ROUTES: tuple[Route, ...] = (
    ("GET", _PATH, get_settings),
    ("POST", _PATH, get_settings),
    ("OPTIONS", _PATH, preflight),
)
