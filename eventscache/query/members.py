"""Reads single values out of JSON objects, without parsing the rest of them."""

import re
from collections.abc import Callable
from typing import TypeVar

import msgspec

# An escape of a surrogate behind an even number of backslashes: group 1 is whole escapes and pairs, which stay.
_HALF = re.compile(
    rb"(\\(?:[^u]|u(?:[^dD]...|[dD][0-7]..|[dD][89abAB]..\\u[dD][c-fC-F]..)))|\\u[dD][89a-fA-F]..", re.DOTALL
)
# What every writer of JSON leaves as it is: none of `"\/<>&'+` and the like, nothing but ASCII.
_PLAIN = re.compile(r"[A-Za-z0-9_.:@ -]++")
_CONTAINERS = (b"{", b"[")
_STRING_OR_NUMBER = b'"-0123456789'
_MOST_PARTS = 16

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_string = msgspec.json.Decoder(str).decode
_T = TypeVar("_T")


def whole_pairs(data: bytes) -> bytes:
    """Return JSON with U+FFFD for each half of a surrogate pair, which msgspec does not read; browsers send them."""
    return _HALF.sub(lambda escape: escape[1] or rb"\ufffd", data)


def decoded(decode: Callable[[bytes], _T], data: bytes | msgspec.Raw) -> _T | None:
    """Return what `decode` makes of JSON; None if that is not what it expects, or no JSON."""
    data = bytes(data)
    try:
        return decode(data)
    except msgspec.ValidationError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return decode(whole_pairs(data))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def text_of(value: bytes | msgspec.Raw) -> str | None:
    """Return the text that a JSON string means, and any other scalar as it is written; None for what has members."""
    data = bytes(value).strip()
    if data.startswith(b'"'):
        return decoded(_string, data)
    return None if not data or data.startswith(_CONTAINERS) else data.decode(errors="replace")


def name_or_number(value: bytes | msgspec.Raw) -> str:
    """Return the text of a JSON string or number; an empty text for everything else."""
    data = bytes(value).strip()
    return (text_of(data) or "") if data and data[0] in _STRING_OR_NUMBER else ""


def parse_path(text: str) -> tuple[str, ...]:
    """Return the parts of a path such as `user.email` or `items.0.sku`. Raises `ValueError`."""
    parts = tuple(text.split("."))
    if not text or len(parts) > _MOST_PARTS:
        raise ValueError(f"a path has 1 to {_MOST_PARTS} names, separated by dots, as user.email has")
    return parts


def has_value(data: bytes | msgspec.Raw, path: tuple[str, ...], text: str) -> bool:
    """Tell whether the value at a path has this text; see `any_value`."""
    return any_value(data, path, lambda value: text_of(value) == text)


def any_value(data: bytes | msgspec.Raw, path: tuple[str, ...], test: Callable[[bytes | msgspec.Raw], bool]) -> bool:
    """Tell whether a value at a path passes a test, as JSON. A path has several values where names have dots in them.

    A name with dots in it counts as one name and as several levels. An element of an array has its number as its name.
    """
    if not path:
        return test(data)
    data = bytes(data).strip()
    if data.startswith(b"["):
        elements = decoded(_elements, data) or []
        number = (
            int(path[0]) if path[0].isascii() and path[0].isdigit() and len(path[0]) < _MOST_PARTS else len(elements)
        )
        return number < len(elements) and any_value(elements[number], path[1:], test)
    members = (decoded(_members, data) or {}) if data.startswith(b"{") else {}
    return any(
        any_value(members[name], path[count:], test)
        for count in range(len(path), 0, -1)
        if (name := ".".join(path[:count])) in members
    )


def sure_bytes(text: str) -> bytes:
    """Return bytes that the JSON of a value with this text surely holds: its longest part that nobody escapes.

    JSON may write any character as an escape, but no library is known that does so with these. A client that does it
    all the same is the exception that this does not cover.
    """
    return max(_PLAIN.findall(text), key=len, default="").encode()
