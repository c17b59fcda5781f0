"""Texts that cannot steer a terminal, and fit."""

import json
import sys
import unicodedata

import pytest

from eventscache.characters import is_invisible
from eventscache.tail.shown_text import escape_json, fit, pad


def test_no_invisible_character_is_left_and_the_json_means_the_same() -> None:
    for code in range(0x20, sys.maxunicode + 1):
        character = chr(code)
        if is_invisible(character) and unicodedata.category(character) != "Cs":
            escaped = escape_json(f'{{"a":"{character}"}}')
            assert escaped.isascii()
            assert json.loads(escaped) == {"a": character}


def test_visible_characters_and_tabs_stay() -> None:
    text = '{"a":\t"é 漢 😀"}'
    assert escape_json(text) == text


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("漢字", 4, "漢字"),
        ("漢字漢", 4, "漢…"),
        ("漢字漢", 5, "漢字…"),
        ("e\u0301e\u0301", 2, "e\u0301e\u0301"),
        ("ab", 1, "…"),
        ("ab", 0, ""),
        ("", 0, ""),
    ],
)
def test_a_text_fits_into_columns(text: str, columns: int, shown: str) -> None:
    assert fit(text, columns) == shown


def test_blanks_are_added_by_columns() -> None:
    assert (pad("漢", 4), pad("abcd", 2)) == ("漢  ", "abcd")
