"""Jitsu 2's tracking pixel: an event out of a query."""

import base64
import binascii
import json
from collections.abc import Iterable
from typing import Final

from eventscache.errors import InvalidEvent
from eventscache.ingest.jitsu2 import parse_event
from eventscache.ingest.json import go, strict
from eventscache.ingest.limits import Limits
from eventscache.ingest.secret_half import without_halves

_DATA: Final = "data"
_NO_FIELDS: Final = frozenset({_DATA, "writekey", "cookie_domain", "process_headers", "destination_url"})

_Tree = dict[str, "bytes | _Tree"]
"""An object by the names of its members; an object in it that was looked into is a tree too, else it is bytes."""


def pixel_event(pairs: Iterable[tuple[str, str]], limits: Limits) -> bytes:
    """Return the event of a pixel: the object in `data`, in base64, with the other parameters as its fields.

    A name is a path (`user.id`), a repeated parameter is an array, and every value is a text. What is in `data` stays
    byte for byte where no parameter replaces it, but that secret halves of write keys are hidden. The key is no field.
    Raises `InvalidEvent`.
    """
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(_whole(name), []).append(_whole(value))
    event = _decoded(fields[_DATA][0], limits) if fields.get(_DATA, [""])[0] else b"{}"
    others = {name: values for name, values in fields.items() if name not in _NO_FIELDS}
    if others:
        tree: _Tree = _opened(event)
        for name, values in others.items():
            _set(tree, name.split("."), _encoded(values[0] if len(values) == 1 else values), limits)
        event = without_halves(_closed(tree))
    if len(event) > limits.max_event_bytes:
        raise InvalidEvent(f"Event size {len(event)} exceeds limit: {limits.max_event_bytes}")
    strict.check_depth(event, limits.max_depth)
    return event


def _whole(text: str) -> str:
    """Return a text with U+FFFD for what was not UTF-8."""
    return go.whole_characters(text)


def _encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def sent_data(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Return what a pixel has in `data`: decoded, or as it was sent where it is not base64."""
    text = next((_whole(value) for name, value in pairs if name == _DATA), "").encode()
    try:
        return _from_base64(text)
    except InvalidEvent:
        return text


def _from_base64(data: bytes) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidEvent('Error decoding event from "data" field in tracking pixel: not base64') from None


def _decoded(data: str, limits: Limits) -> bytes:
    body = _from_base64(data.encode())
    try:
        return parse_event(body, None, limits).originals[0]
    except InvalidEvent as fault:
        raise InvalidEvent(f'Error unmarshalling event from "data": {fault}') from None


def _opened(data: bytes) -> _Tree:
    return {go.text_of(name): value for name, value in strict.members(data)}


def _set(tree: _Tree, path: list[str], value: bytes, limits: Limits) -> None:
    """Put a value at a path; what is on the way and no object is replaced by one."""
    if len(path) > limits.max_depth:
        raise InvalidEvent(f"nested deeper than {limits.max_depth} levels")
    for name in path[:-1]:
        inner = tree.get(name, b"")
        if not isinstance(inner, dict):
            inner = tree[name] = _opened(inner) if inner.startswith(b"{") else {}
        tree = inner
    tree[path[-1]] = value


def _closed(tree: _Tree) -> bytes:
    members = (
        _encoded(name) + b":" + (_closed(value) if isinstance(value, dict) else value) for name, value in tree.items()
    )
    return b"{%b}" % b",".join(members)
