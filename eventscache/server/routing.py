"""Routing: every route of the API, and the dispatch of a request to its handler."""

from collections.abc import Iterable, Mapping

import structlog
from aiohttp import web

from eventscache.errors import StorageError, StorageRefused, StorageUnavailable
from eventscache.server.context import Context, Handler, Route
from eventscache.server.http.access_log import log_request
from eventscache.server.http.parameters import path_of
from eventscache.server.http.responses import HttpError, error_response
from eventscache.server.http.shown_path import shown_path
from eventscache.server.rejections import METHODS_WITH_EVENTS, reject_unread
from eventscache.server.routes import (
    access,
    assertion,
    bulk,
    errors,
    event_stream,
    events,
    follows,
    health,
    ingestion,
    jitsu2_ingestion,
    jitsu2_log,
    jitsu2_pixel,
    jitsu2_settings,
    lookup,
    mirror,
    openapi,
    pixel,
    replay,
    segment,
    streams,
    webhooks,
)

_log = structlog.get_logger()

INGESTION_ROUTES: tuple[Route, ...] = (
    *ingestion.ROUTES,
    *segment.ROUTES,
    *bulk.ROUTES,
    *pixel.ROUTES,
    *jitsu2_ingestion.ROUTES,
    *jitsu2_pixel.ROUTES,
)
"""The routes on which clients of Jitsu send events, and nothing else: only these are served below `/mirror` too."""

ROUTES: tuple[Route, ...] = (
    *events.ROUTES,
    *event_stream.ROUTES,
    *assertion.ROUTES,
    *follows.ROUTES,
    *replay.ROUTES,
    *streams.ROUTES,
    *access.ROUTES,
    *lookup.ROUTES,
    *errors.ROUTES,
    *jitsu2_log.ROUTES,
    *INGESTION_ROUTES,
    *jitsu2_settings.ROUTES,
    *mirror.ROUTES,
    *webhooks.ROUTES,
    *health.ROUTES,
    *openapi.ROUTES,
)

ERROR_HEADERS = (
    ingestion.error_headers,
    segment.error_headers,
    bulk.error_headers,
    pixel.error_headers,
    jitsu2_ingestion.error_headers,
)
"""What return the headers of an error on routes that pages use, such as those of CORS; none for other routes."""

_ALIKE: frozenset[Handler] = frozenset((mirror.take_mirrored, webhooks.take_webhook))
"""The handlers that answer every request alike, whatever is wrong with it."""

_COUNTED_WITH_EVENTS = frozenset({"method_not_allowed", "not_found", "websocket_unsupported"})
"""The errors that are counted only of requests that could have brought events."""

_NONE: Mapping[str, Handler] = {}


