"""Jitsu's own ingestion bodies: one event, an array of events, or a template with events."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from eventscache.errors import InvalidEvent
from eventscache.ingest.json import scan, strict
from eventscache.ingest.limits import BatchTooLarge, Limits
from eventscache.ingest.parsed import Parsed
from eventscache.stream import Stream

_WHITE_SPACE = b" \t\r\n"
T = TypeVar("T")


class _Templated(msgspec.Struct):
    template: dict[str, msgspec.Raw]
    events: list[dict[str, msgspec.Raw]]


_split_templated = msgspec.json.Decoder(_Templated).decode


def parse(body: bytes, _: Stream | None, limits: Limits) -> Parsed:
    """Parse a body; all its events are originals of the default stream. Raises as `parse_events`."""
    return Parsed(parse_events(body, limits))


def parse_events(body: bytes, limits: Limits) -> Sequence[bytes]:
    """Return the events of a body, byte for byte, as Jitsu would take them; each may be cut out of it when it is read.

    The first byte decides between object and array; what follows the first value is ignored. In
    `{"template": {}, "events": [{}]}` the template's keys win over the event's, and if an element is not an object,
    the whole is one plain event. Raises `InvalidEvent` for what Jitsu rejects, and `BatchTooLarge`.
    """
    limits.check_values(body)
    if (events := _validated_events(body, limits)) is not None:
        return events
    if body.startswith(b"{"):
        return _events_of_object(*_read(body, strict.decode), limits)
    if body.startswith(b"["):
        return _events_of_array(*_read(body, strict.split_array), limits)
    if not body.strip():
        raise InvalidEvent("empty JSON body")
    start = body[:1].decode(errors="backslashreplace")
    raise InvalidEvent(f'malformed JSON body begins with: "{start}"')


def _validated_events(body: bytes, limits: Limits) -> Sequence[bytes] | None:
    """Return the events of a body that the fast scan found valid; None if the strict parser must decide."""
    if body.startswith(b"["):
        elements = scan.validated_elements(body, limits.max_depth)
        if elements is not None:
            _check_sizes(body, len(elements), limits)
        return elements
    end = scan.object_end(body, limits.max_depth, b"template")
    return None if end < 0 or len(body) > limits.max_event_bytes else [body[:end]]


def _read(body: bytes, read: Callable[[bytes], T]) -> tuple[bytes, T]:
    """Return the body up to the end of its first value, and that value."""
    try:
        return body, read(body)
    except InvalidEvent as fault:
        shorter = _first_value(body, fault)
        return shorter, read(shorter)


def _first_value(body: bytes, fault: InvalidEvent) -> bytes:
    """Return the value that the body begins with; raise `fault` if there is none, or if nothing follows it."""
    try:
        shorter = strict.first_value(body)
    except InvalidEvent:
        raise fault from None
    if len(shorter) >= len(body.rstrip(_WHITE_SPACE)):
        raise fault from None
    return shorter


def _check_sizes(body: bytes, count: int, limits: Limits) -> None:
    limits.check_count(count, "events")
    if len(body) > limits.max_event_bytes * count and count:
        raise InvalidEvent(f"Size of one of events exceeds limit: {limits.max_event_bytes}")


def _events_of_array(body: bytes, elements: list[msgspec.Raw], limits: Limits) -> Sequence[bytes]:
    _check_sizes(body, len(elements), limits)
    index = strict.find_non_object(elements)
    if index is not None:
        raise InvalidEvent(f"event {index} is not an object")
    events = [*map(bytes, elements)]
    for event in events:
        strict.check_depth(event, limits.max_depth)
    return events


def _events_of_object(body: bytes, value: dict[str, Any], limits: Limits) -> Sequence[bytes]:
    if "template" in value:
        template, events = value["template"], value.get("events")
        if isinstance(template, dict) and isinstance(events, list) and all(isinstance(event, dict) for event in events):
            return _merged_events(body, limits)
    if len(body) > limits.max_event_bytes:
        raise InvalidEvent(f"Event size {len(body)} exceeds limit: {limits.max_event_bytes}")
    strict.check_depth(body, limits.max_depth)
    return [body.rstrip(_WHITE_SPACE)]


def _merged_events(body: bytes, limits: Limits) -> list[bytes]:
    try:
        templated = _split_templated(body)
    except msgspec.ValidationError as fault:  # a repeated key, of which one value has another type
        raise InvalidEvent(str(fault)) from None
    limits.check_count(len(templated.events), "events")
    copies = len(templated.events) * sum(len(key) + len(raw) for key, raw in templated.template.items())
    if copies + len(body) > limits.max_body_bytes:
        raise BatchTooLarge(f"the template makes more of the body than {limits.max_body_bytes} bytes")
    merged = [msgspec.json.encode({**event, **templated.template}) for event in templated.events]
    if any(len(event) > limits.max_event_bytes for event in merged):
        raise InvalidEvent(f"Size of one of events exceeds limit: {limits.max_event_bytes}")
    for event in merged:
        strict.check_depth(event, limits.max_depth)
    return merged
