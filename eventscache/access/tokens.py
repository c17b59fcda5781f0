"""Tokens that open a door: listed in the settings, or kept in a file of their own."""

import hashlib
import hmac
from collections.abc import Iterable, Sequence

from eventscache.errors import ConfigError


class Tokens:
    """The tokens as they are now, those listed and those read from a file; only their digests are kept.

    `configured` stays true while a file that is named is empty or cannot be read: then no token is known, which is
    not the same as none being needed.
    """

    def __init__(self, listed: Iterable[str], file: str = "") -> None:
        self._listed = _digests(listed)
        self._known = self._listed
        self.configured = bool(self._listed or file)

    def replace(self, tokens: Iterable[str]) -> None:
        """Know these tokens from now on, beside those listed."""
        self._known = self._listed + _digests(tokens)

    def match(self, given: Sequence[str]) -> bool:
        """Whether the one token given is known, compared with all of them in the same time whatever it is."""
        if len(given) != 1:
            return False
        digest = _digest(given[0])
        return sum(hmac.compare_digest(digest, other) for other in self._known) > 0


def parse_tokens(content: bytes) -> tuple[str, ...]:
    """Return the tokens of a file: one a line, without blank lines and those that begin with `#`.

    Raises `ConfigError` if there is none.
    """
    # As aiohttp reads headers, so that a token may be any bytes.
    lines = content.removeprefix(b"\xef\xbb\xbf").decode(errors="surrogateescape").split("\n")
    tokens = tuple(line for line in map(str.strip, lines) if line and not line.startswith("#"))
    if not tokens:
        raise ConfigError("there is no token in it")
    return tokens


def _digests(tokens: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(_digest(token) for token in tokens if token)


def _digest(token: str) -> bytes:
    # A header may hold bytes that are no text; they come as surrogates.
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
