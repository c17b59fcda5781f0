"""Changes fields in JSON text; everything else stays as it is, byte for byte."""

import json
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from eventscache.masking.field_paths import Action, FieldPaths, Progress, Step

_STRING_OR_SCALAR = rb'"(?:[^"\\]++|\\.)*+"|[^\s"{}\[\],:]++'
_TOKEN = re.compile(_STRING_OR_SCALAR + rb"|[{}\[\],:]", re.DOTALL)
_TOKEN_BUT_COLON = re.compile(_STRING_OR_SCALAR + rb"|[{}\[\],]", re.DOTALL)
_OPENING, _CLOSING = b"{[", b"}]"
_decode = json.JSONDecoder(strict=False).decode
_encode = json.JSONEncoder(ensure_ascii=False).encode
_NO_MATCH = Step(frozenset(), Action.NOTHING)

Hide = Callable[[bytes, Action], bytes]
"""Gets the JSON of a value that is dropped or hashed, and returns the JSON that replaces it if it must remain."""
Change = Callable[[bytes, bool], bytes]
"""Gets a string, number or other scalar and whether its addresses are truncated, and returns the new scalar."""


class _Hidden(NamedTuple):
    """The value of a column that is dropped or hashed; others can be in it."""

    start: int
    end: int
    action: Action


class _Edit(NamedTuple):
    """A replacement of the bytes from start to end; of two with the same start, the one of lower rank counts."""

    start: int
    rank: int
    end: int
    text: bytes


class _Container:
    """An object or array whose members are being read."""

    __slots__ = (
        "action",
        "columns",
        "is_object",
        "kept",
        "name",
        "number",
        "progress",
        "separator",
        "truncate",
        "values",
    )

    def __init__(self, start: int, progress: Progress, *, is_object: bool, truncate: bool) -> None:
        self.is_object = is_object
        self.progress = progress
        self.truncate = truncate
        self.separator = start  # the bracket or comma before the member that is being read
        self.number = 0
        self.kept = 0
        self.name: str | None = None
        self.action = Action.NOTHING
        # Of Jitsu's {"field", "type", "value"}: the names, and where values start and end (-1: not known yet).
        self.columns: list[str] = []
        self.values: list[tuple[int, int]] = []

    def end_member(self, position: int, *, last: bool) -> _Edit | None:
        """Return the removal of the member before the separator at `position`, if the member is dropped."""
        edit = None
        if self.action is not Action.DROP:
            self.kept += 1
        elif self.kept:
            edit = _Edit(self.separator, 1, position, b"")
        else:
            edit = _Edit(self.separator + 1, 1, position if last else position + 1, b"")
        self.separator = position
        self.number += 1
        self.name, self.action = None, Action.NOTHING
        return edit

    def end_value(self, position: int) -> None:
        """Set where a value of several tokens ends."""
        if self.values and self.values[-1][1] < 0:
            self.values[-1] = (self.values[-1][0], position)


