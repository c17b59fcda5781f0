"""The mask of an event: fields are dropped or hashed and IP addresses truncated, before the event is queued."""

import hashlib
import hmac
import json
import re
import sys
from collections.abc import Callable, Iterable
from urllib.parse import unquote

import msgspec

from eventscache.errors import ConfigError
from eventscache.event import Event
from eventscache.masking import DROPPED
from eventscache.masking.field_paths import Action, FieldPaths
from eventscache.masking.ip_addresses import truncated, truncated_if_alone
from eventscache.masking.json_fields import Change, JsonFields, canonical, json_of, scalars, text_of

_HASH_LENGTH = 32
_SHORT = 3  # characters: a value of at most that many is replaced only as a word of its own
_MOST_QUOTED = 200
_MOST_COMPARED = 1_000_000  # values times characters
_ESCAPED = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,6})\}|x([0-9A-Fa-f]{2})|[bfnrt])")
_NOT_TEXT = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f]|\\x[89A-Fa-f][0-9A-Fa-f]")
_HALVES = re.compile("[\ud800-\udfff]")  # of surrogate pairs
_NO_PATHS = FieldPaths({})

Replace = Callable[[str], str]


class Mask:
    """Takes personal data out of events, by the paths of fields; see `docs/privacy.md` for what it can and cannot see.

    `drop` and `hash` are paths, `hash` needs a `key`. `ip` is a list of paths in whose strings addresses are truncated,
    or true for every string that is an address. This is done to `original` and `success`; values that were masked there
    are replaced in the other texts of the event too. Raises `ConfigError`.
    """

    def __init__(
        self, *, drop: Iterable[str] = (), hash: Iterable[str] = (), ip: Iterable[str] | bool = False, key: str = ""
    ) -> None:
        hashed = tuple(hash)
        if hashed and not key:
            raise ConfigError("needed to hash fields")
        in_fields = () if isinstance(ip, bool) else tuple(ip)
        hiding = {Action.DROP: tuple(drop), Action.HASH: hashed}
        self._paths = FieldPaths({**hiding, Action.TRUNCATE: in_fields})
        self._hidden = FieldPaths(hiding)
        self._everywhere = ip is True
        self._addresses = self._everywhere or bool(in_fields)
        self._key = key.encode(errors="surrogatepass")
        names = self._paths.last_names
        self._names = None if names is None else [name.encode() for name in names]
        self._may_name_field = _name_test(self._hidden.last_names)

    def __bool__(self) -> bool:
        """Whether the mask does anything."""
        return bool(self._paths) or self._everywhere

    def masked(self, event: Event) -> Event:
        """Return the masked event, with `masked` set; the same object if nothing in it is masked."""
        values = _MaskedValues(self._key)
        fields = {
            "original": self._json(event.original, values),
            "success": self._json(event.success, values, columns=True),
        }
        shown = [event.malformed, event.error, event.skip]
        shown += [_plain(token) for token in scalars(fields["success"])] if values else []
        replace = values.replacer(shown)
        if values and event.success:
            fields["success"] = JsonFields(_NO_PATHS, values.hide, _scalars_changed_by(replace)).changed(
                fields["success"]
            )
        texts = {
            "malformed": self._unparsed(event.malformed, replace),
            "error": (self._unparsed if event.malformed else self._text)(event.error, replace),
            "skip": self._text(event.skip, replace),
        }
        changes = {name: value for name, value in {**fields, **texts}.items() if value != getattr(event, name)}
        return msgspec.structs.replace(event, masked=True, **changes) if changes else event

    def _json(self, data: bytes, values: "_MaskedValues", *, columns: bool = False) -> bytes:
        """Return JSON with its fields masked; text that can hold none of them is not parsed."""
        if not data or not (columns or self._addresses or self._may_match(data)):
            return data
        change = self._change if self._addresses else None
        return JsonFields(self._paths, values.hide, change, columns=columns).changed(data)

    def _may_match(self, data: bytes) -> bool:
        return self._names is None or b"\\u" in data or any(name in data for name in self._names)

    def _change(self, token: bytes, truncate: bool) -> bytes:
        if not token.startswith(b'"') or not any(mark in token for mark in (b".", b":", b"\\")):
            return token
        text = text_of(token)
        nested = text.lstrip()[:1] in {"{", "["}  # JSON in a text: no path leads into it
        shorter = truncated(text) if truncate or nested else (truncated_if_alone(text) if self._everywhere else text)
        return token if shorter == text else json_of(shorter)

    def _text(self, text: str, replace: Replace) -> str:
        """Return a text about the event without the values that were masked."""
        text = replace(text)
        return truncated(text) if self._addresses else text

    def _unparsed(self, text: str, replace: Replace) -> str:
        """Return text that is no JSON; if it may hold a masked field or an escaped address, a placeholder instead."""
        if not text:
            return text
        if self._may_name_field(text) or self._may_name_field(_unescaped(text)) or _NOT_TEXT.search(text):
            return _placeholder(text)
        shown = self._text(text, replace)
        if self._addresses:
            plain = _unescaped(shown)
            if truncated(plain) != plain:
                return _placeholder(text)
        return shown


