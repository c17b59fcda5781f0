"""Bodies of webhooks: whole events or records, one or an array of them."""

from collections.abc import Sequence

import msgspec

from eventscache.ingest import jitsu, native
from eventscache.ingest.json import go, strict
from eventscache.ingest.limits import Limits
from eventscache.ingest.parsed import MAX_ERRORS, Parsed
from eventscache.ingest.secret_half import without_halves
from eventscache.stream import Stream

_NO_STREAM = "the event is of no stream: the query has neither destination_id nor actor_id"


def parse(body: bytes, default: Stream | None, limits: Limits) -> Parsed:
    """Parse a body: an object whose `original` is an object is a record, and any other is a whole event.

    JSON is read as on Jitsu's routes, but that blanks may come first: a template of a body may begin with some. Raises
    as `jitsu.parse_events`. Whole events without a `default` stream are invalid. The others have their secret halves
    still: who takes them may ask for the key first.
    """
    events: list[bytes] = []
    records: list[bytes] = []
    # A record has a level around its original.
    whole = limits._replace(max_depth=limits.max_depth + 1)
    for item in jitsu.parse_events(body.strip(), whole, hides_secrets=False):
        if _is_record(item):
            records.append(item)
        else:
            strict.check_depth(item, limits.max_depth)
            events.append(item)
    parsed = native.parse_json(b"[%b]" % b",".join(records), default, limits) if records else Parsed()
    return (
        msgspec.structs.replace(parsed, originals=events) if default or not events else _without_stream(parsed, events)
    )


def _is_record(item: bytes) -> bool:
    return b'"original"' in item and isinstance(go.read(item).value.get("original"), dict)


def _without_stream(parsed: Parsed, events: Sequence[bytes]) -> Parsed:
    """Return what was parsed, with whole events as invalid ones."""
    invalid = [*parsed.invalid, *map(without_halves, events[:MAX_ERRORS])][:MAX_ERRORS]
    errors = [*parsed.errors, *((index, _NO_STREAM) for index in range(len(events)))]
    omitted = parsed.errors_omitted + max(0, len(errors) - MAX_ERRORS)
    return msgspec.structs.replace(parsed, errors=errors[:MAX_ERRORS], errors_omitted=omitted, invalid=invalid)
