"""What of an event must not be stored: fields are dropped or hashed, IP addresses are cut, before anything else."""

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
from eventscache.masking.field_paths import Action, FieldPaths
from eventscache.masking.ip_addresses import truncated, truncated_if_alone
from eventscache.masking.json_fields import Change, JsonFields, canonical, json_of, scalars, text_of

_DROPPED = "***"
_HASH_LENGTH = 32
_SHORT = 3  # characters: what is no longer is looked for as a word of its own
_MOST_QUOTED = 200
_MOST_COMPARED = 1_000_000  # values times characters
_ESCAPED = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,6})\}|x([0-9A-Fa-f]{2})|[bfnrt])")
_NOT_TEXT = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f]|\\x[89A-Fa-f][0-9A-Fa-f]")
_NO_PATHS = FieldPaths({})

Replace = Callable[[str], str]


class Mask:
    """Takes personal data out of events, by the paths of fields; see `docs/privacy.md` for what it can and cannot see.

    `drop` and `hash` are paths, `hash` needs a `key`. `ip` is a list of paths in whose texts addresses are cut, or
    true for every text that is an address. All of it is done to `original` and `success`; what was masked there is
    replaced in the other texts of the event too. Raises `ConfigError`.
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
        self._may_tell = _finder(self._hidden.last_names)

    def __bool__(self) -> bool:
        """Whether there is anything to be masked."""
        return bool(self._paths) or self._everywhere

    def masked(self, event: Event) -> Event:
        """Return the event as it may be stored, and says so; the same object if there is nothing to mask."""
        seen = _Seen(self._key)
        fields = {
            "original": self._json(event.original, seen),
            "success": self._json(event.success, seen, columns=True),
        }
        shown = [event.malformed, event.error, event.skip]
        shown += [_plain(token) for token in scalars(fields["success"])] if seen else []
        replace = seen.replacer(shown)
        if seen and event.success:
            fields["success"] = JsonFields(_NO_PATHS, seen.hide, _scalars_changed_by(replace)).changed(
                fields["success"]
            )
        texts = {
            "malformed": self._unparsed(event.malformed, replace),
            "error": (self._unparsed if event.malformed else self._text)(event.error, replace),
            "skip": self._text(event.skip, replace),
        }
        changes = {name: value for name, value in {**fields, **texts}.items() if value != getattr(event, name)}
        return msgspec.structs.replace(event, masked=True, **changes) if changes else event

    def _json(self, data: bytes, seen: "_Seen", *, columns: bool = False) -> bytes:
        """Return JSON with the fields masked; a text that can hold none of them is not looked at closely."""
        if not data or not (columns or self._addresses or self._may_hit(data)):
            return data
        change = self._change if self._addresses else None
        return JsonFields(self._paths, seen.hide, change, columns=columns).changed(data)

    def _may_hit(self, data: bytes) -> bool:
        return self._names is None or b"\\u" in data or any(name in data for name in self._names)

    def _change(self, token: bytes, truncate: bool) -> bytes:
        if not token.startswith(b'"') or not any(mark in token for mark in (b".", b":", b"\\")):
            return token
        text = text_of(token)
        nested = text.lstrip()[:1] in {"{", "["}  # JSON in a text: no path leads into it
        shorter = truncated(text) if truncate or nested else (truncated_if_alone(text) if self._everywhere else text)
        return token if shorter == text else json_of(shorter)

    def _text(self, text: str, replace: Replace) -> str:
        """Return what is told about the event, without what was masked in it."""
        text = replace(text)
        return truncated(text) if self._addresses else text

    def _unparsed(self, text: str, replace: Replace) -> str:
        """Return a text that may hold fields and is no JSON; if there is a chance that it does, a note instead."""
        if not text:
            return text
        if self._may_tell(text) or self._may_tell(_unescaped(text)) or _NOT_TEXT.search(text):
            return _note(text)
        shown = self._text(text, replace)
        if self._addresses:
            plain = _unescaped(shown)
            if truncated(plain) != plain:
                return _note(text)
        return shown


class _Seen:
    """The values that were masked in one event, and what stands for each."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._replacements: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._replacements)

    def hide(self, data: bytes, action: Action) -> bytes:
        """Remember the values in the JSON of a field, and return what stands for it."""
        for token in scalars(data):
            replacement = self._hash(token) if action is Action.HASH else _DROPPED
            for text in _spellings(token):
                if text and self._replacements.get(text) != _DROPPED:
                    self._replacements[text] = replacement
        return json_of(self._hash(data) if action is Action.HASH else _DROPPED)

    def _hash(self, data: bytes) -> str:
        return hmac.new(self._key, canonical(data), hashlib.sha256).hexdigest()[:_HASH_LENGTH]

    def _replace_or_note(self, text: str) -> str:
        """Replace a text that is a value itself, and any other by a note."""
        return self._replacements.get(text) or (_note(text) if text else text)

    def replacer(self, texts: Iterable[str]) -> Replace:
        """Return what replaces these values in any of the texts."""
        everything = "\0".join(texts)
        if len(self._replacements) * len(everything) > _MOST_COMPARED:
            return self._replace_or_note
        quoted = sorted((value for value in self._replacements if value in everything), key=len, reverse=True)
        if not quoted:
            return str
        if len(quoted) > _MOST_QUOTED:  # it would take long to find them all
            return self._replace_or_note
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
    """Return the change of texts as a change of JSON; a number is changed as a whole, and becomes a text then."""

    def change(token: bytes, _: bool) -> bytes:
        text = _plain(token)
        replaced = replace(text)
        return token if replaced == text else json_of(replaced)

    return change


def _finder(names: frozenset[str] | None) -> Callable[[str], object]:
    """Return a test whether a text may name one of the fields; letters before or behind make it another name."""
    if names is None:
        return lambda _: True
    pattern = "|".join(rf"(?<![A-Za-z]){re.escape(name)}(?![A-Za-z])" for name in sorted(names))
    return re.compile(pattern, re.IGNORECASE).search if names else lambda _: None


def _spellings(token: bytes) -> set[str]:
    """Return a value as texts may quote it: what it means, and as JSON writes it here, in Python and in Go."""
    if not token.startswith(b'"'):
        return {token.decode()}
    text = text_of(token)
    plain = json_of(text)[1:-1].decode()
    in_go = plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return {text, token[1:-1].decode(errors="backslashreplace"), plain, in_go, json.dumps(text)[1:-1]}


def _unescaped(text: str) -> str:
    """Return a text with the escapes undone that could hide a name, and without the zeros of UTF-16."""

    def character(match: re.Match[str]) -> str:
        code = int(match[1] or match[2] or match[3] or "20", 16)
        return chr(code) if code <= sys.maxunicode else match[0]

    text = _ESCAPED.sub(character, unquote(text.replace("\0", "")))
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # two escapes can be one character


def _note(text: str) -> str:
    return f"[masked: {len(text.encode(errors='surrogatepass'))} bytes]"
