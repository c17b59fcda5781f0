"""Bodies of webhooks: whole events or records, one, an array of them, or several values behind one another."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec

from eventscache.errors import InvalidEvent
from eventscache.ingest import jitsu, native
from eventscache.ingest.json import go, scan, strict
from eventscache.ingest.limits import Limits
from eventscache.ingest.parsed import Parsed
from eventscache.ingest.secret_half import SecretHalf, keys_named_in, secret_half, without_halves
from eventscache.stream import Stream

_NULL = msgspec.Raw(b"null")
_BLANKS = " \t\r\n"
_LINE_BREAK = b"\n"
HalfOf = Callable[..., SecretHalf | None]
"""Finds the secret halves of the write keys that an event names, and of what else they are known to belong to."""


class _Members(msgspec.Struct):
    original: msgspec.Raw = _NULL
    api_key: msgspec.Raw = _NULL


_read = msgspec.json.Decoder(_Members).decode


class _Item(NamedTuple):
    """A value of a body, which is to be an object; `is_safe` tells that no name in it has a secret half."""

    data: bytes
    is_object: bool = True
    is_safe: bool = False


def parse(body: bytes, default: Stream | None, limits: Limits, half_of: HalfOf = secret_half) -> Parsed:
    """Parse a body: an object whose `original` is an object is a record, and any other is a whole event.

    All are records of what is returned, in their order; a whole event is one of which only the original is known.
    JSON is read as on Jitsu's routes, but that blanks may come first, as a template of a body may begin with some, and
    that an object with `template` and `events` is an event like any other. Several values may follow one another, as
    lines do: all of them count. What is no object among others that are, or cannot be read behind them, is an error of
    its own; without any object it raises as `jitsu.parse_events`. Whole events without a `default` stream are invalid.
    The keys by which Jitsu received the events, which it puts into them, are `write_keys` of what is returned. The
    secret halves of these, and of others that an event names as a write key, are hidden in all of it.
    """
    # A record has a level around its original.
    items = _items(body.strip(), limits._replace(max_depth=limits.max_depth + 1))
    keys = [*map(_write_key, items)]
    halves = [_half(item, key, half_of) for item, key in zip(items, keys, strict=True)]
    return native.parse_items(_records(items, limits), default, limits, keys, halves)


def _items(body: bytes, limits: Limits) -> Sequence[_Item]:
    limits.check_values(body)
    if len(body) <= limits.max_event_bytes and scan.object_end(body, limits.max_depth) >= 0:
        return [_Item(body, is_safe=True)]
    if body.startswith(b"[") and (elements := scan.validated_elements(body, limits.max_depth)) is not None:
        jitsu.check_sizes(len(body), len(elements), limits)
        return [_Item(element, is_safe=True) for element in elements]
    values = _values(body, limits) if body.startswith((b"{", b"[")) else ()
    items = [*islice(values, limits.max_batch + 1)]
    limits.check_count(len(items), "events")
    if len(items) > 1 and any(item.is_object for item in items):
        jitsu.check_sizes(len(body), len(items), limits)
        return items
    events = jitsu.parse_events(body, limits, templates=False, hides_secrets=False)
    return items if len(items) > len(events) else [*map(_Item, events)]


def _values(body: bytes, limits: Limits) -> Iterator[_Item]:
    """Yield the values of a body, and those of each array among them, as far as it can be read; then its lines."""
    text = body.decode("latin-1")  # a character for each byte
    at = 0
    while at < len(text):
        line = body[at : _end_of_line(body, at)] if at == 0 or text[at - 1] == "\n" else b""
        if line and scan.object_end(line, limits.max_depth) >= 0:
            yield _Item(line.rstrip(), is_safe=True)
            at += len(line)
        else:
            try:
                value, end = strict.first_value(text, at)
            except (ValueError, RecursionError):
                break
            yield from _objects(body, text, at, end, in_array=isinstance(value, list))
            at = end
        at = _behind_blanks(text, at)
    if at or _may_be_lines(body):
        yield from _lines(body[at:], limits)


def _end_of_line(body: bytes, at: int) -> int:
    end = body.find(_LINE_BREAK, at)
    return len(body) if end < 0 else end


def _behind_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    return at


def _objects(body: bytes, text: str, start: int, end: int, *, in_array: bool) -> Iterator[_Item]:
    """Yield a value that is at a place, or the elements of the array that is there."""
    for first, last in strict.spans(text, start) if in_array else ((start, end),):
        data = go.repaired(body[first:last])
        yield _Item(data, is_object=data.startswith(b"{"))


def _may_be_lines(body: bytes) -> bool:
    """Whether a body that cannot be read from its start may be objects on lines, and not one with line breaks."""
    return _LINE_BREAK in body and all(line.startswith(b"{") for line in body.split(_LINE_BREAK) if line.strip())


def _lines(body: bytes, limits: Limits) -> Iterator[_Item]:
    """Yield the object of each line, or the line as it is if it has none: no line is read again with the next one."""
    for line in map(bytes.strip, body.split(_LINE_BREAK)):
        if line:
            is_safe = scan.object_end(line, limits.max_depth) >= 0
            yield _Item(line, is_object=is_safe or _is_one_object(line), is_safe=is_safe)


def _is_one_object(line: bytes) -> bool:
    try:
        return isinstance(strict.decode(line), dict)
    except InvalidEvent:
        return False


def _records(items: Sequence[_Item], limits: Limits) -> Iterator[native.Row | bytes | InvalidEvent]:
    for data, is_object, is_safe in items:
        if not is_object or _is_record(data):
            yield data
            continue
        try:
            strict.check_depth(data, limits.max_depth)
            yield native.whole_event(data if is_safe else without_halves(data))
        except InvalidEvent as fault:
            if len(items) == 1:
                raise
            yield fault


def _is_record(item: bytes) -> bool:
    return b'"original"' in item and isinstance(go.read(item).value.get("original"), dict)


def _write_key(item: _Item) -> str:
    """Return the API key by which Jitsu received an event or the original of a record; an empty text if it has none."""
    if not item.is_object or b'"api_key"' not in item.data:
        return ""
    named = _members(item.data)
    if bytes(named.original).startswith(b"{"):
        named = _members(bytes(named.original))
    value = bytes(named.api_key)
    return go.text_of(value) if value.startswith(b'"') else ""


def _half(item: _Item, write_key: str, half_of: HalfOf) -> SecretHalf | None:
    """Return what finds the halves of all write keys that an event names."""
    named = () if item.is_safe else keys_named_in(item.data)
    return half_of(write_key, *named) if write_key or named else None


def _members(data: bytes) -> _Members:
    try:
        return _read(data)
    except msgspec.DecodeError:  # such as half of a surrogate pair
        found = {go.text_of(name): msgspec.Raw(value) for name, value in strict.members(data)}
        return _Members(found.get("original", _NULL), found.get("api_key", _NULL))
