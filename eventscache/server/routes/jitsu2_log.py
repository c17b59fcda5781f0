"""`/log/{type}.{level}/{actor}`: reading as in bulker, the server of Jitsu 2."""

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from eventscache.cache import EventsCache
from eventscache.errors import InvalidEvent
from eventscache.ingest import formats
from eventscache.query.filter import EventFilter
from eventscache.query.turns import Work
from eventscache.server.context import Context, Route
from eventscache.server.http.parameters import Parameters, parameters, path_parts
from eventscache.server.http.responses import HttpError, streamed_response
from eventscache.server.jitsu2_record import LogType, record_of, sequence_of
from eventscache.storage.messages import UNLIMITED, Query
from eventscache.stream import Status, Stream, check_id
from eventscache.timestamp import parse_time

_PATH = "/log/{type}.{level}/{actor}"
_DEFAULT_LIMIT = 100
_PARAMETERS = ("limit", "start", "end", "beforeId", "maxBytes", "ndjson", "token")  # `token` is for authentication
# bulker's log has two lists: that of errors, and that of all levels, whichever of these is asked for.
_LEVELS: Final = {"all": None, "error": Status.ERROR, "info": None, "warn": None, "debug": None}
_TRUE, _FALSE = {"1", "t", "T", "TRUE", "true", "True"}, {"0", "f", "F", "FALSE", "false", "False", ""}
_MILLISECOND_US = 1000
_WRITTEN_TOGETHER_BYTES = 65_536


async def get_log(context: Context, request: web.BaseRequest) -> web.StreamResponse:
    """Answer with the last events of a stream as bulker shows them, newest first; of an unknown one with none."""
    reader = context.access.require_reader(request)
    _, name, actor = path_parts(request)
    log_type, status = _type_and_status(name)
    try:
        stream = Stream(log_type.namespace, check_id(actor, context.settings.max_id_bytes))
    except InvalidEvent as fault:
        raise _invalid(f"the actor in the path cannot be one: {fault}") from None
    params = parameters(request)
    params.require_known(_PARAMETERS)
    limit = params.whole_number("limit", least=1) or _DEFAULT_LIMIT
    # Both kinds of destination events are in one stream.
    read = min(limit, UNLIMITED) if log_type is LogType.INCOMING else UNLIMITED
    query, event_filter = Query(status, before=_before(params), limit=read), _interval(params)
    max_bytes, as_lines = params.whole_number("maxBytes") or 0, _as_lines(request, params)
    readable = stream if stream in reader.streams else None
    records = _bounded(_records(context.cache, readable, log_type, query, event_filter), limit, max_bytes)
    if as_lines:
        return await streamed_response(request, formats.NDJSON, _lines(records))
    return await streamed_response(request, "application/json; charset=utf-8", _array(records))


def _type_and_status(name: str) -> tuple[LogType, Status | None]:
    kind, dot, level = name.partition(".")
    if not dot or kind not in set(LogType) or level not in _LEVELS:
        raise _invalid(
            f"the path must be /log/TYPE.LEVEL/ACTOR; TYPE is one of {', '.join(LogType)}, "
            f"LEVEL one of {', '.join(_LEVELS)}"
        )
    return LogType(kind), _LEVELS[level]


def _before(params: Parameters) -> int | None:
    text = params.one("beforeId")
    if not text:
        return None
    sequence = sequence_of(text)
    if sequence is None:
        raise _invalid("beforeId must be the id of a record of an earlier answer, such as 1606772892754-7")
    return sequence


def _interval(params: Parameters) -> EventFilter | None:
    """Return the filter by time. As in bulker, the millisecond of `end` is a part of the interval."""
    start_us, end_us = _time(params, "start"), _time(params, "end")
    if end_us is not None:
        end_us += _MILLISECOND_US - end_us % _MILLISECOND_US
    return None if start_us is None and end_us is None else EventFilter(start_us, end_us)


def _time(params: Parameters, name: str) -> int | None:
    """Return a time in Unix microseconds; a date means its first moment in UTC."""
    text = params.one(name)
    if not text:
        return None
    try:
        return parse_time(f"{text}T00:00:00Z" if len(text) == len("2006-01-02") and "-" in text else text)
    except (ValueError, OverflowError):
        forms = "milliseconds since 1970, a date such as 2020-11-30, or a time such as 2020-11-30T21:48:12.754Z"
        raise _invalid(f"{name} must be {forms}") from None


def _as_lines(request: web.BaseRequest, params: Parameters) -> bool:
    value = params.one("ndjson")
    if value is None:
        return formats.NDJSON in request.headers.get("Accept", "")
    if value not in _TRUE | _FALSE:
        raise _invalid("ndjson can be only true or false")
    return value in _TRUE


async def _records(
    cache: EventsCache, stream: Stream | None, log_type: LogType, query: Query, event_filter: EventFilter | None
) -> AsyncIterator[bytes]:
    """Yield the records of a stream; none without one, as of a stream that is not known."""
    if stream is None:
        return
    page = await cache.fetch(stream, query, event_filter)
    work = Work(cache.turns)
    for sequence, event in page.events:
        if log_type.holds(event):
            yield record_of(log_type, event, sequence)
        await work.spend(event.size_bytes)


async def _bounded(records: AsyncIterator[bytes], limit: int, max_bytes: int) -> AsyncIterator[bytes]:
    """Yield at most `limit` records, and none with which there would be more than `max_bytes`, unless these are 0."""
    count = size_bytes = 0
    async for record in records:
        size_bytes += len(record) + 1  # what separates it from the next one
        if max_bytes and size_bytes > max_bytes + 1:
            return
        yield record
        count += 1
        if count == limit:
            return


async def _array(records: AsyncIterator[bytes]) -> AsyncIterator[tuple[bytes, ...]]:
    separator = b"["
    async for piece in _joined(records, b","):
        yield separator, piece
        separator = b","
    yield (b"[]" if separator == b"[" else b"]",)


async def _lines(records: AsyncIterator[bytes]) -> AsyncIterator[tuple[bytes, ...]]:
    async for piece in _joined(records, b"\n"):
        yield piece, b"\n"


async def _joined(records: AsyncIterator[bytes], separator: bytes) -> AsyncIterator[bytes]:
    """Yield records in pieces of many."""
    piece: list[bytes] = []
    size_bytes = 0
    async for record in records:
        piece.append(record)
        size_bytes += len(record)
        if size_bytes >= _WRITTEN_TOGETHER_BYTES:
            yield separator.join(piece)
            piece, size_bytes = [], 0
    if piece:
        yield separator.join(piece)


def _invalid(message: str) -> HttpError:
    return HttpError(400, "invalid_parameter", message)


ROUTES: tuple[Route, ...] = (("GET", _PATH, get_log),)
