"""Native records: what a GET of the cache gives, taken back as JSON, newline-delimited JSON or MessagePack."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgpack
import msgspec

from eventscache.errors import InvalidEvent
from eventscache.event import Event
from eventscache.ingest import malformed
from eventscache.ingest.json import scan, strict
from eventscache.ingest.limits import Limits
from eventscache.stream import Namespace, Stream, check_id
from eventscache.timestamp import parse_time

_MSGPACK_BYTES_PER_BYTE = 9  # a number of nine bytes can be a digit in JSON
_ARRAYS = {bytes([first]) for first in (*range(0x90, 0xA0), 0xDC, 0xDD)}
_NULL = msgspec.Raw(b"null")


class _Record(msgspec.Struct):
    original: msgspec.Raw = _NULL
    success: msgspec.Raw = _NULL
    malformed: str | None = None
    error: str | None = None
    skip: str | None = None
    timestamp: str | None = None
    uid: str | None = None
    destination_id: str | None = None
    token_id: str | None = None
    masked: bool | None = None


class Parsed(NamedTuple):
    """The good records, and for each bad one its index and the reason."""

    records: list[tuple[Stream, Event]]
    errors: list[tuple[int, str]]


_read = msgspec.json.Decoder(_Record).decode
_TEXT_NAMES = ("malformed", "error", "skip", "timestamp", "uid", "destination_id", "token_id")
# What is asked of an array: objects, and texts, of which a reader has to look at those that are none, as `masked` is.
_OBJECTS = (b"original", b"success")
_TEXTS = (*map(str.encode, _TEXT_NAMES), b"masked")
_Row = tuple[Any, ...]
"""original and success, each None, nothing or the bytes of an object; the texts, each None or a str; masked."""


def parse_json(body: bytes, default: Stream | None, limits: Limits) -> Parsed:
    """Parse one record or an array; raise `InvalidEvent` if the body is no JSON, and `BatchTooLarge`.

    What is wrong inside one element of an array, as a number that does not fit, makes that record bad alone.
    """
    if not body.strip():
        raise InvalidEvent("the body is empty")
    limits.check_values(body)
    if body.lstrip()[:1] != b"[":
        if scan.object_end(body, _levels(limits)) < 0:
            strict.decode(body)
        return _parse([body], default, limits, 1)
    rows = scan.object_members(body, _levels(limits), limits.max_event_bytes, _OBJECTS, _TEXTS)
    if rows is not None:
        return _parse(rows, default, limits, len(rows))
    elements = strict.split_array(body)
    return _parse(map(bytes, elements), default, limits, len(elements))


def _levels(limits: Limits) -> int:
    """Return how deep a record may be for all its fields to be no deeper than allowed."""
    return limits.max_depth + 1


def parse_ndjson(body: bytes, default: Stream | None, limits: Limits) -> Parsed:
    """Parse a record per line; blank lines are skipped, and a line that is no JSON is a bad record."""
    lines = [line for line in body.split(b"\n") if line.strip()]
    if not lines:
        raise InvalidEvent("the body is empty")
    return _parse(lines, default, limits, len(lines))


def parse_msgpack(body: bytes, default: Stream | None, limits: Limits) -> Parsed:
    """Parse a map or an array of maps; `original` and `success` are maps, or the bytes of a JSON object.

    Raises `InvalidEvent` if the body is not one MessagePack value.
    """
    most = max(limits.max_batch, limits.max_event_bytes)  # no event that fits could hold more
    try:
        records = [*_unpack(body, most, limits)]
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as fault:
        raise InvalidEvent(f"not MessagePack: {str(fault) or type(fault).__name__}") from None
    return _parse(records, default, limits, len(records))


def _unpack(body: bytes, most: int, limits: Limits) -> Iterator[bytes | InvalidEvent]:
    """Yield the JSON of each record, one after the other.

    None is unpacked that is too large to fit: small as they are, all the values of a body would take much memory.
    """
    options = {"strict_map_key": False, "object_pairs_hook": _map, "max_array_len": most, "max_map_len": most}
    unpacker = msgpack.Unpacker(max_buffer_size=0, **options)
    unpacker.feed(body)
    count = 1
    if body[:1] in _ARRAYS:
        count = unpacker.read_array_header()
        limits.check_count(count, "records")
    for _ in range(count):
        start = unpacker.tell()
        unpacker.skip()
        size = unpacker.tell() - start
        if size > _MSGPACK_BYTES_PER_BYTE * limits.max_event_bytes:
            yield InvalidEvent(f"too_large: the record has {size} bytes of MessagePack")
        else:
            yield _to_json(msgpack.unpackb(body[start : start + size], **options))
    if unpacker.tell() != len(body):
        raise ValueError("unpack(b) received extra data.")


def _map(pairs: list[tuple[object, object]]) -> object:
    """Return a map that JSON can hold, or else what JSON refuses: its own record alone is bad then."""
    return dict(pairs) if all(isinstance(key, str) for key, _ in pairs) else NotImplemented


def _to_json(record: object) -> bytes | InvalidEvent:
    """Return the JSON of an unpacked record, keeping the bytes of JSON that it holds."""
    if record is NotImplemented:
        return InvalidEvent("a field's name is not a text")
    if not isinstance(record, dict):
        return b"null"
    try:
        return b"{" + b",".join(_field_to_json(name, value) for name, value in record.items()) + b"}"
    except InvalidEvent as fault:
        return fault
    except (ValueError, TypeError, RecursionError) as fault:
        return InvalidEvent(f"not representable as JSON: {fault}")


def _field_to_json(name: str, value: object) -> bytes:
    if isinstance(value, bytes) and name in {"original", "success"}:
        strict.decode(value)
        text = value
    else:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    return json.dumps(name).encode() + b":" + text


def _parse(
    records: Iterable[_Row | bytes | InvalidEvent], default: Stream | None, limits: Limits, count: int
) -> Parsed:
    limits.check_count(count, "records")
    parsed = Parsed([], [])
    for index, record in enumerate(records):
        try:
            if isinstance(record, tuple):
                parsed.records.append(_placed(record, default, limits))
            elif isinstance(record, bytes):
                parsed.records.append(_placed(_fields(record, limits), default, limits))
            else:
                raise record
        except InvalidEvent as fault:
            parsed.errors.append((index, str(fault)))
    return parsed


def _fields(data: bytes, limits: Limits) -> _Row:
    """Return the fields of a record that a reader has to look at."""
    if len(data) > limits.max_event_bytes:
        raise InvalidEvent(f"too_large: the record has {len(data)} bytes; at most {limits.max_event_bytes} are allowed")
    vouched = scan.object_end(data, _levels(limits)) >= 0
    if not (vouched or isinstance(strict.decode(data), dict)):
        raise InvalidEvent("the record is not an object")
    try:
        record = _read(data)
    except msgspec.ValidationError as fault:
        raise InvalidEvent(str(fault)) from None
    objects = (_object(name, getattr(record, name), limits, vouched=vouched) for name in ("original", "success"))
    return (*objects, *[getattr(record, name) for name in _TEXT_NAMES], record.masked)


def _placed(row: _Row, default: Stream | None, limits: Limits) -> tuple[Stream, Event]:
    """Return the event of a record's fields, each None if it is absent, and its stream."""
    original, success, text, error, skip, timestamp, uid, destination_id, token_id, masked = row
    if not (original or success or text or error or skip):
        raise InvalidEvent("the record has none of original, success, malformed, error and skip")
    event = Event(
        malformed.cut(text.encode(), limits.max_malformed_bytes) if text else "",
        original or b"",
        success or b"",
        error or "",
        skip or "",
        _timestamp(timestamp) if timestamp else "",
        uid or "",
        destination_id or "",
        token_id or "",
        masked or False,
    )
    return _stream(event, default, limits), event


