"""Strict JSON: what passes here, every reader of an answer can read."""

import json
import re
from collections.abc import Callable
from itertools import accumulate
from typing import Any, TypeVar

import msgspec

from eventscache.errors import InvalidEvent

_T = TypeVar("_T")

_decode = msgspec.json.Decoder().decode
_split_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def decode(data: bytes) -> Any:
    """Return the value of JSON that is valid UTF-8, has numbers that fit and no lone surrogates.

    Raises `InvalidEvent` with the reason; also for what is nested so deeply that no reader could follow.
    """
    return _checked(_decode, data)


def split_array(data: bytes) -> list[msgspec.Raw]:
    """Return the elements of a JSON array, not yet decoded: only the syntax has been checked.

    A large body is decoded element by element: all its objects at once would cost much memory, and time for it.
    """
    return _checked(_split_array, data)


def _checked(read: Callable[[bytes], _T], data: bytes) -> _T:
    try:
        return read(data)
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
