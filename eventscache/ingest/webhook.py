"""Bodies of webhooks: whole events or records, one or an array of them."""

from collections.abc import Iterator, Sequence

import msgspec

from eventscache.ingest import jitsu, native
from eventscache.ingest.json import go, strict
from eventscache.ingest.limits import Limits
from eventscache.ingest.parsed import Parsed
from eventscache.ingest.secret_half import without_halves
from eventscache.stream import Stream

_NULL = msgspec.Raw(b"null")


class _Members(msgspec.Struct):
    original: msgspec.Raw = _NULL
    api_key: msgspec.Raw = _NULL


_read = msgspec.json.Decoder(_Members).decode


def parse(body: bytes, default: Stream | None, limits: Limits) -> Parsed:
    """Parse a body: an object whose `original` is an object is a record, and any other is a whole event.

    All are records of what is returned, in their order; a whole event is one of which only the original is known.
    JSON is read as on Jitsu's routes, but that blanks may come first, as a template of a body may begin with some, and
    that an object with `template` and `events` is an event like any other. Raises as `jitsu.parse_events`. Whole events
    without a `default` stream are invalid. The keys by which Jitsu received the events, which it puts into them, are
    `write_keys` of what is returned, and their secret halves are hidden.
    """
    # A record has a level around its original.
    around = limits._replace(max_depth=limits.max_depth + 1)
    items = jitsu.parse_events(body.strip(), around, templates=False, hides_secrets=False)
    return native.parse_items(_items(items, limits), default, limits, [*map(_write_key, items)])


def _items(items: Sequence[bytes], limits: Limits) -> Iterator[native.Row | bytes]:
    for item in items:
        if _is_record(item):
            yield item
        else:
            strict.check_depth(item, limits.max_depth)
            yield native.whole_event(without_halves(item))


def _is_record(item: bytes) -> bool:
    return b'"original"' in item and isinstance(go.read(item).value.get("original"), dict)


def _write_key(item: bytes) -> str:
    """Return the API key by which Jitsu received an event or the original of a record; an empty text if it has none."""
    if b'"api_key"' not in item:
        return ""
    named = _members(item)
    if bytes(named.original).startswith(b"{"):
        named = _members(bytes(named.original))
    value = bytes(named.api_key)
    return go.text_of(value) if value.startswith(b'"') else ""


def _members(data: bytes) -> _Members:
    try:
        return _read(data)
    except msgspec.DecodeError:  # such as half of a surrogate pair
        found = {go.text_of(name): msgspec.Raw(value) for name, value in strict.members(data)}
        return _Members(found.get("original", _NULL), found.get("api_key", _NULL))
