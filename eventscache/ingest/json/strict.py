"""Strict JSON: all that the standard (RFC 8259) allows, and nothing else.

Half a surrogate pair, written as an escape, and numbers of any size are allowed; NaN and Infinity are not.
"""

import json
import re
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any, NoReturn

import msgspec

from eventscache.errors import InvalidEvent

_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_decode = msgspec.json.Decoder().decode
_split_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_OTHER_BYTES = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_TOKEN = re.compile(r"[^ \t\r\n,:]")


class NoJsonNumber(ValueError):
    """NaN or an infinity: no value of JSON."""


def _reject(name: str) -> NoReturn:
    raise NoJsonNumber(name)


_decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_reject)


def decode(data: bytes) -> Any:
    """Return the value of JSON that is valid UTF-8; numbers of any size, which may be texts as they are written.

    Raises `InvalidEvent` with the reason; also for JSON that is nested too deeply for a parser's stack.
    """
    try:
        return _decode(data)
    except _FAULTS as fault:
        try:
            return _decoder.decode(data.decode())  # all that the standard allows, but slower
        except UnicodeDecodeError as invalid:
            raise _invalid(invalid) from None
        except (ValueError, RecursionError):
            raise _invalid(fault) from None


def split_array(data: bytes) -> tuple[int, Iterable[bytes]]:
    """Return how many elements a JSON array has, and their bytes, not decoded. Raises `InvalidEvent`.

    Only the syntax is checked: the caller decodes element by element, as the objects of a large body, all at once,
    would take much memory and time.
    """
    try:
        elements = _split_array(data)
    except _FAULTS as fault:
        text = data.decode("latin-1")
        try:
            value = _decoder.decode(text)
        except (ValueError, RecursionError):
            raise _invalid(fault) from None
        if not isinstance(value, list):
            raise _invalid(fault) from None
        return len(value), (data[start:end] for start, end in spans(text, text.index("[")))
    return len(elements), map(bytes, elements)


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


def first_value(text: str, start: int = 0) -> tuple[Any, int]:
    """Return the JSON value that begins at `start`, with numbers as texts, and where it ends.

    A text may stand for bytes, one character for each (Latin-1): places in it are places among the bytes then, and
    objects, arrays, numbers and ASCII texts are the same. Raises `json.JSONDecodeError`, `NoJsonNumber`, and
    `RecursionError` for too many levels.
    """
    return _decoder.raw_decode(text, start)


def spans(text: str, start: int) -> Iterator[tuple[int, int]]:
    """Yield where each element of a valid array begins and ends; of an object, each name and each value in turn.

    The array or object begins at `start`.
    """
    at = _first_token(text, start + 1)
    while text[at] not in "]}":
        _, end = _decoder.raw_decode(text, at)
        yield at, end
        at = _first_token(text, end)


def _first_token(text: str, start: int) -> int:
    """Return where the first token of valid JSON is that is no comma and no colon."""
    found = _TOKEN.search(text, start)
    return found.start() if found else len(text)


def members(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name, as it is written, and the bytes of the value of each member of a valid JSON object."""
    found = spans(data.decode("latin-1"), 0)
    for (start, end), (value_start, value_end) in zip(found, found, strict=True):
        yield data[start:end], data[value_start:value_end]
