"""Bodies of webhooks: whole events or records, one or an array of them."""

from collections.abc import Iterator, Sequence

from eventscache.ingest import jitsu, native
from eventscache.ingest.json import go, strict
from eventscache.ingest.limits import Limits
from eventscache.ingest.parsed import Parsed
from eventscache.stream import Stream


def parse(body: bytes, default: Stream | None, limits: Limits) -> Parsed:
    """Parse a body: an object whose `original` is an object is a record, and any other is a whole event.

    All are records of what is returned, in their order; a whole event is one of which only the original is known.
    JSON is read as on Jitsu's routes, but that blanks may come first, as a template of a body may begin with some, and
    that an object with `template` and `events` is an event like any other. Raises as `jitsu.parse_events`. Whole events
    without a `default` stream are invalid. The others have their secret halves still: who takes them may ask for the
    key first.
    """
    # A record has a level around its original.
    around = limits._replace(max_depth=limits.max_depth + 1)
    items = jitsu.parse_events(body.strip(), around, templates=False, hides_secrets=False)
    return native.parse_items(_items(items, limits), default, limits, len(items))


def _items(items: Sequence[bytes], limits: Limits) -> Iterator[native.Row | bytes]:
    for item in items:
        if _is_record(item):
            yield item
        else:
            strict.check_depth(item, limits.max_depth)
            yield native.whole_event(item)


def _is_record(item: bytes) -> bool:
    return b'"original"' in item and isinstance(go.read(item).value.get("original"), dict)
