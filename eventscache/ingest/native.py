"""Native records: events as a GET of the cache returns them, in JSON, newline-delimited JSON or MessagePack."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Annotated, Any

import msgpack
import msgspec

from eventscache.errors import InvalidEvent
from eventscache.event import Event, Response
from eventscache.ingest import malformed
from eventscache.ingest.json import scan, strict
from eventscache.ingest.limits import BatchTooLarge, Limits
from eventscache.ingest.parsed import MAX_ERRORS, Parsed
from eventscache.ingest.secret_half import SecretHalf, without_halves, without_halves_in_text
from eventscache.stream import Namespace, Stream, check_id
from eventscache.timestamp import parse_time

_MSGPACK_BYTES_PER_BYTE = 9  # a number of nine bytes can be a digit in JSON
_ARRAYS = {bytes([first]) for first in (*range(0x90, 0xA0), 0xDC, 0xDD)}
_NULL = msgspec.Raw(b"null")
_MAX_REASON_LENGTH = 500
_BLANK = re.compile(rb"\s{1,65536}")  # so many at a time, for other threads have no turn meanwhile
_STATUS = msgspec.Meta(ge=0, le=999)
_ATTEMPT = msgspec.Meta(ge=0, le=2**31 - 1)


class _Response(msgspec.Struct, forbid_unknown_fields=True):
    status: Annotated[int, _STATUS] | Annotated[float, _STATUS] | None = None
    body: str | None = None


class _Record(msgspec.Struct, forbid_unknown_fields=True):
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
    attempt: Annotated[int, _ATTEMPT] | Annotated[float, _ATTEMPT] | None = None
    response: _Response | None = None
    seq: int | float | None = None  # as GET gives it; the stream gives the event another one


_read = msgspec.json.Decoder(_Record).decode
_TEXT_NAMES = ("malformed", "error", "skip", "timestamp", "uid", "destination_id", "token_id")
# The names that the fast scan reads from an array: objects, and texts. A record with any other name is left to the
# slower parser.
_OBJECTS = (b"original", b"success")
_TEXTS = tuple(map(str.encode, _TEXT_NAMES))
_OBJECT_NAMES = {b'"%b"' % name: name.decode() for name in _OBJECTS}
Row = tuple[Any, ...]
"""The fields of a record: original and success, None, empty or the bytes of an object; the texts, None or a str."""
_UNKNOWN = "Object contains unknown field `"  # as msgspec begins its message
_IN_RESPONSE = "` - at `$.response`"
_SHOWN_CHARACTERS = 100  # of a name
_MOST_INVALID_BYTES = 65_536  # that are noted of an invalid record
_MOST_HINTS = 20  # in a body: to find similar names takes long


def parse_json(body: bytes, default: Stream | None, limits: Limits) -> Parsed:
    """Parse one record or an array; raise `InvalidEvent` if the body is not JSON, and `BatchTooLarge`.

    A fault inside one element of an array, such as a number that does not fit, makes only that record invalid.
    """
    if not body.strip():
        raise InvalidEvent("the body is empty")
    limits.check_values(body)
    if body.lstrip()[:1] != b"[":
        if scan.object_end(body, _levels(limits)) < 0:
            strict.decode(body)
        return _parse([body], default, limits, 1)
    rows = _rows(body, limits)
    if rows is None and (hidden := without_halves(body)) is not body:
        body, rows = hidden, _rows(hidden, limits)
    if rows is not None:
        return _parse(rows, default, limits, len(rows))
    count, elements = strict.split_array(body)
    return _parse(elements, default, limits, count)


def _rows(body: bytes, limits: Limits) -> list[Row | bytes] | None:
    """Return the records of an array that the fast scan found valid; None if the slower parser must decide."""
    return scan.object_members(body, _levels(limits), limits.max_event_bytes, _OBJECTS, _TEXTS)


def _levels(limits: Limits) -> int:
    """Return how many levels a record may have so that each of its fields has at most `max_depth`."""
    return limits.max_depth + 1


def parse_items(
    items: Iterable[Row | bytes | InvalidEvent],
    default: Stream | None,
    limits: Limits,
    write_keys: Sequence[str],
    halves: Sequence[SecretHalf | None],
) -> Parsed:
    """Parse records, each its fields or its JSON, or why it is invalid, in their order.

    There are as many keys by which Jitsu received them, and as many secret halves that are hidden in them. Raises
    `BatchTooLarge`.
    """
    return _parse(items, default, limits, len(write_keys), write_keys, halves=halves)


def whole_event(original: bytes) -> Row:
    """Return the fields of a record of which only the original is known."""
    return (original, *[None] * (len(_TEXT_NAMES) + 1))


def parse_ndjson(body: bytes, default: Stream | None, limits: Limits) -> Parsed:
    """Parse a record per line; blank lines are skipped, and a line that is not JSON is an invalid record."""
    lines = [*islice(_lines(body), limits.max_batch + 1)]
    if not lines:
        raise InvalidEvent("the body is empty")
    if len(lines) > limits.max_batch:
        raise BatchTooLarge(f"more than {limits.max_batch} records in one body; no more are allowed")
    return _parse(lines, default, limits, len(lines))


def _lines(body: bytes) -> Iterator[bytes]:
    """Yield the lines that are not blank. What is blank costs no memory, and a line is cut out when it is asked for."""
    start = 0
    while start < len(body):
        if blank := _BLANK.match(body, start):
            start = blank.end()
        else:
            end = body.find(b"\n", start)
            if end < 0:
                end = len(body)
            yield body[start:end]
            start = end


def parse_msgpack(body: bytes, default: Stream | None, limits: Limits) -> Parsed:
    """Parse a map or an array of maps; `original` and `success` are maps, or the bytes of a JSON object.

    Raises `InvalidEvent` if the body is not one MessagePack value.
    """
    max_length = max(limits.max_batch, limits.max_event_bytes)  # no event within the limits is longer
    try:
        records = [*_unpack(body, max_length, limits)]
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as fault:
        raise InvalidEvent(f"not MessagePack: {str(fault) or type(fault).__name__}") from None
    return _parse(records, default, limits, len(records))


def _unpack(body: bytes, max_length: int, limits: Limits) -> Iterator[bytes | InvalidEvent]:
    """Yield the JSON of each record, or why it is invalid.

    A record that cannot be within the limits is not unpacked: values of a byte each would take much memory.
    """
    options = {
        "strict_map_key": False,
        "object_pairs_hook": _map,
        "max_array_len": max_length,
        "max_map_len": max_length,
    }
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
    """Return a dict, or `NotImplemented` if a key is not a text: only its record is invalid then."""
    return dict(pairs) if all(isinstance(key, str) for key, _ in pairs) else NotImplemented


def _to_json(record: object) -> bytes | InvalidEvent:
    """Return the JSON of an unpacked record; bytes in it that are JSON already are kept as they are."""
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
    records: Iterable[Row | bytes | InvalidEvent],
    default: Stream | None,
    limits: Limits,
    count: int,
    write_keys: Sequence[str] = (),
    *,
    halves: Sequence[SecretHalf | None] = (),
) -> Parsed:
    limits.check_count(count, "records")
    good: list[tuple[Stream, Event]] = []
    errors: list[tuple[int, str]] = []
    invalid: list[bytes] = []
    used_keys: list[str] = []
    omitted = 0
    half: SecretHalf | None = None

    def reject(index: int, record: Row | bytes | InvalidEvent, reason: str) -> None:
        nonlocal omitted
        if len(errors) < MAX_ERRORS:
            errors.append((index, (half.hidden_in_words(reason) if half else reason)[:_MAX_REASON_LENGTH]))
            invalid.append(_hidden_in_text(_bytes_of(record)[:_MOST_INVALID_BYTES], half))
        else:
            omitted += 1

    for index, record in enumerate(records):
        if halves:
            half = halves[index]
        try:
            if isinstance(record, tuple):
                good.append(_event(record, default, limits, half))
            elif isinstance(record, bytes):
                good.append(_parse_record(record, default, limits, half))
            else:
                raise record
            if write_keys:
                used_keys.append(write_keys[index])
        except msgspec.ValidationError as fault:
            reject(index, record, _told(str(fault), hints=len(errors) < _MOST_HINTS))
        except InvalidEvent as fault:
            reject(index, record, str(fault))
    return Parsed((), good, errors, omitted, invalid, write_keys=tuple(used_keys))


def _bytes_of(record: Row | bytes | InvalidEvent) -> bytes:
    """Return the bytes of an invalid record: all of it, its original, or nothing."""
    if isinstance(record, bytes):
        return record
    return bytes(record[0] or b"") if isinstance(record, tuple) else b""


def _parse_record(data: bytes, default: Stream | None, limits: Limits, half: SecretHalf | None) -> tuple[Stream, Event]:
    """Return the stream and the event of a record's JSON; raise `InvalidEvent` or `ValidationError`."""
    if len(data) > limits.max_event_bytes:
        raise InvalidEvent(f"too_large: the record has {len(data)} bytes; at most {limits.max_event_bytes} are allowed")
    validated = scan.object_end(data, _levels(limits)) >= 0
    if not validated and (hidden := without_halves(data)) is not data:
        data, validated = hidden, scan.object_end(hidden, _levels(limits)) >= 0
    if not (validated or isinstance(strict.decode(data), dict)):
        raise InvalidEvent("the record is not an object")
    record = _read_record(data)
    objects = (_object(name, getattr(record, name), limits, validated=validated) for name in ("original", "success"))
    stream, event = _event((*objects, *[getattr(record, name) for name in _TEXT_NAMES]), default, limits, half)
    event.masked = record.masked or False
    event.attempt = _whole("attempt", record.attempt)
    event.response = _response(record.response, limits, half)
    return stream, event


