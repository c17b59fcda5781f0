"""Formats: the parser for each kind of body. A new format is one module and one entry here."""

from collections.abc import Mapping
from typing import Final

from eventscache.ingest import jitsu, jitsu2, native, segment, webhook
from eventscache.ingest.parsed import Parser

NDJSON: Final = "application/x-ndjson"

NATIVE: Final[Mapping[str, Parser]] = {
    "application/json": native.parse_json,
    NDJSON: native.parse_ndjson,
    "application/msgpack": native.parse_msgpack,
    "application/x-msgpack": native.parse_msgpack,
}
"""Native records, by the content type of the body."""

JITSU: Final[Parser] = jitsu.parse
"""Jitsu's plain bodies, whatever their content type: browsers' beacons send JSON as `text/plain`."""

SEGMENT: Final[Parser] = segment.parse
"""The bodies of Segment's clients, whatever their content type."""

JITSU2_EVENT: Final[Parser] = jitsu2.parse_event
JITSU2_BATCH: Final[Parser] = jitsu2.parse_batch
"""Jitsu 2's bodies, and those of Segment's libraries: one event, and `{"batch": [...]}`."""

WEBHOOK: Final[Parser] = webhook.parse
"""What Jitsu's webhooks send, whatever its content type: whole events, and records."""

PARSERS: Final = (*dict.fromkeys(NATIVE.values()), JITSU, JITSU2_EVENT, JITSU2_BATCH, SEGMENT, WEBHOOK)
"""All of them, each once."""
