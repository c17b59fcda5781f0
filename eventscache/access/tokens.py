"""Tokens that grant access: listed in the settings, or kept in a file of their own."""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import Final

from eventscache.errors import ConfigError

PUBLISHED_TOKENS: Final = frozenset(
    {"demo___please_provide_value_in_production___", "demo_admin", "admin_token", "a123"}
)
"""Admin tokens in the files that Jitsu publishes. Everybody knows them, so they count as none."""


class Tokens:
    """The current tokens: those listed, and those of a file. Only their digests are kept in memory.

    `configured` is true also while the file is empty or cannot be read: then no token matches, but one is needed.
    Tokens that Jitsu publishes never count.
    """

    def __init__(self, listed: Iterable[str], file: str = "") -> None:
        self._has_file = bool(file)
        self._of_file: tuple[bytes, ...] = ()
        self.list(listed)

    def list(self, tokens: Iterable[str]) -> None:
        """Use these listed tokens from now on, besides those of the file."""
        self._listed = _digests(tokens)
        self._in_use = self._listed + self._of_file
        self.configured = bool(self._listed or self._has_file)

    def replace(self, tokens: Iterable[str]) -> None:
        """Use these tokens of the file from now on, besides those listed."""
        self._of_file = _digests(tokens)
        self._in_use = self._listed + self._of_file

    def match(self, given: Sequence[str]) -> bytes:
        """Return the digest of the token if exactly one is given and known, else no bytes.

        The comparison takes the same time for every token.
        """
        if len(given) != 1:
            return b""
        digest = digest_of(given[0])
        return digest if self.holds(digest) else b""

    def holds(self, digest: bytes) -> bool:
        """Tell whether one of the tokens has a digest. It takes the same time for every digest."""
        return sum(hmac.compare_digest(digest, known) for known in self._in_use) > 0


def parse_tokens(content: bytes) -> tuple[str, ...]:
    """Return the tokens of a file: one a line, blank lines and lines that begin with `#` left out.

    Raises `ConfigError` if there is none, but perhaps one that Jitsu publishes.
    """
    # Decoded as aiohttp decodes headers, so that a token may be any bytes.
    lines = content.removeprefix(b"\xef\xbb\xbf").decode(errors="surrogateescape").split("\n")
    tokens = tuple(line for line in map(str.strip, lines) if line and not line.startswith("#"))
    if not PUBLISHED_TOKENS.issuperset(tokens):
        return tokens
    if tokens:
        raise ConfigError("it holds only a token that Jitsu publishes, which counts as none")
    raise ConfigError("there is no token in it")


def _digests(tokens: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(digest_of(token) for token in tokens if token and token not in PUBLISHED_TOKENS)


def digest_of(token: str) -> bytes:
    """Return what is kept and compared of a token."""
    # A header may hold bytes that are not UTF-8; aiohttp decodes them to surrogates.
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
