"""What all handlers share, and what a handler and a route are."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from aiohttp import web

from eventscache.access.api_keys import ApiKeys
from eventscache.access.reloader import Reloader
from eventscache.cache import EventsCache
from eventscache.config.settings import Settings
from eventscache.follows.follow_list import FollowList
from eventscache.ingest.limits import Limits
from eventscache.live.hub import Hub
from eventscache.lookup.explanation import Explainer
from eventscache.lookup.lookup import Lookup
from eventscache.metrics.prometheus import Metrics
from eventscache.server.asserter import Asserter
from eventscache.server.http.auth import Access
from eventscache.server.http.body import Bodies
from eventscache.server.http.responses import PrebuiltResponse
from eventscache.server.http.whole_request import WholeRequest
from eventscache.server.notices import Notices
from eventscache.server.replayer import Replayer
from eventscache.sources.all_sources import AllSources


class Context(NamedTuple):
    """The cache, the settings, and what is made of the settings once."""

    cache: EventsCache
    live: Hub
    lookup: Lookup
    explainer: Explainer
    settings: Settings
    access: Access
    api_keys: ApiKeys
    limits: Limits
    ingestion: "Handlers"
    metrics: Metrics
    bodies: Bodies
    asserter: Asserter
    sources: AllSources
    notices: Notices
    follows: FollowList
    replayer: Replayer
    reloaders: Sequence[Reloader]


Handler = Callable[[Context, web.BaseRequest], Awaitable[web.StreamResponse]]


FastHandler = Callable[[Context, WholeRequest], PrebuiltResponse | None]
"""Does at once what a handler does where nothing is unusual: takes the events, and returns the response.

Where anything is, it returns None, or raises `HttpError` or `InvalidEvent`, and has counted and kept nothing: then the
handler decides.
"""


class Handlers(Protocol):
    """Finds handlers among some of the routes."""

    def at(self, path: str) -> Mapping[str, Handler]:
        """Return the handlers of a path by their methods; none if nothing is there."""
        ...

    def route_at(self, path: str) -> str:
        """Return the path by which the route of a path was declared; an empty text if nothing is there."""
        ...


Route = tuple[str, str, Handler]
"""A method, a path, and what handles their requests."""
FastRoute = tuple[str, FastHandler]
"""A path, as a route of POST has it, and what handles its plain requests at once."""
