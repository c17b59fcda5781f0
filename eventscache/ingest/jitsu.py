"""Jitsu's own ingestion bodies: one event, an array of events, or a template with events."""

from typing import Any

import msgspec

from eventscache.errors import InvalidEvent
from eventscache.ingest import strict
from eventscache.ingest.limits import BatchTooLarge, Limits

_WHITE_SPACE = b" \t\r\n"
_split_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_split_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


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
    if body[:1] == b"[":
        _check_count(strict.count_elements(body), limits)
    try:
        value = strict.decode(body)
    except InvalidEvent as fault:
        try:
            shorter = strict.first_value(body)
        except InvalidEvent:
            raise fault from None
        if len(shorter) >= len(body.rstrip(_WHITE_SPACE)):
            raise fault from None
        body, value = shorter, strict.decode(shorter)
    events = (
        _events_of_array(body, value, limits) if isinstance(value, list) else _events_of_object(body, value, limits)
    )
    for event in events:
        strict.check_depth(event, limits.max_depth)
    return events


def _events_of_array(body: bytes, value: list[Any], limits: Limits) -> list[bytes]:
    _check_count(len(value), limits)
    for place, event in enumerate(value):
        if not isinstance(event, dict):
            raise InvalidEvent(f"event {place} is not an object")
    if len(body) > limits.max_event_bytes * len(value) and value:
        raise InvalidEvent(f"Size of one of events exceeds limit: {limits.max_event_bytes}")
    return [bytes(event) for event in _split_array(body)]


def _events_of_object(body: bytes, value: dict[str, Any], limits: Limits) -> list[bytes]:
    template, events = value.get("template"), value.get("events")
    if isinstance(template, dict) and isinstance(events, list) and all(isinstance(event, dict) for event in events):
        _check_count(len(events), limits)
        try:
            templated = _split_templated(body)
        except msgspec.ValidationError as fault:  # a key that stands twice, once as something else
            raise InvalidEvent(str(fault)) from None
        copies = len(events) * sum(len(raw) + len(key) for key, raw in templated.template.items())
        if copies + len(body) > limits.max_body_bytes:
            raise BatchTooLarge(f"the template makes more of the body than {limits.max_body_bytes} bytes")
        merged = [msgspec.json.encode({**event, **templated.template}) for event in templated.events]
        if any(len(event) > limits.max_event_bytes for event in merged):
            raise InvalidEvent(f"Size of one of events exceeds limit: {limits.max_event_bytes}")
        return merged
    if len(body) > limits.max_event_bytes:
        raise InvalidEvent(f"Event size {len(body)} exceeds limit: {limits.max_event_bytes}")
    return [body.rstrip(_WHITE_SPACE)]


def _check_count(count: int, limits: Limits) -> None:
    if count > limits.max_batch:
        raise BatchTooLarge(f"{count} events in one body; at most {limits.max_batch} are allowed")