def _response(given: _Response | None, limits: Limits, half: SecretHalf | None) -> Response | None:
    """Return a response with its body cut; None if it is empty."""
    if given is None or (given.status is None and not given.body):
        return None
    status = _whole("response.status", given.status)
    body = _hidden_in_text((given.body or "").encode(), half)
    return Response(status, malformed.cut(body, limits.max_malformed_bytes))


def _whole(name: str, number: float | None) -> int | None:
    """Return a number as an integer, also if it is written as 1.0."""
    if number is not None and number != int(number):
        raise InvalidEvent(f"{name} is not a whole number")
    return None if number is None else int(number)


def _told(fault: str, *, hints: bool) -> str:
    """Return the fault of a record in words; for an unknown field with its name, and with what may be meant."""
    if not fault.startswith(_UNKNOWN):
        return fault
    nested = fault.endswith(_IN_RESPONSE)
    name = fault[len(_UNKNOWN) : -len(_IN_RESPONSE) if nested else -1][:_SHOWN_CHARACTERS]
    known = (_Response if nested else _Record).__struct_fields__
    similar = get_close_matches(name.lower(), known, 1) if hints else []
    hint = f"did you mean {similar[0]}?" if similar else f"known are {', '.join(known)}"
    return f"unknown field {'response.' if nested else ''}{name}; {hint}"


