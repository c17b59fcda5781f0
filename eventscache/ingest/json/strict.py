"""Strict JSON: what passes here can be read by every JSON parser."""

import json
import re
from collections.abc import Iterable
from itertools import accumulate
from typing import Any

import msgspec

from eventscache.errors import InvalidEvent

_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_decode = msgspec.json.Decoder().decode
_split_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_OTHER_BYTES = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def decode(data: bytes) -> Any:
    """Return the value of JSON that is valid UTF-8, with numbers that fit a double and no lone surrogates.

    Raises `InvalidEvent` with the reason; also for JSON that is nested too deeply for a parser's stack.
    """
    try:
        return _decode(data)
    except _FAULTS as fault:
        raise _invalid(fault) from None


def split_array(data: bytes) -> list[msgspec.Raw]:
    """Return the elements of a JSON array, not decoded: only the syntax is checked. Raises `InvalidEvent`.

    The caller decodes element by element: the objects of a large body, all at once, would take much memory and time.
    """
    try:
        return _split_array(data)
    except _FAULTS as fault:
        raise _invalid(fault) from None


def find_non_object(elements: Iterable[msgspec.Raw]) -> int | None:
    """Return the index of the first element that is not an object; raise as `decode` if one before it is invalid."""
    try:
        for index, element in enumerate(elements):
            if type(_decode(element)) is not dict:
                return index
    except _FAULTS as fault:
        raise _invalid(fault) from None
    return None


def _invalid(fault: Exception) -> InvalidEvent:
    if isinstance(fault, UnicodeDecodeError):
        return InvalidEvent(f"invalid UTF-8 ({fault.reason})")
    return InvalidEvent("nested too deeply" if isinstance(fault, RecursionError) else str(fault))


def check_depth(data: bytes, max_depth: int) -> None:
    """Raise `InvalidEvent` if valid JSON has more than `max_depth` levels."""
    if data.count(b"[") + data.count(b"{") <= max_depth:
        return
    brackets = _STRING.sub(b"", data).translate(None, _OTHER_BYTES)
    if max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) > max_depth:
        raise InvalidEvent(f"nested deeper than {max_depth} levels")


def first_value(data: bytes) -> bytes:
    """Return the first JSON value of data that begins with one; raise `InvalidEvent` if there is none."""
    try:
        text = data.decode()
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError) as fault:
        raise InvalidEvent(str(fault)) from None
    return text[:end].encode()
