"""Jitsu's own ingestion bodies: one event, an array of events, or a template with events."""

from collections.abc import Mapping, Sequence
from typing import Any

from eventscache.errors import InvalidEvent
from eventscache.ingest.json import go, scan, strict
from eventscache.ingest.limits import BatchTooLarge, Limits
from eventscache.ingest.parsed import Parsed
from eventscache.ingest.secret_half import without_halves
from eventscache.ingest.template import Template
from eventscache.stream import Stream


def parse(body: bytes, _: Stream | None, limits: Limits) -> Parsed:
    """Parse a body; all its events are originals of the default stream. Raises as `parse_events`."""
    return Parsed(parse_events(body, limits))


def parse_events(body: bytes, limits: Limits, *, templates: bool = True, hides_secrets: bool = True) -> Sequence[bytes]:
    """Return the events of a body as Jitsu would take them; each may be cut out of it when it is read.

    They are as they came, byte for byte, but that each byte in a text that is not UTF-8 is U+FFFD, as Go reads it, and
    that secret halves are hidden, as `without_halves` does, unless the caller wants to see them.

    The first byte decides between object and array; what follows the first value is ignored. In
    `{"template": {}, "events": [{}]}` the template's keys win over the event's, and if an element is not an object,
    the whole is one plain event; without `templates` it always is. Raises `InvalidEvent` with Jitsu's words for what
    Jitsu rejects, and `BatchTooLarge`.
    """
    is_object = body.startswith(b"{")
    if is_object and len(body) > limits.max_event_bytes:
        raise InvalidEvent(f"Event size {len(body)} exceeds limit: {limits.max_event_bytes}")
    limits.check_values(body)
    if is_object:
        end = scan.object_end(body, limits.max_depth, b"template" if templates else b"")
        if end >= 0:
            return [body[:end]]
    elif (events := _validated_elements(body, limits)) is not None:
        return events
    if hides_secrets and (hidden := without_halves(body)) is not body:
        return parse_events(hidden, limits, templates=templates, hides_secrets=False)
    if is_object:
        return _events_of_object(*_read(body), limits, templates=templates)
    if body.startswith(b"["):
        value, data = _read(body)
        return _events_of_array(body, value, data, limits)
    if not body:
        raise InvalidEvent("empty JSON body")
    raise InvalidEvent(f"malformed JSON body begins with: {go.quoted(chr(body[0]))}")


def _validated_elements(body: bytes, limits: Limits) -> Sequence[bytes] | None:
    """Return the events of an array that the fast scan found valid; None if the slower reader must decide."""
    elements = scan.validated_elements(body, limits.max_depth) if body.startswith(b"[") else None
    if elements is not None:
        check_sizes(len(body), len(elements), limits)
    return elements


def _read(body: bytes) -> go.Read:
    try:
        return go.read(body)
    except InvalidEvent as fault:
        raise _unreadable(str(fault)) from None


def _unreadable(reason: str) -> InvalidEvent:
    return InvalidEvent(f"error parsing HTTP body: {reason}")


def _check_depth(data: bytes, limits: Limits) -> None:
    try:
        strict.check_depth(data, limits.max_depth)
    except InvalidEvent as fault:
        raise _unreadable(str(fault)) from None


def check_sizes(array_bytes: int, count: int, limits: Limits) -> None:
    """Raise `BatchTooLarge` for too many events, and `InvalidEvent` if one of them must be too large."""
    limits.check_count(count, "events")
    if array_bytes > limits.max_event_bytes * count and count:
        raise InvalidEvent(f"Size of one of events exceeds limit: {limits.max_event_bytes}")


def _events_of_array(body: bytes, value: list[Any], data: bytes, limits: Limits) -> Sequence[bytes]:
    limits.check_count(len(value), "events")
    for index, element in enumerate(value):
        if type(element) is not dict:
            raise _unreadable(_no_object(index, _elements(data)[index]))
    check_sizes(len(body), len(value), limits)
    events = _elements(data)
    for event in events:
        _check_depth(event, limits)
    return events


def _no_object(index: int, element: bytes) -> str:
    """Return what Go says of an event that is no object. Jitsu takes null, and fails later."""
    if element == b"null":
        return f"event {index} is null, and not an object"
    return f"json: cannot unmarshal {go.kind_of(element)} into Go value of type events.Event"


def _elements(data: bytes) -> list[bytes]:
    """Return the elements of a valid JSON array, byte for byte."""
    return [data[start:end] for start, end in strict.spans(data.decode("latin-1"), 0)]


def _events_of_object(value: dict[str, Any], data: bytes, limits: Limits, *, templates: bool) -> Sequence[bytes]:
    if templates and _is_template(value):
        fields = {go.text_of(name): content for name, content in strict.members(data)}
        return _merged_events(fields["template"], _elements(fields["events"]), limits)
    _check_depth(data, limits)
    return [data]


def _is_template(value: Mapping[str, Any]) -> bool:
    events = value.get("events")
    return (
        isinstance(value.get("template"), dict)
        and isinstance(events, list)
        and all(isinstance(event, dict) for event in events)
    )


def _merged_events(template: bytes, events: list[bytes], limits: Limits) -> list[bytes]:
    """Return the events with the members of the template in place of their own of the same names."""
    limits.check_count(len(events), "events")
    if len(events) * len(template) + sum(map(len, events)) > limits.max_body_bytes:
        raise BatchTooLarge(f"the template makes more of the body than {limits.max_body_bytes} bytes")
    for part in (template, *events):
        _check_depth(part, limits)
    added = Template(template)
    return [added.merged(event) for event in events]
