"""Invisible characters: one rule for stream ids, log lines and the page."""

import re
import sys
import unicodedata

import pytest

from eventscache.characters import INVISIBLE_CATEGORIES, is_invisible
from eventscache.errors import InvalidEvent
from eventscache.event import Event
from eventscache.logs import visible
from eventscache.stream import Namespace, Stream, check_id
from tests.support.paths import ROOT
from tests.support.sidecar import CACHE, Start

ZERO_WIDTH = "\u00ad\u180e\u200b\u200c\u200d\u2060\u2061\ufeff\ufff9"
BIDI = "\u061c\u200e\u200f\u202a\u202e\u2066\u2069"
CONTROLS = "\0\t\n\r\x1b\x7f\x85\x9b"
OTHERS = "\u2028\u2029\U000e0001\U000e007f"
EVERYTHING = range(sys.maxunicode + 1)
INVISIBLE = {code for code in EVERYTHING if is_invisible(chr(code))}


@pytest.mark.parametrize("character", ZERO_WIDTH + BIDI + CONTROLS + OTHERS)
def test_no_id_holds_an_invisible_character(character: str) -> None:
    for text in (f"a{character}b", character, f"größe{character}"):
        with pytest.raises(InvalidEvent, match=rf"the invisible character U\+{ord(character):04X}$"):
            check_id(text)


@pytest.mark.parametrize("text", ["a b", "größe", "日本語", "\U0001f600", "e\u0301", "a-b.c/d?e#f", "\u00a0"])
def test_an_id_may_hold_any_other_character(text: str) -> None:
    assert check_id(text) == text


def test_log_lines_escape_the_same_characters_and_no_others() -> None:
    assert {code for code in EVERYTHING if visible(chr(code)) != chr(code)} == INVISIBLE


async def test_a_stored_stream_with_such_an_id_is_listed_and_read_with_all_others(start: Start) -> None:
    sidecar = await start()
    stream = Stream(Namespace.TOKEN, "a\u200b")  # stored before such ids were rejected
    sidecar.server.cache.offer([(stream, Event(original=b"{}", token_id=stream.id))])
    everything = (await sidecar.get(f"{CACHE}?namespace=token")).json
    assert [event["token_id"] for event in everything["events"]] == [stream.id]
    assert [row["id"] for row in (await sidecar.get("/api/v1/streams?namespace=token")).json["streams"]] == [stream.id]
    assert (await sidecar.get(f"{CACHE}?namespace=token&ids=a%E2%80%8B")).status == 400


# The names of Unicode's categories, \uXXXX, \u{XXXXX}, or a character itself.
_ELEMENT = re.compile(r"\\p\{(\w\w)\}|\\u\{([0-9a-f]+)\}|\\u([0-9a-f]{4})|\\?(.)", re.IGNORECASE)


def characters_of(js_class: str) -> set[int]:
    """Return the characters of a class in a JavaScript regular expression, given without its brackets."""
    found: set[int] = set()
    in_range = False
    last = 0
    for category, braced, plain, literal in _ELEMENT.findall(js_class):
        if category:
            assert category in INVISIBLE_CATEGORIES
            found |= {code for code in INVISIBLE if unicodedata.category(chr(code)) == category}
        elif literal == "-":
            in_range = True
        else:
            code = int(braced or plain, 16) if braced or plain else ord(literal)
            found.update(range(last if in_range else code, code + 1))
            in_range, last = False, code
    return found


def test_the_page_shows_the_same_characters_as_escapes_but_for_tab_and_newline() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "eventscache" / "ui").rglob("*.js"))
    classes = re.findall(r"/(?:\(\?!\[[^\]]*\]\))?\[([^\]\n]*(?:\\u2028|\\p\{Zl\})[^\]\n]*)\]/\w*", sources)
    assert len(classes) == 2  # in lines of their own, and in texts that keep their lines
    for each in classes:
        assert characters_of(each) - {0x09, 0x0A} == INVISIBLE - {0x09, 0x0A}
