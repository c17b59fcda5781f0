"""Types that may be the names of collections: those of which a mask changes nothing."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from eventscache.event import Event
from eventscache.masking.mask import Mask
from eventscache.query.event_type import TypeOf

_PLACES = (("event_type",), ("type",), ("event",))
_CACHED_TYPES = 1024


def shown_types(type_of: TypeOf, mask: Mask, path: tuple[str, ...]) -> TypeOf:
    """Return what finds the type of an original as `type_of` does, but no text that the mask would change.

    `path` is where types are looked for besides. A storage would have such a text as the name of a collection.
    """
    is_shown = lru_cache(_CACHED_TYPES)(_test(mask, (*_PLACES, path) if path else _PLACES))

    def find(original: bytes) -> str:
        type_ = type_of(original)
        return type_ if type_ and is_shown(type_) else ""

    return find


def _test(mask: Mask, places: tuple[tuple[str, ...], ...]) -> Callable[[str], bool]:
    def is_shown(type_: str) -> bool:
        originals = [msgspec.json.encode(_nested(place, type_)) for place in places]
        return all(mask.masked(Event(original=original)).original == original for original in originals)

    return is_shown


def _nested(place: tuple[str, ...], type_: str) -> Any:
    value: Any = type_
    for name in reversed(place):
        value = {name: value}
    return value
