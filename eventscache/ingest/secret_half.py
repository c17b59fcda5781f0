"""The secret half of a write key of Jitsu 2, `ID:SECRET`: wherever it would be kept, `***` stands in its place.

The fast scan validates no object that has such a half under a name of `without_halves`, so most bodies need no search.
"""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from eventscache.ingest.limits import Limits
from eventscache.ingest.parsed import Parsed, Parser
from eventscache.stream import Stream

_HIDDEN: Final = b"***"
_SHORTEST_ALONE = 8  # a shorter half is a part of too many other texts
_CACHED_KEYS = 1024


def _spelled(word: str) -> str:
    """Return a pattern for a word, each letter of which may be an escape of JSON."""
    return "".join(rf"(?:{letter}|\\u00(?:{ord(letter):02x}|{ord(letter.upper()):02x}))" for letter in word)


_FIRST_WORD = f"(?:{_spelled('write')}|{_spelled('api')})"
_NAME = re.compile(rf'"(?<!\\"){_FIRST_WORD}(?:[_-]|\\u00(?:5f|2d))?{_spelled("key")}"'.encode(), re.IGNORECASE)
_COLON = re.compile(rb"\s*+:\s*+")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_IN_ARRAY = re.compile(rb'[\[\]{]|"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_ID = re.compile(rb"(?:[^\\:]|\\(?!u003a).)*+", re.DOTALL | re.IGNORECASE)
_ESCAPE = re.compile(rb"(\\(?:u[0-9a-f]{4}|.))", re.DOTALL | re.IGNORECASE)
_ESCAPED_COLON = rb"\u003a"
# In a text that is no JSON, or has JSON inside of a string. No repeat can hold the sign in front of it.
_IN_TEXT = re.compile(
    rb"""((?:write|api)[_-]?key\\{0,8}["']?\s*+[:=]\s*+\\{0,8}["']?[^\s"'&:=,;\\%]*+(?::|%3a))[^\s"'&,;\\{}\[\]]++""",
    re.IGNORECASE,
)


def without_halves(data: bytes) -> bytes:
    """Return JSON in which `***` stands for the half of each text that is called `writeKey`, `api_key` or the like.

    The names may be in any case and be written with escapes, and stand at any depth; their texts may be in arrays. A
    text without a colon, and with nothing behind it, stays. The JSON may be broken. Returns the same object if nothing
    is to be hidden.
    """
    pieces: list[bytes] = []
    kept = at = 0
    while name := _NAME.search(data, at):
        at = name.end()
        if not (colon := _COLON.match(data, at)):
            continue
        at = colon.end()
        for start, end in _strings(data, at):
            at = end
            text = data[start:end]
            if (hidden := _without_half(text)) != text:
                pieces += (data[kept:start], hidden)
                kept = end
    return b"".join((*pieces, data[kept:])) if pieces else data


def without_halves_in_text(text: bytes) -> bytes:
    """Return a text as `without_halves` does, also where it is a form, or holds JSON inside of strings."""
    return _IN_TEXT.sub(rb"\1***", without_halves(text))


def _strings(data: bytes, at: int) -> list[tuple[int, int]]:
    """Return where the strings of a value begin and end, without their quotes: of a string, or of an array of some."""
    if data[at : at + 1] == b'"':
        found = _STRING.match(data, at)
        return [_content(data, *found.span())] if found else []
    if data[at : at + 1] != b"[":
        return []
    strings, depth = [], 0
    for token in _IN_ARRAY.finditer(data, at):
        sign = token[0]
        if sign == b"{":
            break  # what is in an object has names of its own
        if sign.startswith(b'"'):
            strings.append(_content(data, *token.span()))
            continue
        depth += 1 if sign == b"[" else -1
        if not depth:
            break
    return strings


def _content(data: bytes, start: int, end: int) -> tuple[int, int]:
    return start + 1, end - 1 if end > start + 1 and data[end - 1 : end] == b'"' else end


def _without_half(text: bytes) -> bytes:
    found = _ID.match(text)
    end = found.end() if found else len(text)
    colon = 1 if text[end : end + 1] == b":" else len(_ESCAPED_COLON) if text[end : end + 2] == rb"\u" else 0
    return text[:end] + b":" + _HIDDEN if colon and text[end + colon :] else text


class SecretHalf:
    """Finds one write key, which has a secret half, in whatever is kept of those who send with it.

    It is found as a whole, also with a `%3A`; and if it is not short, its secret half alone.
    """

    def __init__(self, write_key: str) -> None:
        key_id, _, secret = write_key.partition(":")
        hidden: dict[bytes, bytes] = {}
        for spelled_id, spelled in ((key_id, secret), (_quoted(key_id), _quoted(secret))):
            for colon in (":", "%3A", "%3a"):
                hidden[_encoded(f"{spelled_id}{colon}{spelled}")] = _encoded(f"{spelled_id}{colon}") + _HIDDEN
        for part in (secret, secret.partition(":")[0]):
            if len(part) >= _SHORTEST_ALONE:
                hidden.setdefault(_encoded(part), _HIDDEN)
                hidden.setdefault(_encoded(_quoted(part)), _HIDDEN)
        self._hidden = hidden

    def __repr__(self) -> str:
        return "SecretHalf()"

    def hidden_in_text(self, text: bytes) -> bytes:
        """Return a text without the half."""
        for found, shown in self._hidden.items():
            text = text.replace(found, shown)
        return text

    def hidden(self, data: bytes) -> bytes:
        """Return JSON without the half in its strings; what is valid stays valid. The same object if it has none."""
        if not any(map(data.__contains__, self._hidden)):
            return data
        return _STRING.sub(self._hidden_in_string, data)

    def _hidden_in_string(self, string: re.Match[bytes]) -> bytes:
        parts = _ESCAPE.split(string[0])
        parts[::2] = map(self.hidden_in_text, parts[::2])  # the others are the escapes
        return b"".join(parts)

    def parser(self, parser: Parser) -> Parser:
        """Return a parser that hides the half in a body before it does what another one does."""

        def parse(body: bytes, default: Stream | None, limits: Limits) -> Parsed:
            return parser(self.hidden(body), default, limits)

        return parse


@lru_cache(_CACHED_KEYS)
def secret_half(write_key: str) -> SecretHalf | None:
    """Return what finds the secret half of a write key; None for a key without one."""
    return SecretHalf(write_key) if write_key.partition(":")[2] else None


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
