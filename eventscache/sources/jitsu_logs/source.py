"""The source `jitsu_logs`: its setting, and how it follows."""

from typing import Any, Self

from eventscache.access.api_keys import spellings
from eventscache.sources.base import SourceOptions
from eventscache.sources.feed import Feed
from eventscache.sources.follower import Follower
from eventscache.sources.jitsu_logs.config import LogsConfig
from eventscache.sources.jitsu_logs.following import Following
from eventscache.sources.jitsu_logs.line import LineParser
from eventscache.sources.jitsu_logs.watch import Watch


class JitsuLogs(Follower):
    """Follows the files in which Jitsu classic logs events."""

    def __init__(self, config: LogsConfig, options: SourceOptions) -> None:
        super().__init__()
        self._config = config
        self._keys = options.api_keys
        self._parser = LineParser(self._token_id, options.max_id_bytes, options.max_depth)

    @classmethod
    def from_config(cls, value: Any, options: SourceOptions) -> Self | None:
        """See `Source.from_config`: false, a directory, or a mapping with `dir`."""
        config = LogsConfig.parse(value)
        return cls(config, options) if config else None

    @property
    def place(self) -> str:
        """See `Source.place`."""
        return f"{self._config.node}:{self._config.directory}" if self._config.node else str(self._config.directory)

    async def follow(self, feed: Feed) -> None:
        """See `Follower.follow`."""
        async with Watch(self._config.directory, name=feed.name) as watch:
            following = await Following.begin(self._config, self._parser, feed)
            while True:
                pause_seconds = await following.bring_news()
                await watch.wait(feed.clock, pause_seconds)

    def _token_id(self, token: str) -> str | None:
        """Return the id of the key with a token, as for ingestion; without keys the token is the id, up to a colon."""
        if not self._keys.configured:
            return token.partition(":")[0] or None
        found = (self._keys.client(text) or self._keys.server(text) for text in spellings(token))
        return next((key.id for key in found if key), None)
