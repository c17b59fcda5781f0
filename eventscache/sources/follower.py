"""A source that one process at a time works for."""

import abc
import asyncio
import contextlib

from eventscache.errors import StorageError
from eventscache.sources.base import Source
from eventscache.sources.feed import Feed
from eventscache.storage.lease import RENEW_SECONDS, LeaseLost

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 5.0


class SourceUnavailable(Exception):
    """The place that a source follows does not answer or refuses; the message says why and holds no secret."""


class Follower(Source):
    """Follows while it has the lease of its place; after an error it begins again, at first soon, then more rarely."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    @abc.abstractmethod
    async def follow(self, feed: Feed) -> None:
        """Load the checkpoints, and follow from there until cancelled; call `Feed.reached` once the place answers.

        May raise `SourceUnavailable`, `StorageError` and `LeaseLost`; then it is called again later. Any other
        exception is a bug: it is logged, and the same happens.
        """

    async def release(self) -> None:
        """Release what `follow` acquired; called in the end, and after each error."""

    async def start(self, feed: Feed) -> None:
        """See `Source.start`."""
        self._task = asyncio.create_task(self._run(feed))

    async def stop(self) -> None:
        """See `Source.stop`."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self, feed: Feed) -> None:
        pause_seconds = _FIRST_PAUSE_SECONDS
        while True:
            try:
                if not await feed.lease.acquire():
                    feed.state.waiting()
                    await feed.clock.sleep(RENEW_SECONDS)
                    continue
                await feed.lease.run(lambda: self.follow(feed))
            except LeaseLost as lost:
                feed.state.interrupted(str(lost))
            except SourceUnavailable as fault:
                feed.counts.errors["unavailable"] += 1
                feed.state.interrupted(str(fault))
            except StorageError as fault:
                feed.state.interrupted(f"the storage: {fault}")
            except Exception as fault:  # a bug of one source stops no other, and nothing else
                feed.counts.errors["internal"] += 1
                feed.state.failed(fault)
            finally:
                if feed.counts.following:
                    pause_seconds = _FIRST_PAUSE_SECONDS
                feed.counts.following = False
                feed.counts.lag_ms = feed.counts.last_seen_s = 0
                await self.release()
            await feed.clock.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
