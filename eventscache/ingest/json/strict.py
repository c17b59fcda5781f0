"""Strict JSON: what passes here, every reader of an answer can read."""

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
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def decode(data: bytes) -> Any:
    """Return the value of JSON that is valid UTF-8, has numbers that fit and no lone surrogates.

    Raises `InvalidEvent` with the reason; also for what is nested so deeply that no reader could follow.
    """
    try:
        return _decode(data)
    except _FAULTS as fault:
        raise _explained(fault) from None


def split_array(data: bytes) -> list[msgspec.Raw]:
    """Return the elements of a JSON array, not yet decoded: only the syntax has been checked. Raises `InvalidEvent`.

    A large body is decoded element by element: all its objects at once would cost much memory, and time for it.
    """
    try:
        return _split_array(data)
    except _FAULTS as fault:
        raise _explained(fault) from None


def find_other(elements: Iterable[msgspec.Raw]) -> int | None:
    """Return the place of the first element that is no object; raise as `decode` if one before it is not valid."""
    try:
        for place, element in enumerate(elements):
            if type(_decode(element)) is not dict:
                return place
    except _FAULTS as fault:
        raise _explained(fault) from None
    return None


def _explained(fault: Exception) -> InvalidEvent:
    if isinstance(fault, UnicodeDecodeError):
        return InvalidEvent(f"invalid UTF-8 ({fault.reason})")
    return InvalidEvent("nested too deeply" if isinstance(fault, RecursionError) else str(fault))


def check_depth(data: bytes, max_depth: int) -> None:
    """Raise `InvalidEvent` if valid JSON is nested deeper than allowed."""
    if data.count(b"[") + data.count(b"{") <= max_depth:
        return
    brackets = _STRING.sub(b"", data).translate(None, _NO_BRACKETS)
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
