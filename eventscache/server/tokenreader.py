"""Tokens that are kept in a file, such as a secret of Docker's or Kubernetes'."""

from pathlib import Path

from eventscache.server.follower import FollowedFile, Follower
from eventscache.tokens import Tokens, parse_tokens


class TokenReader(Follower):
    """Reads the tokens at the start and whenever their file changes; one that holds none changes nothing."""

    def __init__(self, what: str, path: str, tokens: Tokens, reload_seconds: float) -> None:
        super().__init__(what, path, reload_seconds)
        self._tokens = tokens
        self._file = FollowedFile(Path(path), parse_tokens)

    async def take(self) -> int | None:
        """Take over the tokens."""
        tokens = await self._file.read()
        if tokens is None:
            return None
        self._tokens.replace(tokens)
        return len(tokens)
