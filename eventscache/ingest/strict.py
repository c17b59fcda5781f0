"""Strict JSON: what passes here, every reader of an answer can read."""

import json
import re
from itertools import accumulate
from typing import Any

import msgspec

from eventscache.errors import InvalidEvent

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
    except msgspec.MsgspecError as fault:
        raise InvalidEvent(str(fault)) from None
    except UnicodeDecodeError as fault:
        raise InvalidEvent(f"invalid UTF-8 ({fault.reason})") from None
    except RecursionError:
        raise InvalidEvent("nested too deeply") from None


def check_depth(data: bytes, max_depth: int) -> None:
    """Raise `InvalidEvent` if valid JSON is nested deeper than allowed."""
    if data.count(b"[") + data.count(b"{") <= max_depth:
        return
    brackets = _STRING.sub(b"", data).translate(None, _NO_BRACKETS)
    if max(accumulate(map(_STEPS.__getitem__, brackets))) > max_depth:
        raise InvalidEvent(f"nested deeper than {max_depth} levels")


def first_value(data: bytes) -> bytes:
    """Return the first JSON value of data that begins with one; raise `InvalidEvent` if there is none."""
    try:
        text = data.decode()
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError) as fault:
        raise InvalidEvent(str(fault)) from None
    return text[:end].encode()


def count_elements(array: bytes) -> int:
    """Return how many elements a JSON array has, before any of them is built; 0 if it is no valid array."""
    try:
        return len(_split_array(array))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return 0
