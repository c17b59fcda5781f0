"""Segment's bodies, as Jitsu takes them: one event, or `{"batch": [...]}`."""

from collections.abc import Sequence

import msgspec

from eventscache.errors import InvalidEvent
from eventscache.ingest.json import go, scan, strict
from eventscache.ingest.limits import Limits
from eventscache.ingest.parsed import Parsed
from eventscache.ingest.secret_half import without_halves
from eventscache.stream import Stream

_NO_BATCH = "malformed Segment body 'batch' type. Expected array of objects"
_BLANKS = b" \t\r\n"
_LEVELS_AROUND = 2  # the body and its `batch`, around each event


class _Body(msgspec.Struct):
    batch: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_read = msgspec.json.Decoder(_Body).decode


def parse(body: bytes, _: Stream | None, limits: Limits) -> Parsed:
    """Parse a body; all its events are originals of the default stream.

    They are as they came, but that each byte in a text that is not UTF-8 is U+FFFD, as Go reads it, and that secret
    halves are hidden. White space in front is allowed, and what follows the first value is ignored. Raises
    `InvalidEvent` with Jitsu's words for what Jitsu rejects, and `BatchTooLarge`.
    """
    if not body:
        raise InvalidEvent("empty JSON body")
    limits.check_values(body)
    data, validated = body.strip(_BLANKS), True
    if scan.object_end(data, limits.max_depth + _LEVELS_AROUND) < 0:
        body = without_halves(body)
        data = body.strip(_BLANKS)
        if scan.object_end(data, limits.max_depth + _LEVELS_AROUND) < 0:
            data, validated = _read_as_go(body), False
    batch = _batch(data)
    if batch is not None:
        return Parsed(_events(batch, len(body), limits))
    if len(body) > limits.max_event_bytes:
        raise InvalidEvent(f"Event size {len(body)} exceeds limit: {limits.max_event_bytes}")
    if not validated or scan.object_end(data, limits.max_depth) < 0:
        _check_depth(data, limits)
    return Parsed([data])


def _read_as_go(body: bytes) -> bytes:
    """Return the object that a body begins with."""
    try:
        return go.read_object(body)
    except InvalidEvent as fault:
        raise InvalidEvent(f"error parsing HTTP body: {fault}") from None


def _batch(data: bytes) -> bytes | None:
    """Return the value of `batch` in a valid object; None if there is none. Of several the last one counts."""
    try:
        found = _read(data).batch
    except (msgspec.DecodeError, RecursionError):  # such as half of a surrogate pair in a name
        values = [value for name, value in strict.members(data) if go.text_of(name) == "batch"]
        return values[-1] if values else None
    return None if isinstance(found, msgspec.UnsetType) else bytes(found)


def _events(batch: bytes, size_bytes: int, limits: Limits) -> Sequence[bytes]:
    """Return the elements of the value of `batch`, in a body of that size."""
    if not batch.startswith(b"["):
        raise InvalidEvent(_NO_BATCH)
    events: Sequence[bytes] | None = scan.validated_elements(batch, limits.max_depth)
    if events is None:
        count, elements = strict.split_array(batch)
        limits.check_count(count, "events")
        events = [*elements]
        if not all(event.startswith(b"{") for event in events):
            raise InvalidEvent(_NO_BATCH)
        for event in events:
            _check_depth(event, limits)
    limits.check_count(len(events), "events")
    if events and size_bytes > limits.max_event_bytes * len(events):
        raise InvalidEvent(f"Size of one of events exceeds limit: {limits.max_event_bytes}")
    return events


def _check_depth(data: bytes, limits: Limits) -> None:
    try:
        strict.check_depth(data, limits.max_depth)
    except InvalidEvent as fault:
        raise InvalidEvent(f"error parsing HTTP body: {fault}") from None