class _MaskedValues:
    """The values that were masked in one event, and the replacement of each."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._replacements: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._replacements)

    def hide(self, data: bytes, action: Action) -> bytes:
        """Remember the values in the JSON of a field, and return the JSON that replaces it."""
        for token in scalars(data):
            replacement = self._hash(token) if action is Action.HASH else DROPPED
            for text in _spellings(token):
                if text and self._replacements.get(text) != DROPPED:
                    self._replacements[text] = replacement
        return json_of(self._hash(data) if action is Action.HASH else DROPPED)

    def _hash(self, data: bytes) -> str:
        return hmac.new(self._key, canonical(data), hashlib.sha256).hexdigest()[:_HASH_LENGTH]

    def _replace_whole(self, text: str) -> str:
        """Replace a text that is a masked value as a whole, and any other text by a placeholder."""
        return self._replacements.get(text) or (_placeholder(text) if text else text)

    def replacer(self, texts: Iterable[str]) -> Replace:
        """Return a function that replaces these values in any of `texts`."""
        everything = "\0".join(texts)
        if len(self._replacements) * len(everything) > _MOST_COMPARED:
            return self._replace_whole
        quoted = sorted((value for value in self._replacements if value in everything), key=len, reverse=True)
        if not quoted:
            return str
        if len(quoted) > _MOST_QUOTED:  # finding them all would take long
            return self._replace_whole
        pattern = re.compile(
            "|".join(
                re.escape(value) if len(value) > _SHORT else rf"(?<!\w){re.escape(value)}(?!\w)" for value in quoted
            )
        )
        return lambda text: (
            self._replacements.get(text) or pattern.sub(lambda match: self._replacements[match[0]], text)
        )


def _plain(token: bytes) -> str:
    return text_of(token) if token.startswith(b'"') else token.decode()


def _scalars_changed_by(replace: Replace) -> Change:
    """Return a change of scalars that replaces in strings, and turns a number that is replaced into a string."""

    def change(token: bytes, _: bool) -> bytes:
        text = _plain(token)
        replaced = replace(text)
        return token if replaced == text else json_of(replaced)

    return change


def _name_test(names: frozenset[str] | None) -> Callable[[str], object]:
    """Return a test whether a text may name one of the fields; with a letter before or after, it is another name."""
    if names is None:
        return lambda _: True
    pattern = "|".join(rf"(?<![A-Za-z]){re.escape(name)}(?![A-Za-z])" for name in sorted(names))
    return re.compile(pattern, re.IGNORECASE).search if names else lambda _: None


def _spellings(token: bytes) -> set[str]:
    """Return a value as texts may quote it: decoded, and as this JSON, Python and Go write it."""
    if not token.startswith(b'"'):
        return {token.decode()}
    text = text_of(token)
    plain = json_of(text)[1:-1].decode()
    in_go = plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    read_by_go = _HALVES.sub("\ufffd", text)
    return {text, read_by_go, token[1:-1].decode(errors="backslashreplace"), plain, in_go, json.dumps(text)[1:-1]}


def _unescaped(text: str) -> str:
    """Return a text without the escapes that could hide a name, and without the zero bytes of UTF-16."""

    def character(match: re.Match[str]) -> str:
        code = int(match[1] or match[2] or match[3] or "20", 16)
        return chr(code) if code <= sys.maxunicode else match[0]

    text = _ESCAPED.sub(character, unquote(text.replace("\0", "")))
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # two escapes can be one character


def _placeholder(text: str) -> str:
    return f"[masked: {len(text.encode(errors='surrogatepass'))} bytes]"
