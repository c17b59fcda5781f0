"""The header `traceparent` of the W3C's Trace Context: which trace a request belongs to, and whether that is recorded.

`tracestate` is not read: it is for whom a request goes on to, and requests end here.
"""

import re
from typing import NamedTuple

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.{0,400})?", re.ASCII)
_SAMPLED = 1


class TraceParent(NamedTuple):
    """The span of a client that a request belongs to, and whether the client records it."""

    trace_id: int
    span_id: int
    sampled: bool


def parse_trace_parent(text: str) -> TraceParent | None:
    """Return what a header says, or None if it is not valid."""
    found = _TRACEPARENT.fullmatch(text)
    if not found:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more):  # later versions may have more
        return None
    parent = TraceParent(int(trace_id, 16), int(span_id, 16), bool(int(flags, 16) & _SAMPLED))
    return parent if parent.trace_id and parent.span_id else None
