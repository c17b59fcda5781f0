"""Jitsu's tracking pixel: an event in the query of an address."""

import base64
import json
from collections.abc import Iterable

from eventscache.errors import InvalidEvent
from eventscache.ingest.json import go, scan, strict
from eventscache.ingest.limits import Limits
from eventscache.ingest.secret_half import without_halves

_DATA = "data"
_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_LINE_BREAKS = b"\r\n"
_MOST_PADDING = 2
_TOKENS = ("token", "api_key")
_ALTERNATIVES = "||"
_ANONYMOUS_ID = (("user", "anonymous_id"), ("eventn_ctx", "user", "anonymous_id"))

_Node = dict[str, "bytes | _Node"]
"""The members of an object by their names: JSON as it came, or members that were looked into."""


class _NoObject(Exception):
    """A path leads through a value that is no object."""


class PixelEvent:
    """The event of a query: the JSON object in `data`, and what the other keys set in it.

    A key is a path: its points or slashes lead into objects. Its value is a text, or an array of texts if the key
    comes several times, and wins over what `data` has there. What is not set stays byte for byte as it came.
    Of a key with `||` the first alternative counts whose objects are there; none are made for it, as in Jitsu.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._members: _Node = {}
        self._data = b""  # as it came, while nothing is set in it

    @property
    def token(self) -> str:
        """The token that the event has; empty if it has none. An array or an object is none."""
        values = (self._members.get(name) for name in _TOKENS)
        token = next((value for value in values if value is not None), b"")
        return "" if isinstance(token, dict) or token.startswith((b"[", b"{")) else _text(token)

    @property
    def has_anonymous_id(self) -> bool:
        """Whether the event names its visitor."""
        return any(self._value(path) is not None for path in _ANONYMOUS_ID)

    def text(self, name: str) -> str:
        """Return a member of the event as text; empty if there is none."""
        return self._value((name,)) or ""

    def read_data(self, text: str) -> bytes:
        """Take the object in `data`, and return its bytes. Raises `InvalidEvent` with Jitsu's words."""
        try:
            data = _decoded(text)
        except InvalidEvent as fault:
            raise InvalidEvent(f'Error decoding event from "data" field in tracking pixel: {fault}') from None
        try:
            self._data = _whole_object(data, self._limits)
            self._members = _members(self._data)
        except InvalidEvent as fault:
            raise InvalidEvent(f'Error unmarshalling event from "data": {fault}') from None
        return data

    def set_all(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Set what the keys of a query say, except `data`."""
        values: dict[str, list[str]] = {}
        for name, value in pairs:
            if name != _DATA:
                values.setdefault(name, []).append(value)
        for name, texts in values.items():
            self._set(name, texts[0] if len(texts) == 1 else texts)

    def hide_half(self) -> None:
        """Hide the secret half of the token that the event has."""
        key_id, _, secret = self.token.partition(":")
        if secret:
            self._set(next(name for name in _TOKENS if name in self._members), f"{key_id}:***")

    def original(self) -> bytes:
        """Return the JSON of the event, without secret halves of write keys in other places than its token.

        Raises `InvalidEvent` if it is too large or has too many levels.
        """
        written = without_halves(self._data or _written(self._members))
        if len(written) > self._limits.max_event_bytes:
            raise InvalidEvent(f"Event size {len(written)} exceeds limit: {self._limits.max_event_bytes}")
        strict.check_depth(written, self._limits.max_depth)
        return written

    def _set(self, key: str, value: str | list[str]) -> None:
        paths = [*map(_path, key.split(_ALTERNATIVES))]
        if max(map(len, paths)) > self._limits.max_depth:
            raise InvalidEvent(f"nested deeper than {self._limits.max_depth} levels")
        for path in paths:
            if path == [""]:
                return  # it means the whole event, of which Jitsu sets nothing, and no other alternative
            try:
                node = self._node(path[:-1], make=len(paths) == 1)
            except _NoObject:
                return  # nor does Jitsu try another alternative then
            if node is not None:
                node[path[-1]] = _json(value)
                self._data = b""
                return

    def _node(self, path: list[str], *, make: bool) -> _Node | None:
        """Return the object at a path; make those that are missing, or return None if there is none.

        Raises `_NoObject` for a value on the way that is none.
        """
        node = self._members
        for name in path:
            inner = node.get(name, {} if make else None)
            if inner is None:
                return None
            if isinstance(inner, bytes):
                if not inner.startswith(b"{"):
                    raise _NoObject
                inner = _members(inner)
            node[name] = inner
            node = inner
        return node

    def _value(self, path: tuple[str, ...]) -> str | None:
        """Return the text of a value, as it is written if it is none; None if there is no value."""
        node = self._members
        for name in path[:-1]:
            inner = node.get(name)
            if isinstance(inner, bytes) and inner.startswith(b"{"):
                inner = _members(inner)
            if not isinstance(inner, dict):
                return None
            node = inner
        value = node.get(path[-1])
        if value is None:
            return None
        written = value if isinstance(value, bytes) else _written(value)
        return _text(written)


def _text(written: bytes) -> str:
    return go.text_of(written) if written.startswith(b'"') else written.decode(errors="replace")


def _path(key: str) -> list[str]:
    return key.replace(".", "/").removeprefix("/").removesuffix("/").replace(" ", "").split("/")


def _whole_object(data: bytes, limits: Limits) -> bytes:
    """Return the object that data is; raise `InvalidEvent` with the words of Go for what is not."""
    text = data.strip(b" \t\r\n")
    if scan.object_end(text, limits.max_depth) >= 0:
        return text
    if text == b"null":
        return b"{}"
    try:
        found = go.read_object(text)
    except InvalidEvent as fault:
        words = {"EOF": "unexpected end of JSON input", "unexpected EOF": "unexpected end of JSON input"}
        told = words.get(str(fault), str(fault)).replace("type map[string]interface {}", "type events.Event")
        raise InvalidEvent(told) from None
    _, end = strict.first_value(text.decode("latin-1"))
    if behind := text[end:].lstrip(b" \t\r\n"):
        raise InvalidEvent(f"invalid character {go.quoted(chr(behind[0]), chr(39))} after top-level value")
    return found


def _members(data: bytes) -> _Node:
    return {go.text_of(name): value for name, value in strict.members(data)}


def _written(node: _Node) -> bytes:
    pieces = [
        _json(name) + b":" + (value if isinstance(value, bytes) else _written(value)) for name, value in node.items()
    ]
    return b"{%b}" % b",".join(pieces)


def _json(value: str | list[str]) -> bytes:
    """Return the JSON of a text of a query, whose bytes that are not UTF-8 are surrogates, or of several."""
    return go.repaired(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogateescape"))


def _decoded(text: str) -> bytes:
    """Return what padded standard base64 stands for; line breaks in it do not matter. Raises `InvalidEvent`."""
    data = text.encode(errors="surrogateescape")
    if (wrong := _first_wrong(data)) is not None:
        raise InvalidEvent(f"illegal base64 data at input byte {wrong}")
    return base64.b64decode(data.translate(None, _LINE_BREAKS))


def _first_wrong(data: bytes) -> int | None:
    """Return which byte Go names in base64 that is not valid; None if it is."""
    places = [at for at, byte in enumerate(data) if byte not in _LINE_BREAKS]
    for index, at in enumerate(places):
        if data[at] in _BASE64:
            continue
        rest = places[index:]
        padding = 4 - index % 4
        if data[at] != ord("=") or padding > _MOST_PADDING:
            return at
        if len(rest) < padding:
            return len(data)
        if data[rest[padding - 1]] != ord("="):
            return rest[padding - 1] - 1
        return rest[padding] if len(rest) > padding else None
    left = len(places) % 4
    return len(data) - left if left else None