class JsonFields:
    """Changes the fields that paths match, and other scalars with `change`, in the text of valid JSON objects.

    All members count, also several of the same name, and names are compared after their escapes are decoded. With
    `columns`, an object of `field` and `value` is Jitsu's description of a column, and is treated as the field would
    be; a value that is dropped becomes what `hide` returns, so that the column remains. With `names`, `change` also
    changes the names of members.
    """

    def __init__(
        self,
        paths: FieldPaths,
        hide: Hide,
        change: Change | None = None,
        *,
        columns: bool = False,
        names: bool = False,
    ) -> None:
        self._paths = paths
        self._hide = hide
        self._change = change
        self._columns = columns
        self._change_name = change if names else None

    def changed(self, data: bytes) -> bytes:
        """Return the text with its fields changed; the same object if nothing changes."""
        hidden: list[_Hidden] = []
        edits = [*self._edits(data, hidden)]
        edits += self._hiding_edits(data, hidden)
        edits.sort()
        if not edits:
            return data
        pieces: list[bytes] = []
        position = 0
        for start, _, end, text in edits:
            if start < position:
                continue  # within a value that is replaced as a whole
            pieces += (data[position:start], text)
            position = end
        return b"".join((*pieces, data[position:]))

    def _edits(  # noqa: C901, PLR0912 - a branch for each kind of token
        self, data: bytes, hidden: list[_Hidden]
    ) -> Iterator[_Edit]:
        """Yield all edits but those of columns that are dropped or hashed: these are added to `hidden`."""
        outer: list[_Container] = []
        inner: _Container | None = None
        tokens = _TOKEN_BUT_COLON.finditer(data)
        for match in tokens:
            token, start = match[0], match.start()
            if inner is None:
                inner = _Container(start, self._paths.root, is_object=token == b"{", truncate=False)
            elif token == b",":
                if edit := inner.end_member(start, last=False):
                    yield edit
            elif token in _CLOSING:
                if edit := inner.end_member(start, last=True):
                    yield edit
                if inner.columns:
                    yield from self._column_edits(data, inner, hidden)
                inner = outer.pop() if outer else None
                if inner:
                    inner.end_value(start + 1)
            elif inner.is_object and inner.name is None:
                inner.name = text_of(token)
                if self._change_name and (text := self._change_name(token, inner.truncate)) != token:
                    yield _Edit(start, 2, match.end(), text)
            else:
                progress, inner.action = self._step(inner)
                if self._columns:
                    _read_column(inner, token, start)
                truncate = inner.truncate or inner.action is Action.TRUNCATE
                if inner.action >= Action.HASH:
                    end = _end_of_value(match, tokens)
                    inner.end_value(end)
                    text = self._hide(data[start:end], inner.action)
                    if inner.action is Action.HASH:
                        yield _Edit(start, 1, end, text)
                elif token in _OPENING:
                    outer.append(inner)
                    inner = _Container(start, progress, is_object=token == b"{", truncate=truncate)
                elif self._change and (text := self._change(token, truncate)) != token:
                    yield _Edit(start, 1, match.end(), text)

    def _step(self, container: _Container) -> Step:
        if not container.progress:
            return _NO_MATCH
        if container.name is None:
            return self._paths.enter_element(container.progress, container.number)
        return self._paths.enter(container.progress, container.name)

    def _column_edits(self, data: bytes, container: _Container, hidden: list[_Hidden]) -> Iterator[_Edit]:
        """Yield the truncation of a column's value, or add it to `hidden`, if paths match the column."""
        if not container.values:
            return
        action = max(map(self._paths.column_action, container.columns), default=Action.NOTHING)
        for start, end in container.values:
            if action >= Action.HASH:
                hidden.append(_Hidden(start, end, action))
            elif action is Action.TRUNCATE and self._change and data[start] not in _OPENING:
                yield _Edit(start, 2, end, self._change(data[start:end], True))

    def _hiding_edits(self, data: bytes, hidden: list[_Hidden]) -> Iterator[_Edit]:
        """Yield the replacements of columns; for each action only the outermost, as those within it go with it."""
        for action in (Action.HASH, Action.DROP):
            position = 0
            for start, end, _ in sorted(value for value in hidden if value.action is action):
                if start >= position:
                    position = end
                    yield _Edit(start, 0, end, self._hide(data[start:end], action))


def _read_column(container: _Container, token: bytes, start: int) -> None:
    """Take the name and the value from the members of a column; where a value that is no scalar ends follows later."""
    if container.name == "field" and token.startswith(b'"'):
        container.columns.append(text_of(token))
    elif container.name == "value":
        container.values.append((start, -1 if token in _OPENING else start + len(token)))


def _end_of_value(first: re.Match[bytes], tokens: Iterator[re.Match[bytes]]) -> int:
    """Take the remaining tokens of a value, and return where it ends."""
    depth, match = 0, first
    while True:
        depth += (match[0] in _OPENING) - (match[0] in _CLOSING)
        if depth <= 0:
            return match.end()
        match = next(tokens)


def text_of(token: bytes) -> str:
    """Return the string that a JSON string means."""
    text = token.decode(errors="backslashreplace")
    return str(_decode(text)) if "\\" in text else text[1:-1]


def json_of(text: str) -> bytes:
    """Return a string as JSON."""
    return _encode(text).encode(errors="backslashreplace")


def canonical(data: bytes) -> bytes:
    """Return JSON without white space, and with as few escapes as possible in strings."""
    return b"".join(json_of(text_of(token)) if token.startswith(b'"') else token for token in _TOKEN.findall(data))


def scalars(data: bytes) -> Iterator[bytes]:
    """Yield the strings and numbers of a value as they are written, without the names of members."""
    tokens = _TOKEN.findall(data)
    for token, following in zip(tokens, [*tokens[1:], b""], strict=False):
        if following != b":" and token[:1] in b'"-0123456789':
            yield token