class Router:
    """Answers each request by the handler of its path and method.

    On an aiohttp `Application`, routing and one middleware would cost each event a third of what aiohttp costs
    altogether.
    """

    def __init__(self, context: Context, routes: Iterable[Route]) -> None:
        self.context = context
        self._table = RouteTable(routes)
        self._handlers = self._table.handlers
        self.debugs = False
        """Whether each request is logged."""

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the handler's response, or an error response for what it raises."""
        try:
            methods = self._handlers.get(request.raw_path.partition("?")[0], _NONE)
            handler = methods.get(request.method) or self._find(request)
            if request.method == "GET" and _asks_for_websocket(request) and handler not in _ALIKE:
                raise HttpError(400, "websocket_unsupported", "there is no WebSocket; GET /api/v1/events/stream pushes")  # noqa: TRY301 - as a handler would
            response = await handler(self.context, request)
            if self.debugs:
                log_request(request, response.status)
            return response  # noqa: TRY300 - the usual end, and errors end below
        except HttpError as error:
            if request.method in METHODS_WITH_EVENTS or error.code not in _COUNTED_WITH_EVENTS:
                self.context.notices.tell(request, error.code)
            response = error.response()
        except StorageError as fault:
            _log.warning(
                "request failed: storage unavailable", path=shown_path(path_of(request.raw_path)), reason=str(fault)
            )
            response = error_response(503, "storage_unavailable", _reason(fault), {"Retry-After": "1"})
        except ConnectionError:
            raise  # the client has left, and aiohttp handles that
        except Exception:
            _log.exception("request failed: internal error", path=shown_path(path_of(request.raw_path)))
            response = self._failed(request)
        for headers in ERROR_HEADERS:
            response.headers.update(headers(self.context, request))
        if self.debugs:
            log_request(request, response.status)
        return response

    def _failed(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the response to a request that failed by a bug; one that could have brought events is counted."""
        error = HttpError(500, "internal_error", "a bug of eventscache; the details are in its log")
        if request.method in _WITH_EVENTS.at(path_of(request.raw_path)) and request.method != "OPTIONS":
            reject_unread(self.context.cache, error)
        return error.response()

    def refuse(self, request: web.BaseRequest, target: str, error: HttpError, reason: str) -> web.StreamResponse | None:
        """Count a request for a target that is refused because it is not valid HTTP.

        Where every request is answered alike, tell it and return that answer. `request` stands for one that could not
        be read; `reason` quotes nothing of it.
        """
        reject_unread(self.context.cache, error)
        path = path_of(target)
        is_copy = path.startswith(mirror.PREFIX)
        if not is_copy and path not in webhooks.PATHS:
            return None
        self.context.notices.tell_refused(path, error.code, reason)
        return mirror.refused(request) if is_copy else webhooks.refused(request)

    def route_of(self, request: web.BaseRequest) -> str:
        """Return the path by which the route of a request was declared; an empty text if there is none.

        Of a copy below `/mirror` it is that of the ingestion route, with `/mirror` before it.
        """
        path = path_of(request.raw_path)
        if not path.startswith(mirror.PREFIX):
            return self._table.route_at(path)
        mirrored = self.context.ingestion.route_at(path[len(mirror.PREFIX) - 1 :])
        return f"{mirror.PREFIX}{mirrored[1:]}" if mirrored else self._table.route_at(path)

    def declared_at(self, path: str) -> str:
        """Return the path by which the route of a path was declared; an empty text if nothing is there."""
        return self._table.route_at(path)

    def _find(self, request: web.BaseRequest) -> Handler:
        """Return the handler of a request that has no entry of its own; raise `HttpError` if there is none.

        Where there is GET there is HEAD: aiohttp leaves the body out. A target may be a whole URL.
        """
        path = path_of(request.raw_path)
        if path.startswith(mirror.PREFIX):
            return mirror.take_mirrored
        methods = self._table.at(path)
        handler = methods.get(request.method) or (methods.get("GET") if request.method == "HEAD" else None)
        if handler is not None:
            return handler
        if methods or request.raw_path == "*":  # of `OPTIONS *`
            allowed = dict.fromkeys([*methods, *(["HEAD"] if "GET" in methods else [])])
            message = f"this path does not take {request.method}; it takes {', '.join(allowed) or 'nothing'}"
            error = HttpError(405, "method_not_allowed", message, {"Allow": ", ".join(allowed)})
        else:
            error = HttpError(404, "not_found", "there is nothing at this path; GET /openapi.json lists all of them")
        if request.method in METHODS_WITH_EVENTS:
            reject_unread(self.context.cache, error)
        raise error


class RouteTable:
    """The handlers of some routes, by path and method.

    A path matches as a whole. A part of it from a brace on stands for any text; such paths are looked at last.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self.handlers: dict[str, dict[str, Handler]] = {}
        for method, path, handler in routes:
            self.handlers.setdefault(path, {})[method] = handler
        self._templates = [
            ([part.partition("{") for part in path.split("/")], path) for path in self.handlers if "{" in path
        ]

    def at(self, path: str) -> Mapping[str, Handler]:
        """Return the handlers of a path by their methods; none if nothing is there."""
        declared = self.route_at(path)
        return self.handlers[declared] if declared else _NONE

    def route_at(self, path: str) -> str:
        """Return the path by which the route of a path was declared; an empty text if nothing is there."""
        if path in self.handlers:
            return path
        parts = path.split("/")
        for template, declared in self._templates:
            if len(parts) == len(template) and all(map(_matches, parts, template)):
                return declared
        return ""


_WITH_EVENTS = RouteTable((*INGESTION_ROUTES, *webhooks.ROUTES))


def route_of_events(path: str) -> str:
    """Return the route by which events come at a path, for notices; an empty text if none do."""
    return mirror.ROUTE if path.startswith(mirror.PREFIX) else _WITH_EVENTS.route_at(path)


def _matches(part: str, template: tuple[str, str, str]) -> bool:
    """Whether a part of a path is that of a template, which is the text before its brace, the brace, and the rest."""
    start, brace, _ = template
    return part.startswith(start) and part != start if brace else part == start


def _asks_for_websocket(request: web.BaseRequest) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"


def _reason(fault: StorageError) -> str:
    """Return the reason of a storage error for a client."""
    if isinstance(fault, StorageRefused):
        return str(fault)
    if isinstance(fault, StorageUnavailable):
        return "the storage does not answer; GET /readyz tells when it does"
    return "the storage has an error that does not pass by itself; it is in the log of eventscache"
