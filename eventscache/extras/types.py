"""The last events of each event type, whatever else floods the stream."""

import hashlib
from functools import lru_cache
from typing import Final

TYPE: Final = "type"
"""The kind of these extra collections."""
MOST_TYPES: Final = 50
"""Of how many types a stream keeps the last events: those that came last."""
_LONGEST_LABEL = 100
_CACHED_TYPES = 1024


@lru_cache(_CACHED_TYPES)
def type_extras(type_: str) -> tuple[str, ...]:
    """Return the extra collections of an event with this type: one, or none without a type."""
    return (type_collection(type_),) if type_ else ()


def type_collection(type_: str) -> str:
    """Return the name of the extra collection of a type; a long type has a digest for its end."""
    if len(type_) > _LONGEST_LABEL:
        digest = hashlib.sha256(type_.encode(errors="surrogatepass")).hexdigest()[:32]
        type_ = f"{type_[:_LONGEST_LABEL]}:{digest}"
    return f"{TYPE}:{type_}"
