"""The last events of each event type, whatever else floods the stream."""

import hashlib
from functools import lru_cache
from typing import Final

from eventscache.query.event_type import event_type

TYPE: Final = "type"
"""The kind of these extra collections."""
MOST_TYPES: Final = 50
"""Of how many types a stream keeps the last events: those that came last."""
_LONGEST_LABEL = 100
_CACHED_TYPES = 1024


def type_extras(original: bytes) -> tuple[str, ...]:
    """Return the extra collections of an original by its type: one or none."""
    return _extras_of(event_type(original))


@lru_cache(_CACHED_TYPES)
def _extras_of(type_: str) -> tuple[str, ...]:
    return (type_collection(type_),) if type_ else ()


def type_collection(type_: str) -> str:
    """Return the name of the extra collection of a type; a long type has a digest for its end."""
    if len(type_) > _LONGEST_LABEL:
        digest = hashlib.sha256(type_.encode(errors="surrogatepass")).hexdigest()[:32]
        type_ = f"{type_[:_LONGEST_LABEL]}:{digest}"
    return f"{TYPE}:{type_}"