def _read_record(data: bytes) -> _Record:
    try:
        return _read(data)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:  # msgspec does not read half of a surrogate pair
        return _read_record_with_halves(data)


def _read_record_with_halves(data: bytes) -> _Record:
    """Return a record in whose objects there may be halves of surrogate pairs; other fields could not be shown."""
    members = [*strict.members(data.strip())]
    others = [b"%b:%b" % member for member in members if member[0] not in _OBJECT_NAMES]
    try:
        record = _read(b"{%b}" % b",".join(others))
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        raise InvalidEvent("half of a surrogate pair (such as \\ud83d) outside of original and success") from None
    for name, value in members:
        if name in _OBJECT_NAMES:
            setattr(record, _OBJECT_NAMES[name], msgspec.Raw(value))
    return record


def _event(row: Row, default: Stream | None, limits: Limits, half: SecretHalf | None) -> tuple[Stream, Event]:
    """Return the stream and the event of a record's fields, each None if it is absent; without secret halves."""
    original, success, text, error, skip, timestamp, uid, destination_id, token_id = row
    if not (original or success or text or error or skip):
        raise InvalidEvent("the record has none of original, success, malformed, error and skip")
    event = Event(
        malformed.cut(_hidden_in_text(text.encode(), half), limits.max_malformed_bytes) if text else "",
        original or b"",
        success or b"",
        _hidden_in_text(error.encode(), half).decode() if error else "",
        _hidden_in_text(skip.encode(), half).decode() if skip else "",
        _timestamp(timestamp) if timestamp else "",
        uid or "",
        destination_id or "",
        token_id or "",
    )
    if half:
        event.original, event.success = half.hidden(event.original), half.hidden(event.success)
    return _stream(event, default, limits), event


def _hidden_in_text(text: bytes, half: SecretHalf | None) -> bytes:
    return without_halves_in_text(half.hidden_in_text(text) if half else text)


def _object(name: str, raw: msgspec.Raw, limits: Limits, *, validated: bool) -> bytes:
    """Return the bytes of a JSON object, empty for null; `validated` tells that its depth has been checked."""
    data = bytes(raw)
    if data == b"null":
        return b""
    if not data.startswith(b"{"):
        raise InvalidEvent(f"{name} is not an object")
    if not validated:
        strict.check_depth(data, limits.max_depth)
    return data


def _timestamp(text: str) -> str:
    try:
        parse_time(text)
    except ValueError:
        raise InvalidEvent("timestamp is not a time such as 2020-11-30T21:48:12.754000Z") from None
    return text


def _stream(event: Event, default: Stream | None, limits: Limits) -> Stream:
    """Return the stream that a record names, by its destination before its token; else the default stream."""
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
