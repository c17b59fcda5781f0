"""JSON as Go's `encoding/json` reads it, and its words for what is wrong: so does Jitsu.

Only the first value counts, whatever follows it. Each byte that is not UTF-8 is U+FFFD, and so is half a surrogate
pair. Numbers may have any size.
"""

import json
import re
from typing import Any, NamedTuple

import msgspec

from eventscache.errors import InvalidEvent
from eventscache.ingest.json import strict

_decode_text = msgspec.json.Decoder(str).decode
_REPLACEMENT = "\ufffd"
_NOT_UTF8 = re.compile("[\udc80-\udcff]++")  # what Python makes of such bytes, one for each
_HALVES = re.compile("[\ud800-\udfff]")

# A string, or one that does not end and so reaches to the end of the text: never tried again at each quote in it.
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+(?P<end>"?)', re.DOTALL)
_STRING_OR_NO_NUMBER = re.compile(_STRING.pattern + "|(?P<no_number>-?Infinity|NaN)", re.DOTALL)
_GOOD_START_OF_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*+')
_WHITE_SPACE = " \t\r\n"
_BLANKS = _WHITE_SPACE.encode()
_WHOLE = "\0"  # stands for a string that ends: no such character can be outside of one
_DIGITS = "0123456789"
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")
_WORDS = {word[0]: word for word in ("true", "false", "null")}
_KINDS = {b'"': "string", b"[": "array", b"{": "object", b"t": "bool", b"f": "bool"}
_SHORT_ESCAPES = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}

_VALUE = "looking for beginning of value"
_NAME = "looking for beginning of object key string"
_AFTER_NAME = "after object key"
_AFTER_MEMBER = "after object key:value pair"
_AFTER_ELEMENT = "after array element"
_BEHIND_COMMA = {_AFTER_MEMBER: _NAME, _AFTER_ELEMENT: _VALUE}


class Read(NamedTuple):
    """The first value of a body, and its bytes: as they came, but that what was not UTF-8 is U+FFFD.

    Of texts in the value only those of ASCII can be relied on.
    """

    value: Any
    data: bytes


def read(body: bytes) -> Read:
    """Read the array or object that a body begins with; raise `InvalidEvent` with Go's words."""
    text = body.decode("latin-1")
    try:
        value, end = strict.first_value(text)
    except RecursionError:
        raise InvalidEvent("nested too deeply") from None
    except json.JSONDecodeError as fault:
        raise InvalidEvent(_fault(text, fault.pos)) from None
    except strict.NoJsonNumber:
        places = (match.start() for match in _STRING_OR_NO_NUMBER.finditer(text) if match["no_number"])
        raise InvalidEvent(_fault(text, next(places))) from None
    return Read(value, repaired(body[:end]))


def read_object(data: bytes) -> bytes:
    """Return the bytes of the object that data begins with, as `read` does; white space may be in front.

    Raises `InvalidEvent` with the words of Go, when it reads a value into a map; null is none to us.
    """
    text = data.lstrip(_BLANKS)
    if not text:
        raise InvalidEvent("EOF")
    if text[:1] == b"{":
        return read(text).data
    if text[:1] == b"[":
        read(text)
    else:
        try:
            strict.first_value(text.decode("latin-1"))
        except ValueError:
            read(b"[" + text)  # it awaits a value there too, and says the same
            raise InvalidEvent("unexpected EOF") from None
    if text.startswith(b"null"):
        raise InvalidEvent("it is null, and not an object")
    raise InvalidEvent(f"json: cannot unmarshal {kind_of(text)} into Go value of type map[string]interface {{}}")


def kind_of(value: bytes) -> str:
    """Return what Go calls the kind of a value that is not null."""
    return _KINDS.get(value[:1], "number")


def repaired(data: bytes) -> bytes:
    """Return data with U+FFFD for each byte that is not UTF-8; the same object if all are."""
    try:
        data.decode()
    except UnicodeDecodeError:
        text = data.decode(errors="surrogateescape")
        return _NOT_UTF8.sub(lambda bad: _REPLACEMENT * len(bad[0]), text).encode()
    return data


def text_of(token: bytes) -> str:
    """Return the text that a string of JSON means."""
    try:
        return _decode_text(token)
    except (msgspec.DecodeError, UnicodeDecodeError):  # such as half of a surrogate pair
        return whole_characters(json.loads(token))