def _object(name: str, raw: msgspec.Raw, limits: Limits, *, vouched: bool) -> bytes:
    """Return a JSON object as it is written, or nothing for null; `vouched` says that it is no deeper than allowed."""
    data = bytes(raw)
    if data == b"null":
        return b""
    if not data.startswith(b"{"):
        raise InvalidEvent(f"{name} is not an object")
    if not vouched:
        strict.check_depth(data, limits.max_depth)
    return data


def _timestamp(text: str) -> str:
    try:
        parse_time(text)
    except ValueError:
        raise InvalidEvent("timestamp is not a time such as 2020-11-30T21:48:12.754000Z") from None
    return text


def _stream(event: Event, default: Stream | None, limits: Limits) -> Stream:
    """Return the stream that the record names: its destination before its token; else the one of the query."""
    if event.destination_id:
        if event.token_id:
            check_id(event.token_id, limits.max_id_bytes)
        return Stream(Namespace.DESTINATION, check_id(event.destination_id, limits.max_id_bytes))
    if event.token_id:
        return Stream(Namespace.TOKEN, check_id(event.token_id, limits.max_id_bytes))
    if default is None:
        raise InvalidEvent("the record names neither destination_id nor token_id, and the query names no id")
    if default.namespace is Namespace.TOKEN:
        event.token_id = default.id
    else:
        event.destination_id = default.id
    return default
