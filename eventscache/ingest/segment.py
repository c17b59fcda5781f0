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
    found = _validated(body, limits)
    if found is None and (hidden := without_halves(body)) is not body:
        body, found = hidden, _validated(hidden, limits)
    if found is None:
        data = _read_as_go(body)
        batch = _batch(data)
        events = None if batch is None else _events(batch, limits)
    else:
        data, events = body.strip(_BLANKS), found.events
    if events is not None:
        return Parsed(_checked(events, len(body), limits))
    if len(body) > limits.max_event_bytes:
        raise InvalidEvent(f"Event size {len(body)} exceeds limit: {limits.max_event_bytes}")
    if found is None:
        _check_depth(data, limits)
    return Parsed([data])


def _validated(body: bytes, limits: Limits) -> scan.Batch | None:
    """Return the batch, or the one event without `events`, that the fast scan found; None if others must decide."""
    data = body.strip(_BLANKS)
    batch = scan.validated_batch(data, limits.max_depth, b"batch")
    is_whole = batch is None or batch.events is not None or scan.object_end(data, limits.max_depth) >= 0
    return batch if is_whole else None


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


def _events(batch: bytes, limits: Limits) -> Sequence[bytes]:
    """Return the elements of the value of `batch`."""
    if not batch.startswith(b"["):
        raise InvalidEvent(_NO_BATCH)
    count, elements = strict.split_array(batch)
    limits.check_count(count, "events")
    events = [*elements]
    if not all(event.startswith(b"{") for event in events):
        raise InvalidEvent(_NO_BATCH)
    for event in events:
        _check_depth(event, limits)
    return events


def _checked(events: Sequence[bytes], size_bytes: int, limits: Limits) -> Sequence[bytes]:
    """Return the events of a body of that size, if they are neither too many nor too large."""
    limits.check_count(len(events), "events")
    if events and size_bytes > limits.max_event_bytes * len(events):
        raise InvalidEvent(f"Size of one of events exceeds limit: {limits.max_event_bytes}")
    return events


def _check_depth(data: bytes, limits: Limits) -> None:
    try:
        strict.check_depth(data, limits.max_depth)
    except InvalidEvent as fault:
        raise InvalidEvent(f"error parsing HTTP body: {fault}") from None
