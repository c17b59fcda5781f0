"""The secret half of a write key of Jitsu 2, `ID:SECRET`: wherever it would be kept, `***` stands in its place.

The fast scan validates no object that has such a half under a name of `without_halves`, so most bodies need no search.
"""

import json
import re
from collections.abc import Generator, Iterator, Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

import msgspec

from eventscache.ingest.json.in_strings import replaced_in_strings, spellings_in_json
from eventscache.ingest.json.scan import Elements
from eventscache.ingest.limits import Limits
from eventscache.ingest.parsed import Parsed, Parser
from eventscache.stream import Stream

_HIDDEN: Final = b"***"
_SHORTEST_ALONE = 8  # a shorter half is a part of too many other texts
_CACHED_KEYS = 1024
_MOST_NAMED = 3  # keys of an event: each is searched for in all of it
_MOST_DECODED = 4  # times that a key may be encoded


def _spelled(word: str) -> str:
    """Return a pattern for a word, each letter of which may be an escape of JSON."""
    return "".join(rf"(?:{letter}|\\u00(?:{ord(letter):02x}|{ord(letter.upper()):02x}))" for letter in word)


_FIRST_WORD = f"(?:{_spelled('write')}|{_spelled('api')})"
_NAME = re.compile(rf'"(?<!\\"){_FIRST_WORD}(?:[_-]|\\u00(?:5f|2d))?{_spelled("key")}"'.encode(), re.IGNORECASE)
_COLON = re.compile(rb"\s*+:\s*+")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_IN_ARRAY = re.compile(rb'[\[\]{}]|"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_ID = re.compile(rb"(?:[^\\:]|\\(?!u003a).)*+", re.DOTALL | re.IGNORECASE)
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
    kept = 0
    for start, end in _named_texts(data):
        text = data[start:end]
        if (hidden := _without_half(text)) != text:
            pieces += (data[kept:start], hidden)
            kept = end
    return b"".join((*pieces, data[kept:])) if pieces else data


def without_halves_in_text(text: bytes) -> bytes:
    """Return a text as `without_halves` does, also where it is a form, or holds JSON inside of strings."""
    return _IN_TEXT.sub(rb"\1***", without_halves(text))


def keys_named_in(data: bytes) -> tuple[str, ...]:
    """Return the first write keys with a half under a name of `without_halves` in JSON, which may be broken.

    They are different ones, at most three.
    """
    texts = (_read_text(data[start:end]) for start, end in _named_texts(data))
    found: dict[str, None] = {}
    for text in texts:
        if with_colon(text).partition(":")[2] not in {"", _HIDDEN.decode()}:
            found[text] = None
        if len(found) == _MOST_NAMED:
            break
    return tuple(found)


def _read_text(content: bytes) -> str:
    try:
        return str(json.loads(b'"%b"' % content))
    except ValueError:
        return content.decode(errors="surrogateescape")


def _named_texts(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the texts of write keys begin and end, without their quotes."""
    at = 0
    while name := _NAME.search(data, at):
        at = name.end()
        if not (colon := _COLON.match(data, at)):
            continue
        at = colon.end()
        if data[at : at + 1] == b"[":
            at = yield from _texts_in_array(data, at)
        elif string := _STRING.match(data, at):
            yield _content(data, *string.span())
            at = string.end()


def _texts_in_array(data: bytes, at: int) -> Generator[tuple[int, int], None, int]:
    """Yield as `_named_texts` for an array that a name has, and return where it ends.

    What is in an object in it has names of its own.
    """
    have_keys: list[bool] = []  # of each array or object around: whether its texts are keys
    is_key = True
    end = len(data)
    for token in _IN_ARRAY.finditer(data, at):
        sign = token[0]
        if sign in {b"[", b"{"}:
            have_keys.append(sign == b"[" and (is_key or have_keys[-1]))
            is_key = False
        elif sign in {b"]", b"}"}:
            have_keys.pop()
            if not have_keys:
                end = token.end()
                break
        elif is_key or have_keys[-1]:
            yield _content(data, *token.span())
            is_key = False
        elif _NAME.fullmatch(sign):
            colon = _COLON.match(data, token.end())
            is_key = bool(colon and data[colon.end() : colon.end() + 1] in {b'"', b"["})
    return end


def _content(data: bytes, start: int, end: int) -> tuple[int, int]:
    return start + 1, end - 1 if end > start + 1 and data[end - 1 : end] == b'"' else end


def _without_half(text: bytes) -> bytes:
    found = _ID.match(text)
    end = found.end() if found else len(text)
    colon = 1 if text[end : end + 1] == b":" else len(_ESCAPED_COLON) if text[end : end + 2] == rb"\u" else 0
    return text[:end] + b":" + _HIDDEN if colon and text[end + colon :] else text


class SecretHalf:
    """Finds write keys, each with a secret half, in whatever is kept of those who send with one of them.

    A key is found as a whole, also with a `%3A`; and if it is not short, its secret half alone.
    """

    def __init__(self, *write_keys: str) -> None:
        hidden: dict[str, str] = {}
        for write_key in write_keys:
            for text, shown in _hidden_of(write_key).items():
                hidden.setdefault(text, shown)
        in_json: dict[bytes, bytes] = {}
        in_text: dict[bytes, bytes] = {}
        for text, shown in hidden.items():
            in_text[_encoded(text)] = _encoded(shown) + _HIDDEN
            shown_in_json = spellings_in_json(shown)[0] + _HIDDEN
            for spelled_in_json in spellings_in_json(text):
                in_json.setdefault(spelled_in_json, shown_in_json)
        self._in_json = _longest_first(in_json)
        self._in_text = _longest_first(in_text | in_json)
        # What all others contain: to search for these is enough where there is nothing to hide.
        self._shortest = [text for text in in_json if not any(other in text for other in in_json if other != text)]

    def __repr__(self) -> str:
        return "SecretHalf()"

    def hidden_in_text(self, text: bytes) -> bytes:
        """Return a text without the halves."""
        for found, shown in self._in_text.items():
            text = text.replace(found, shown)
        return text

    def hidden_in_words(self, words: str) -> str:
        """Return a text without the halves, as `hidden_in_text` does."""
        return self.hidden_in_text(_encoded(words)).decode(errors="surrogatepass")

    def hidden(self, data: bytes) -> bytes:
        """Return valid JSON without the halves in its strings; it stays valid. The same object if it has none."""
        if not self.may_be_in(data):
            return data
        for found, shown in self._in_json.items():
            data = replaced_in_strings(data, found, shown)
        return data

    def may_be_in(self, data: bytes) -> bool:
        """Whether JSON may have one of the halves in it."""
        return any(map(data.__contains__, self._shortest))

    def parser(self, parser: Parser) -> Parser:
        """Return a parser that does what another one does, and hides the halves in the events that it finds."""

        def parse(body: bytes, default: Stream | None, limits: Limits) -> Parsed:
            parsed = parser(body, default, limits)
            return self.hidden_in_parsed(parsed) if self.may_be_in_parsed(parsed) else parsed

        return parse

    def may_be_in_parsed(self, parsed: Parsed) -> bool:
        """Whether what was parsed may have one of the halves in it."""
        return bool(parsed.faults) or self._may_be_in_any(parsed.originals)

    def hidden_in_parsed(self, parsed: Parsed) -> Parsed:
        """Return what was parsed without the halves in its originals and their faults."""
        faults = [(index, self.hidden_in_words(fault)) for index, fault in parsed.faults]
        return msgspec.structs.replace(parsed, originals=self.hidden_in_all(parsed.originals), faults=faults)

    def hidden_in_all(self, events: Sequence[bytes]) -> Sequence[bytes]:
        """Return events as `hidden` does; the same object if none has a half."""
        return [*map(self.hidden, events)] if self._may_be_in_any(events) else events

    def _may_be_in_any(self, events: Sequence[bytes]) -> bool:
        # What surrounds a batch may have the key, and is not kept.
        return any(map(self.may_be_in, [events.text] if isinstance(events, Elements) else events))


@lru_cache(_CACHED_KEYS)
def secret_half(*write_keys: str) -> SecretHalf | None:
    """Return what finds the secret halves of some write keys, the same object for the same ones; None without any."""
    with_halves = frozenset(key for key in map(with_colon, write_keys) if key.partition(":")[2])
    return _half_of(with_halves) if with_halves else None


@lru_cache(_CACHED_KEYS)
def _half_of(write_keys: frozenset[str]) -> SecretHalf:
    return SecretHalf(*write_keys)


def _hidden_of(write_key: str) -> dict[str, str]:
    """Return the texts by which a write key is found, each with what stays of it in front of `***`."""
    key_id, _, secret = write_key.partition(":")
    hidden: dict[str, str] = {}
    for spelled_id, spelled in ((key_id, secret), (_quoted(key_id), _quoted(secret))):
        for colon in (":", "%3A", "%3a"):
            hidden[f"{spelled_id}{colon}{spelled}"] = f"{spelled_id}{colon}"
    for part in (secret, secret.partition(":")[0]):
        if len(part) >= _SHORTEST_ALONE:
            hidden.setdefault(part, "")
            hidden.setdefault(_quoted(part), "")
    return hidden


def _longest_first(hidden: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Return texts in an order in which none is found inside of a later one, of which a part would stay."""
    return dict(sorted(hidden.items(), key=lambda item: -len(item[0])))


def with_colon(write_key: str) -> str:
    """Return a write key that was encoded once too often, as `ID%3ASECRET`, without that; any other as it is."""
    decoded = write_key
    for _ in range(_MOST_DECODED):
        if ":" in decoded or "%" not in decoded:
            break
        decoded = unquote(decoded, errors="surrogateescape")
    return decoded if ":" in decoded else write_key


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
