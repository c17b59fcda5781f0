"""Texts as a terminal can show them: nothing in them can steer it, and they fit."""

import unicodedata
from typing import Final

from eventscache.characters import is_invisible

_WIDE: Final = frozenset({"W", "F"})
_ON_ANOTHER: Final = frozenset({"Mn", "Me"})  # categories of characters that take no column of their own
_BMP: Final = 0xFFFF


def escape_json(text: str) -> str:
    r"""Return JSON that means the same, with escapes such as \u001b for its invisible characters.

    A tab stays: in JSON it can only stand between values.
    """
    if text.isprintable():
        return text
    return "".join(_escape(each) if is_invisible(each) and each != "\t" else each for each in text)


def _escape(character: str) -> str:
    code = ord(character)
    if code <= _BMP:
        return f"\\u{code:04x}"
    pair = character.encode("utf-16-be").hex()
    return f"\\u{pair[:4]}\\u{pair[4:]}"


def columns_of(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def fit(text: str, columns: int) -> str:
    """Return a text that takes at most so many columns of a terminal, with an ellipsis for what is left out."""
    if columns_of(text) <= columns:
        return text
    left = columns - 1
    for index, character in enumerate(text):
        left -= _columns(character)
        if left < 0:
            return f"{text[:index]}…" if columns > 0 else ""
    return text


def pad(text: str, columns: int) -> str:
    """Return a text with blanks behind it, so that it takes at least so many columns."""
    return text + " " * (columns - columns_of(text))


def _columns(character: str) -> int:
    if character.isascii():
        return 1
    if unicodedata.category(character) in _ON_ANOTHER:
        return 0
    return 2 if unicodedata.east_asian_width(character) in _WIDE else 1
