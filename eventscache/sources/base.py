"""The contract of a source: what the server asks of it, and what it gets."""

import abc
from typing import Any, NamedTuple, Self

from eventscache.access.api_keys import ApiKeys, KeyList
from eventscache.sources.feed import Feed


class SourceOptions(NamedTuple):
    """What a source may know of the other settings."""

    jitsu_redis_url: str = ""
    """The storage URL of the Redis that Jitsu's file names; empty if it names none."""
    api_keys: ApiKeys = ApiKeys(KeyList())
    """The current keys, which may change at any time."""
    max_id_bytes: int = 512
    max_depth: int = 200


class Source(abc.ABC):
    """Follows a place where Jitsu keeps what it did, and brings each entry to the cache once.

    It only reads. It stands everything that the place may hold: what it cannot read is counted (`Feed.error`), and
    stops nothing else. It never raises from a task of its own, and never holds the event loop for long.

    `eventscache.sources.follower.Follower` does what every source needs: one process at a time, retries, logs.
    """

    @classmethod
    @abc.abstractmethod
    def from_config(cls, value: Any, options: SourceOptions) -> Self | None:
        """Return the source for the value of its setting, such as true, a URL or a mapping; None if that is false.

        Contacts nothing. Raises `ConfigError` if the value cannot be used; its text holds no secret.
        """

    @property
    @abc.abstractmethod
    def place(self) -> str:
        """What is followed, without secrets: two sources with the same place would bring the same entries."""

    @abc.abstractmethod
    async def start(self, feed: Feed) -> None:
        """Begin in the background. A place that is away is no error."""

    @abc.abstractmethod
    async def stop(self) -> None:
        """Stop, and release everything; safe to call twice."""
