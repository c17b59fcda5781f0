"""The type of an event: what kind of thing happened."""

from collections.abc import Callable
from typing import Final

import msgspec

from eventscache.ingest.json import scan
from eventscache.query.members import any_value, decoded, name_or_number

TypeOf = Callable[[bytes], str]
"""Returns the type of an original; an empty text if it has none."""

_LEVELS: Final = 512
_TRACK: Final = "track"  # of Segment: the kind of call; what happened is in `event`


class _Typed(msgspec.Struct):
    """Any JSON, since one that is no text is as if it were not there."""

    event_type: msgspec.Raw = msgspec.Raw()
    type: msgspec.Raw = msgspec.Raw()
    event: msgspec.Raw = msgspec.Raw()


_typed = msgspec.json.Decoder(_Typed).decode
_text = msgspec.json.Decoder(str).decode


def event_type(original: bytes) -> str:
    """Return the type of an original: Jitsu's `event_type`, or else Segment's `event` of a `track`, or its `type`.

    An empty text if it has none, or is no JSON object. Of a name that is repeated the first value counts.
    """
    found = scan.string_member(original, _LEVELS, b"event_type")
    if found:
        return found
    if found is None:  # unusual, or the module in C is missing
        return _slowly(original)
    kind = scan.string_member(original, _LEVELS, b"type")
    if kind and kind != _TRACK:
        return kind
    event = scan.string_member(original, _LEVELS, b"event")
    return _slowly(original) if kind is None or event is None else event or kind


def event_type_at(path: tuple[str, ...]) -> TypeOf:
    """Return what finds the type of an original at a path if a text or a number is there, else as `event_type`."""

    def found_at(original: bytes) -> str:
        texts: list[str] = []

        def note(value: bytes | msgspec.Raw) -> bool:
            texts.append(name_or_number(value))
            return bool(texts[-1])

        return texts[-1] if any_value(original, path, note) else event_type(original)

    return found_at


def _slowly(original: bytes) -> str:
    typed = decoded(_typed, original)
    if typed is None:
        return ""
    found, kind, event = (_as_text(value) for value in (typed.event_type, typed.type, typed.event))
    return found or (event if kind == _TRACK and event else kind or event)


def _as_text(value: msgspec.Raw) -> str:
    return decoded(_text, value) or "" if bytes(value) else ""
