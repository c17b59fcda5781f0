"""Whether a test scope can begin: only so many do in a minute."""

from collections.abc import Iterable

from eventscache.cache import EventsCache
from eventscache.server.http.responses import HttpError
from eventscache.stream import Stream


def require_scope_room(cache: EventsCache, scope: str, streams: Iterable[Stream]) -> None:
    """Raise `HttpError` if the events of a stream would not be kept in a scope, so that a test does not miss them."""
    if scope and not all(cache.queue.may_begin_extra(stream, scope) for stream in streams):
        raise HttpError(
            429,
            "too_many_scopes",
            "50 scopes of this stream began in the last minute: clear those that ended, with reset=limiter",
            {"Retry-After": "60"},
        )
