"""The values that were masked in one event, and what stands for them in its texts."""

import hmac
import json
from collections.abc import Iterable

from eventscache.masking import DROPPED
from eventscache.masking.field_paths import Action
from eventscache.masking.json_fields import canonical, json_of, scalars, text_of
from eventscache.masking.replacer import Replace, Replacer, quoted_values

_HASH_LENGTH = 32
_in_python = json.JSONEncoder().encode
_HALVES = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")  # halves of surrogate pairs, which Go replaces
_FOR_GO = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


class MaskedValues:
    """The values that were masked in one event, and the replacement of each; hashes are made with `key`."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._replacements: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._replacements)

    def hide(self, data: bytes, action: Action) -> bytes:
        """Remember the values in the JSON of a field, and return the JSON that replaces it."""
        whole = self._hash(data) if action is Action.HASH else DROPPED
        for token in scalars(data):
            replacement = whole if action is Action.DROP or token == data else self._hash(token)
            for text in _spellings(token):
                if text and self._replacements.get(text) != DROPPED:
                    self._replacements[text] = replacement
        return json_of(whole)

    def _hash(self, data: bytes) -> str:
        return hmac.digest(self._key, canonical(data), "sha256").hex()[:_HASH_LENGTH]

    def replacer(self, texts: Iterable[str]) -> Replace:
        """Return a function that replaces these values in any of `texts`."""
        quoted = quoted_values(self._replacements, "\0".join(texts))
        if quoted is None:
            return self._replace_whole
        return Replacer(quoted, self._replacements) if quoted else str

    def _replace_whole(self, text: str) -> str:
        """Replace a text that is a masked value as a whole, and any other text by a placeholder."""
        return self._replacements.get(text) or (placeholder(text) if text else text)


def placeholder(text: str) -> str:
    """Return what stands for a text that may hold something that has to be masked."""
    return f"[masked: {len(text.encode(errors='surrogatepass'))} bytes]"


def _spellings(token: bytes) -> set[str]:
    """Return a value as texts may quote it: decoded, as Go decodes it, and as this JSON, Python and Go write it."""
    if not token.startswith(b'"'):
        return {token.decode()}
    text = text_of(token)
    plain = json_of(text)[1:-1].decode()
    return {
        text,
        text.translate(_HALVES),
        token[1:-1].decode(errors="backslashreplace"),
        plain,
        plain.translate(_FOR_GO),
        _in_python(text)[1:-1],
    }
