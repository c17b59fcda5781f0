"""Waits until something changes below a directory, or some time has passed.

The library watchfiles tells of changes at once, through the kernel. It tells nothing of changes that another machine
makes on a network file system, nor if the kernel has no room for another watch: so the directory is looked at from time
to time as well.
"""

import asyncio
import contextlib
from pathlib import Path

import structlog

from eventscache.clock import Clock

_log = structlog.get_logger()

_QUIET_MS, _LONGEST_MS = 50, 200  # changes that come close together are told together
FALLBACK_SECONDS = 5.0
"""How often to look although nothing was told."""
ALONE_SECONDS = 1.0
"""How often to look if nothing tells of changes."""


class Watch:
    """Watches a directory while it is used as a context."""

    def __init__(self, directory: Path, *, name: str) -> None:
        self._directory = directory
        self._name = name
        self._changed = asyncio.Event()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Watch":
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def is_alone(self) -> bool:
        """Whether nothing tells of changes."""
        return self._task is None or self._task.done()

    async def wait(self, clock: Clock, seconds: float | None = None) -> None:
        """Return after a change, or after so many seconds at the latest."""
        pause = seconds or (ALONE_SECONDS if self.is_alone else FALLBACK_SECONDS)
        waiting = [asyncio.ensure_future(self._changed.wait()), asyncio.ensure_future(clock.sleep(pause))]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        self._changed.clear()

    async def _watch(self) -> None:
        try:
            await self._note_changes()
        finally:
            self._changed.set()  # look at once, and more often from now on

    async def _note_changes(self) -> None:
        try:
            import watchfiles  # noqa: PLC0415 - an optional extra, and only for who follows logs
        except ImportError:
            _log.info("watchfiles is not installed, looking at the logs every second", source=self._name)
            return
        with contextlib.suppress(OSError, RuntimeError):  # the directory has gone, or cannot be watched
            async for _ in watchfiles.awatch(
                self._directory,
                watch_filter=None,
                step=_QUIET_MS,
                debounce=_LONGEST_MS,
                stop_event=self._stop,
            ):
                self._changed.set()
