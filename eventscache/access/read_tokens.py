"""Read tokens: each lets its holder read some streams, and do nothing else."""

import dataclasses
import hmac
from collections.abc import Sequence
from typing import NamedTuple

from eventscache.access.some_streams import SomeStreams
from eventscache.access.tokens import Tokens, digest_of
from eventscache.errors import ConfigError

_MAY_DO_MORE = "its token is an admin or ingest token too; a read token must be one of its own"


@dataclasses.dataclass(frozen=True)
class ReadToken:
    """A token, and the streams that its holder may read."""

    token: str = dataclasses.field(repr=False)
    streams: SomeStreams


class KnownReader(NamedTuple):
    """The digest of a read token that was given, and the streams that its holder may read."""

    digest: bytes
    streams: SomeStreams


class ReadTokens:
    """The current read tokens: those listed, and those of a file. Only their digests are kept in memory."""

    def __init__(self, listed: Sequence[ReadToken] = (), others: Sequence[Tokens] = ()) -> None:
        """`others` are the tokens that may do more, which no read token may equal."""
        self._of_file: dict[bytes, SomeStreams] = {}
        self._others = others
        self.list(listed)

    def list(self, tokens: Sequence[ReadToken]) -> None:
        """Use these listed tokens from now on, besides those of the file."""
        self._listed = _by_digest(tokens)
        self._in_use = {**self._listed, **self._of_file}

    def check(self, tokens: Sequence[ReadToken]) -> None:
        """Raise `ConfigError` if a token of the file is listed too, or is an admin or ingest token."""
        for number, token in enumerate(tokens, 1):
            if any(other.match([token.token]) for other in self._others):
                raise ConfigError(f"entry {number}: {_MAY_DO_MORE}")
            if digest_of(token.token) in self._listed:
                raise ConfigError(f"entry {number}: its token is in eventscache.read_tokens as well")

    def replace(self, tokens: Sequence[ReadToken]) -> None:
        """Use these tokens of the file from now on, besides those listed."""
        self._of_file = _by_digest(tokens)
        self._in_use = {**self._listed, **self._of_file}

    def match(self, given: Sequence[str]) -> KnownReader | None:
        """Return whose token it is if exactly one is given and known, in the same time for every token."""
        return self.find(digest_of(given[0])) if len(given) == 1 else None

    def find(self, digest: bytes) -> KnownReader | None:
        """Return who has the token of a digest, in the same time for every digest."""
        found = [
            KnownReader(digest, streams)
            for known, streams in self._in_use.items()
            if hmac.compare_digest(digest, known)
        ]
        return found[0] if found else None


def check_read_tokens(tokens: Sequence[ReadToken], others: Sequence[str]) -> None:
    """Raise `ConfigError` if a read token is one of the `others`, which may do more."""
    for number, token in enumerate(tokens, 1):
        if token.token in others:
            raise ConfigError(f"entry {number}: {_MAY_DO_MORE}")


def _by_digest(tokens: Sequence[ReadToken]) -> dict[bytes, SomeStreams]:
    return {digest_of(token.token): token.streams for token in tokens}
