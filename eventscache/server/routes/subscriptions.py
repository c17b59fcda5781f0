"""Which streams a request reads, and its subscription to the live view: for pushes and for long polling."""

from typing import cast

from aiohttp import web

from eventscache.live.cursor import Cursor
from eventscache.live.hub import TooManySubscribers
from eventscache.live.stream_filter import MAX_STREAMS, StreamFilter
from eventscache.live.subscription import Client, Subscription
from eventscache.server.context import Context
from eventscache.server.http.auth import Access, Reader
from eventscache.server.http.connections import Connection
from eventscache.server.http.extra_parameters import extra_of
from eventscache.server.http.parameters import Parameters
from eventscache.server.http.responses import HttpError
from eventscache.stream import Stream

_RETRY_AFTER_SECONDS = "5"


class _RequestClient(Client):
    """The client that sent a request, and the reader that it is.

    One that has closed its sending side counts as gone: without that, it would be noticed only after much was written.
    One whose token was changed or taken away counts as gone too.
    """

    def __init__(self, request: web.BaseRequest, access: Access, reader: Reader) -> None:
        self._request = request
        self._access = access
        self._reader = reader

    @property
    def gone(self) -> bool:
        return has_left(self._request) or not self._access.still_reads(self._reader)

    @property
    def unread(self) -> int:
        transport = self._request.transport
        return transport.get_write_buffer_size() if transport else 0

    def cut(self) -> None:
        if self._request.transport:
            self._request.transport.abort()


def has_left(request: web.BaseRequest) -> bool:
    """Tell whether the client of a request is gone, or has closed its sending side, which counts as that."""
    transport = request.transport
    return transport is None or transport.is_closing() or cast(Connection, request.protocol).ended


def stream_filter_of(context: Context, request: web.BaseRequest, given: Parameters, reader: Reader) -> StreamFilter:
    """Return the streams and events that a request selects, as far as its reader may read them; raise `HttpError`."""
    ids = given.ids(context.settings.max_ids, context.settings.max_id_bytes)
    namespace = given.namespace()
    streams = None if ids is None else tuple(Stream(namespace, stream_id) for stream_id in ids)
    extra = extra_of(request, given, keeps_extras=context.cache.keeps_extras)
    event_filter = given.event_filter(context.cache.type_of)
    return StreamFilter(namespace, streams, given.status(), event_filter, reader.streams, extra)


def subscribe(
    context: Context,
    request: web.BaseRequest,
    reader: Reader,
    stream_filter: StreamFilter,
    *,
    cursor: Cursor | None = None,
    history: int = 0,
    seconds: float | None = None,
) -> Subscription:
    """Return a subscription of a reader, to be given back by `Hub.leave`.

    Raises `HttpError`: 400 for too many streams, 429 for too many subscribers.
    """
    if stream_filter.streams is not None and len(stream_filter.streams) > MAX_STREAMS:
        raise HttpError(
            400,
            "invalid_parameter",
            f"{len(stream_filter.streams)} ids are too many to subscribe to; at most {MAX_STREAMS} are allowed",
        )
    client = _RequestClient(request, context.access, reader)
    try:
        return context.live.subscribe(stream_filter, client, cursor=cursor, history=history, seconds=seconds)
    except TooManySubscribers as fault:
        raise HttpError(429, "too_many_subscribers", str(fault), {"Retry-After": _RETRY_AFTER_SECONDS}) from None