def whole_characters(text: str) -> str:
    """Return a text with U+FFFD for each half of a surrogate pair."""
    return _HALVES.sub(_REPLACEMENT, text)


def quoted(character: str, quote: str = '"') -> str:
    """Return a character of Latin-1 as Go quotes it in a message."""
    if character in {quote, "\\"}:
        return f"{quote}\\{character}{quote}"
    shown = _SHORT_ESCAPES.get(character, character)
    if not shown.isprintable():
        shown = f"\\{'x' if character.isascii() else 'u00'}{ord(character):02x}"
    return f"{quote}{shown}{quote}"


def _fault(text: str, near: int) -> str:
    """Return what Go says of JSON that is wrong at `near`, or later in a string or behind a comma that is there."""
    before = _STRING.sub(lambda string: _WHOLE if string["end"] else string[0], text[:near])
    opened = before.find('"')
    if opened >= 0:  # the fault is inside of this string
        near -= len(before) - opened
        before = before[:opened]
    before = before.rstrip(_WHITE_SPACE)
    awaited = _awaited(before)
    while near < len(text) and (text[near] in _WHITE_SPACE or (text[near] == "," and awaited in _BEHIND_COMMA)):
        if text[near] == ",":
            awaited = _BEHIND_COMMA[awaited]
        near += 1
    place, what = _wrong(text, near, awaited)
    if place >= len(text):
        return "unexpected EOF"
    shown = "'\"'" if text[place] == '"' else quoted(text[place], "'")
    return f"invalid character {shown} {what}"


def _awaited(before: str) -> str:
    """Return what Go is doing behind the beginning of a value that is good so far, in which strings are `_WHOLE`."""
    in_object = _innermost(before) == "{"
    last = before[-1:]
    if last == "{" or (last == "," and in_object):
        return _NAME
    if last in {"[", ",", ":"}:
        return _VALUE
    if not in_object:
        return _AFTER_ELEMENT
    if last == _WHOLE and before[:-1].rstrip(_WHITE_SPACE)[-1:] != ":":
        return _AFTER_NAME
    return _AFTER_MEMBER


def _innermost(before: str) -> str:
    """Return the bracket of the innermost object or array that has not ended."""
    ended = 0
    for character in reversed(before):
        if character in "]}":
            ended += 1
        elif character in "[{":
            if not ended:
                return character
            ended -= 1
    return ""


def _wrong(text: str, at: int, awaited: str) -> tuple[int, str]:
    """Return the place of the character that is wrong in the token that begins at `at`, and what Go says of it."""
    first = text[at : at + 1]
    if first == '"' and awaited in {_NAME, _VALUE}:
        return _wrong_in_string(text, at)
    if awaited == _VALUE and first in _WORDS:
        return _wrong_in_word(text, at, _WORDS[first])
    if awaited == _VALUE and first == "-":
        return at + 1, "in numeric literal"
    if awaited in _BEHIND_COMMA and first in {".", "e", "E"} and text[at - 1] in _DIGITS:
        return _wrong_in_number(text, at, awaited)
    return at, awaited


def _wrong_in_string(text: str, at: int) -> tuple[int, str]:
    good = _GOOD_START_OF_STRING.match(text, at)
    at = good.end() if good else at
    if text[at : at + 1] != "\\":
        return at, "in string literal"
    if text[at + 1 : at + 2] != "u":
        return at + 1, "in string escape code"
    at += 2
    while text[at : at + 1] in _HEX_DIGITS:
        at += 1
    return at, "in \\u hexadecimal character escape"


def _wrong_in_word(text: str, at: int, word: str) -> tuple[int, str]:
    index = next(index for index, letter in enumerate(word) if text[at + index : at + index + 1] != letter)
    return at + index, f"in literal {word} (expecting '{word[index]}')"


def _wrong_in_number(text: str, at: int, awaited: str) -> tuple[int, str]:
    """Return what is wrong with a number of which the part before a point or an e at `at` is good."""
    end = at
    while text[end - 1] in _DIGITS:
        end -= 1
    has_exponent = text[end - 1] in "eE+" or (text[end - 1] == "-" and text[end - 2] in "eE")
    if has_exponent or (text[at] == "." and text[end - 1] == "."):
        return at, awaited
    if text[at] == ".":
        return at + 1, "after decimal point in numeric literal"
    return at + (2 if text[at + 1 : at + 2] in {"+", "-"} else 1), "in exponent of numeric literal"
