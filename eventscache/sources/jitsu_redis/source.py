"""The source `jitsu_redis`: its setting, and how it follows."""

from typing import Any, Self

from eventscache.access.scalars import scalar_text
from eventscache.errors import ConfigError
from eventscache.logs import hide_secrets
from eventscache.sources.base import SourceOptions
from eventscache.sources.feed import Feed
from eventscache.sources.follower import Follower
from eventscache.sources.jitsu_redis.classic import ClassicLists
from eventscache.sources.jitsu_redis.jitsu2 import Jitsu2Logs
from eventscache.sources.jitsu_redis.key_follower import KeyFollower
from eventscache.sources.jitsu_redis.reader import Reader

_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}
_KEYS = {"url", "layout"}
_LAYOUTS: dict[str, type[KeyFollower[Any]]] = {"classic": ClassicLists, "jitsu2": Jitsu2Logs}
_SCHEMES = tuple(f"{scheme}://" for scheme in ("redis", "rediss", "unix", "sentinel", "sentinels"))


class JitsuRedis(Follower):
    """Follows what Jitsu classic, or Jitsu 2 with `layout: jitsu2`, keeps of events, whatever the number of ids."""

    def __init__(self, url: str, layout: str, options: SourceOptions) -> None:
        super().__init__()
        self._url = url
        self._layout = layout
        self._options = options
        self._reader = Reader(url)

    @classmethod
    def from_config(cls, value: Any, options: SourceOptions) -> Self | None:
        """See `Source.from_config`: true, false, the URL of a Redis, or a mapping with `url` and `layout`."""
        given = value if isinstance(value, dict) else {"url": value}
        if unknown := sorted(str(name) for name in given if name not in _KEYS):
            raise ConfigError(f"has an unknown key, {unknown[0]}; known are {', '.join(sorted(_KEYS))}")
        layout = str(given.get("layout", "classic"))
        if layout not in _LAYOUTS:
            raise ConfigError(f"layout must be {' or '.join(_LAYOUTS)}")
        url = _url(given.get("url", True), options)
        return cls(url, layout, options) if url else None

    @property
    def place(self) -> str:
        """See `Source.place`."""
        shown = hide_secrets(self._url)
        return shown if self._layout == "classic" else f"{shown} {self._layout}"

    async def follow(self, feed: Feed) -> None:
        """See `Follower.follow`."""
        await _LAYOUTS[self._layout](self._reader, feed, self._options).follow()

    async def release(self) -> None:
        """See `Follower.release`."""
        await self._reader.close()


def _url(value: Any, options: SourceOptions) -> str:
    """Return the URL of the Redis to follow, empty for none. Raises `ConfigError`."""
    text = str(value) if isinstance(value, bool) else scalar_text(value).strip()
    if text.lower() in _FALSE:
        return ""
    if text.lower() not in _TRUE:
        if not text.startswith(_SCHEMES):
            raise ConfigError("must be true, false, or the URL of a Redis, such as redis://host:6379/0")
        url = text
    elif not (url := options.jitsu_redis_url):
        raise ConfigError("true needs the Redis of Jitsu's file, and meta.storage.redis.host names none: give its URL")
    if not url.startswith(_SCHEMES):
        raise ConfigError("Jitsu uses no Redis Cluster: give the URL of a server or of Sentinels")
    return url
