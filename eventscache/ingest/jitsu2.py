"""Jitsu 2's ingestion bodies: one event, or `{"batch": [...]}`, which Segment's libraries send too.

Events are as they came, byte for byte, with two exceptions: each byte in a text that is not UTF-8 is U+FFFD, and secret
halves of write keys are hidden, as in Jitsu 2's own log.
"""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from eventscache.errors import InvalidEvent
from eventscache.ingest import jitsu
from eventscache.ingest.json import go, scan, strict
from eventscache.ingest.limits import BatchTooLarge, Limits
from eventscache.ingest.parsed import Parsed
from eventscache.ingest.secret_half import SecretHalf, secret_half, without_halves
from eventscache.stream import Stream

ANY_TYPE: Final = "event"
"""In place of a type of events: each event names its own."""

_TYPES: Final = {
    "p": "page",
    "i": "identify",
    "t": "track",
    "g": "group",
    "a": "alias",
    "s": "screen",
    "e": ANY_TYPE,
}
_KNOWN_TYPES: Final = frozenset(_TYPES.values()) - {ANY_TYPE}
_MAX_NAME_BYTES = 128
_SHOWN_CHARACTERS = 128
_WHITE_SPACE = b" \t\r\n"
_NULL = msgspec.Raw(b"null")


class _Members(msgspec.Struct):
    batch: msgspec.Raw = _NULL
    events_name: msgspec.Raw = msgspec.field(default=_NULL, name="eventsName")
    write_key: msgspec.Raw = msgspec.field(default=_NULL, name="writeKey")
    type: msgspec.Raw = _NULL
    event: msgspec.Raw = _NULL
    message_id: msgspec.Raw = msgspec.field(default=_NULL, name="messageId")


_decode = msgspec.json.Decoder(_Members).decode
_NAMES = {field.encode_name: field.name for field in msgspec.structs.fields(_Members)}


HalfOf = Callable[[str], SecretHalf | None]
"""Finds the secret halves of the write key that a body names, and of what else it is known to belong to."""


def parse_event(body: bytes, _: Stream | None, limits: Limits, half_of: HalfOf = secret_half) -> Parsed:
    """Parse a body that is one event. Raises `InvalidEvent` if it is anything else."""
    text = body.strip(_WHITE_SPACE)
    if len(text) > limits.max_event_bytes:
        raise InvalidEvent(f"Event size {len(text)} exceeds limit: {limits.max_event_bytes}")
    event, rest, write_key = _first_object(text, limits, limits.max_depth)
    if rest:
        raise InvalidEvent("something follows the JSON object")
    key = _text(write_key)
    return Parsed(_without_key([event], key, half_of), write_key=key)


def parse_batch(body: bytes, _: Stream | None, limits: Limits, half_of: HalfOf = secret_half) -> Parsed:
    """Parse a body whose events are in its `batch`; without one there are none. What follows the object is ignored.

    Raises `InvalidEvent` if it is no object, or an element of its `batch` is none; and `BatchTooLarge`.
    """
    text = body.lstrip(_WHITE_SPACE)
    if (parsed := _validated_batch(text, limits, half_of)) is not None:
        return parsed
    data, _rest, write_key = _first_object(text, limits, limits.max_depth + scan.LEVELS_AROUND)
    members = _members(data)
    for name, value in (("eventsName", members.events_name), ("writeKey", write_key)):
        if bytes(value) != b"null" and _text_or_none(value) is None:
            raise InvalidEvent(f"{name} is not a text")
    key = _text(write_key)
    events = _without_key(_events(bytes(members.batch), limits), key, half_of)
    default_name = _text(members.events_name)
    return Parsed(events, faults=_faults(enumerate(events), default_name), write_key=key)


def _validated_batch(text: bytes, limits: Limits, half_of: HalfOf) -> Parsed | None:
    """Return what the fast scan found of a batch; None if the slower reader must decide."""
    if not text.startswith(b"{"):
        return None
    limits.check_values(text)
    batch = scan.validated_batch(text, limits.max_depth, b"batch", (b"eventsName", b"writeKey"), checked=True)
    if batch is None or batch.events is None:
        return None
    jitsu.check_sizes(batch.size_bytes, len(batch.events), limits)
    name, key = (given or "" for given in batch.texts)
    events = _without_key(batch.events, key, half_of)
    if name:
        return Parsed(events, faults=_faults(enumerate(events), name), write_key=key)
    some = [*events] if batch.unclear else ()
    return Parsed(events, faults=_faults((index, some[index]) for index in batch.unclear), write_key=key)


