"""Which extra collection a request names: a test scope, a group of errors, or what is followed."""

import re

from multidict import istr

from eventscache.cache import EventsCache
from eventscache.errors import InvalidEvent
from eventscache.extras.error_groups import GROUP
from eventscache.extras.follows import FOLLOW
from eventscache.extras.scopes import scope_collection
from eventscache.server.http.parameters import Parameters, parameters, raw_query
from eventscache.server.http.request_head import RequestHead
from eventscache.server.http.responses import HttpError

_SCOPE_HEADER = istr("X-Eventscache-Scope")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def scope_of(request: RequestHead, *, keeps_extras: bool) -> str:
    """Return the extra collection of the scope that `scope` or the header names; an empty text if none does.

    Raises `HttpError` for a name that cannot be one, as an empty one, and where the storage keeps no extra collections.
    """
    if not may_be_in_scope(request, raw_query(request)):
        return ""
    return _kept(_scope(request, parameters(request)), keeps_extras=keeps_extras)


def may_be_in_scope(request: RequestHead, query: str) -> bool:
    """Tell whether a request with a query may name a scope: nearly all with events do not, and cost no more."""
    return "scope" in query or _SCOPE_HEADER in request.headers


def extra_of(request: RequestHead, given: Parameters, *, keeps_extras: bool) -> str:
    """Return the extra collection that is to be read, by `scope`, its header, `group` or `follow`; else an empty text.

    Raises `HttpError` for more than one of them, and as `scope_of` does.
    """
    named = [name for name in (_scope(request, given), _of_kind(GROUP, given), _of_kind(FOLLOW, given)) if name]
    if len(named) > 1:
        raise HttpError(400, "invalid_parameter", "give one of scope, group and follow, not more")
    return _kept(named[0], keeps_extras=keeps_extras) if named else ""


def require_groups(cache: EventsCache) -> None:
    """Raise `HttpError` if no error groups are kept, by the setting or as the storage cannot."""
    _kept(GROUP, keeps_extras=cache.keeps_extras)
    if GROUP not in cache.kinds.by_name:
        message = "no error groups are kept, as eventscache.cache.events.error_groups is off"
        raise HttpError(400, "invalid_parameter", message)


def _scope(request: RequestHead, given: Parameters) -> str:
    name = _named("scope", given)
    if name is None:
        name = request.headers.get(_SCOPE_HEADER)
    if name is None:
        return ""
    try:
        return scope_collection(name)
    except InvalidEvent as fault:
        raise HttpError(400, "invalid_parameter", str(fault)) from None


def _named(name: str, given: Parameters) -> str | None:
    """Return a parameter; an empty one is a fault, as without it everything would be read, or cleared."""
    found = given.one(name)
    if found == "":
        raise HttpError(400, "invalid_parameter", f"{name} is empty, and nothing was done; name one, or leave it out")
    return found


def _of_kind(kind: str, given: Parameters) -> str:
    found = _named(kind, given)
    if found and not _ID.fullmatch(found):
        raise HttpError(400, "invalid_parameter", f"{kind} is not an id that this server gives")
    return f"{kind}:{found}" if found else ""


def _kept(collection: str, *, keeps_extras: bool) -> str:
    if collection and not keeps_extras:
        kind = collection.partition(":")[0]
        raise HttpError(400, "invalid_parameter", f"the storage keeps no extra collections, and so no {kind}")
    return collection
