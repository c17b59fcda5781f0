"""Jitsu's own ingestion bodies: one event, an array of events, or a template with events."""

from typing import Any

import msgspec

from eventscache.errors import InvalidEvent
from eventscache.ingest import strict
from eventscache.ingest.limits import BatchTooLarge, Limits

_WHITE_SPACE = b" \t\r\n"


class _Templated(msgspec.Struct):
    template: dict[str, msgspec.Raw]
    events: list[dict[str, msgspec.Raw]]


_split_templated = msgspec.json.Decoder(_Templated).decode


def parse_events(body: bytes, limits: Limits) -> list[bytes]:
    """Return the events of a body, byte for byte, as Jitsu would take them.

    The first byte decides; what follows the first value is ignored. In `{"template": {}, "events": [{}]}` the
    template's keys win over the event's, and if an element is no object, the whole is one plain event. Raises
    `InvalidEvent` for what Jitsu refuses, and `BatchTooLarge`.
    """
    if not body.strip():
        raise InvalidEvent("empty JSON body")
    if body[0] not in b"{[":
        start = body[:1].decode(errors="backslashreplace")
        raise InvalidEvent(f'malformed JSON body begins with: "{start}"')
    read = strict.split_array if body[:1] == b"[" else strict.decode
    try:
        value = read(body)
    except InvalidEvent as fault:
        try:
            shorter = strict.first_value(body)
        except InvalidEvent:
            raise fault from None
        if len(shorter) >= len(body.rstrip(_WHITE_SPACE)):
            raise fault from None
        body, value = shorter, read(shorter)
    events = (
        _events_of_array(body, value, limits) if isinstance(value, list) else _events_of_object(body, value, limits)
    )
    for event in events:
        strict.check_depth(event, limits.max_depth)
    return events


def _events_of_array(body: bytes, elements: list[msgspec.Raw], limits: Limits) -> list[bytes]:
    limits.check_count(len(elements), "events")
    if len(body) > limits.max_event_bytes * len(elements) and elements:
        raise InvalidEvent(f"Size of one of events exceeds limit: {limits.max_event_bytes}")
    events = [bytes(element) for element in elements]
    for place, event in enumerate(events):
        if not isinstance(strict.decode(event), dict):
            raise InvalidEvent(f"event {place} is not an object")
    return events


def _events_of_object(body: bytes, value: dict[str, Any], limits: Limits) -> list[bytes]:
    template, events = value.get("template"), value.get("events")
    if isinstance(template, dict) and isinstance(events, list) and all(isinstance(event, dict) for event in events):
        return _merged_events(body, limits)
    if len(body) > limits.max_event_bytes:
        raise InvalidEvent(f"Event size {len(body)} exceeds limit: {limits.max_event_bytes}")
    return [body.rstrip(_WHITE_SPACE)]


def _merged_events(body: bytes, limits: Limits) -> list[bytes]:
    try:
        templated = _split_templated(body)
    except msgspec.ValidationError as fault:  # a key that stands twice, once as something else
        raise InvalidEvent(str(fault)) from None
    limits.check_count(len(templated.events), "events")
    copies = len(templated.events) * sum(len(key) + len(raw) for key, raw in templated.template.items())
    if copies + len(body) > limits.max_body_bytes:
        raise BatchTooLarge(f"the template makes more of the body than {limits.max_body_bytes} bytes")
    merged = [msgspec.json.encode({**event, **templated.template}) for event in templated.events]
    if any(len(event) > limits.max_event_bytes for event in merged):
        raise InvalidEvent(f"Size of one of events exceeds limit: {limits.max_event_bytes}")
    return merged