def _faults(events: Iterable[tuple[int, bytes]], default_name: str = "") -> list[tuple[int, str]]:
    """Return the index of each event of a batch that Jitsu 2 refuses, and why."""
    return [(index, fault) for index, event in events if (fault := fault_of(event, ANY_TYPE, default_name))]


def fault_of(event: bytes, kind: str, default_name: str = "") -> str:
    """Return why Jitsu 2 refuses an event of a type, in its words; an empty text if it takes the event.

    `default_name` is the name of each event of a batch that has none; all of these are of the type `track`.
    """
    members = _members(event)
    kind = _TYPES.get(kind, kind)
    if kind == ANY_TYPE:
        kind = "track" if default_name else _text(members.type)
        if not kind:
            return "type property of event is required"
    if kind not in _KNOWN_TYPES:
        return f"Unknown event type: {kind[:_SHOWN_CHARACTERS]}"
    if kind != "track":
        return ""
    name = _text(members.event) or default_name
    if not name:
        return "'event' property is required for 'track' event"
    if len(name.encode()) > _MAX_NAME_BYTES:
        shown = name[:_SHOWN_CHARACTERS]
        return f"Invalid track event name '{shown}'. Max length is {_MAX_NAME_BYTES} characters."
    return ""


def message_id_of(event: bytes) -> str:
    """Return the `messageId` of an event, cut as in Jitsu 2; an empty text if it has none."""
    return _text(_members(event).message_id)[:64]


def _without_key(events: Sequence[bytes], write_key: str, half_of: HalfOf) -> Sequence[bytes]:
    """Return events without the secret half of the key that their body names."""
    half = half_of(write_key) if write_key else None
    return half.hidden_in_all(events) if half else events


class _First(NamedTuple):
    """The object that a text begins with, without secret halves; what follows it; and its write key as it came."""

    data: bytes
    rest: bytes
    write_key: msgspec.Raw


def _first_object(text: bytes, limits: Limits, levels: int) -> _First:
    if not text:
        raise InvalidEvent("empty JSON body")
    if not text.startswith(b"{"):
        raise InvalidEvent("the body is not a JSON object")
    limits.check_values(text)
    end = scan.object_end(text, levels)
    if end >= 0:
        return _First(text[:end], text[end:], _members(text[:end]).write_key)
    hidden = without_halves(text)
    if hidden is not text and (end := scan.object_end(hidden, levels)) >= 0:
        with contextlib.suppress(msgspec.DecodeError):  # it may be wrong where it is hidden
            return _First(hidden[:end], hidden[end:], _decode(text).write_key)
    data = go.read(text).data
    strict.check_depth(data, levels)
    return _First(without_halves(data), go.repaired(text)[len(data) :], _members(data).write_key)


def _events(batch: bytes, limits: Limits) -> Sequence[bytes]:
    if batch == b"null":
        return ()
    if not batch.startswith(b"["):
        raise InvalidEvent("batch is not an array")
    try:
        return jitsu.parse_events(batch, limits)
    except BatchTooLarge:
        raise
    except InvalidEvent as fault:
        raise InvalidEvent(str(fault).removeprefix("error parsing HTTP body: ")) from None


def _members(data: bytes) -> _Members:
    """Return the members that are asked for of a valid JSON object; of a repeated one the last."""
    try:
        return _decode(data)
    except msgspec.DecodeError:  # msgspec does not read half of a surrogate pair
        found = {go.text_of(name): value for name, value in strict.members(data)}
        return _Members(**{_NAMES[name]: msgspec.Raw(value) for name, value in found.items() if name in _NAMES})


def _text_or_none(value: msgspec.Raw) -> str | None:
    token = bytes(value)
    return go.text_of(token) if token.startswith(b'"') else None


def _text(value: msgspec.Raw) -> str:
    """Return a text; an empty one for another value."""
    return _text_or_none(value) or ""
