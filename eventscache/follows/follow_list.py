"""The list of follows, which all sidecars on one storage share."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Iterable, Mapping

import msgspec
import structlog

from eventscache.cache import EventsCache
from eventscache.clock import Clock
from eventscache.errors import EventsCacheError, StorageError, StorageUnavailable
from eventscache.extras.follows import MOST_FOLLOWS, Follow
from eventscache.storage.checkpoints import Checkpoints
from eventscache.stream import Namespace

NAME = "eventscache.follows"
"""Under which name the storage keeps the list, beside the checkpoints of sources."""
KEPT_MS = 60 * 60 * 1000
"""How long the events of a follow can be read after its end."""
_POLL_SECONDS = 1.0
_CLEAN_SECONDS = 60.0
_LEASE_SECONDS = 5.0
_PAUSE_SECONDS = 0.05
_TRIES = 40
_MOST_KEPT = 100  # with those that have ended

_log = structlog.get_logger()
_decode = msgspec.json.Decoder(Follow).decode
_encode = msgspec.json.encode


class TooManyFollows(EventsCacheError):
    """As many follows are active as are allowed."""


class FollowList:
    """Lets the cache keep what is followed. Every sidecar has the whole list at most a second after it was changed.

    The clocks of the sidecars decide when a follow ends.
    """

    def __init__(self, cache: EventsCache, checkpoints: Checkpoints, clock: Clock | None = None) -> None:
        self._cache = cache
        self._checkpoints = checkpoints
        self._clock = clock or Clock()
        self._follows: tuple[Follow, ...] = ()
        self._active: tuple[Follow, ...] = ()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to ask the storage for the list."""
        if self._cache.keeps_extras and self._cache.enabled:
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ask no more."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    @property
    def follows(self) -> tuple[Follow, ...]:
        """Those that are active or ended within the last hour, by their end."""
        return self._follows

    @property
    def active(self) -> tuple[Follow, ...]:
        """Those that are active."""
        return self._active

    def now_ms(self) -> int:
        """Return the time by which follows end, in Unix milliseconds."""
        return self._clock.unix_us() // 1000

    async def add(self, follow: Follow) -> None:
        """Follow from now on. Raises `TooManyFollows` and `StorageError`."""

        def added(known: Mapping[str, Follow]) -> dict[str, Follow | None]:
            if sum(self._is_active(other) for other in known.values()) >= MOST_FOLLOWS:
                raise TooManyFollows(f"{MOST_FOLLOWS} follows are active, and no more are allowed: end one")
            return {follow.id: follow, **self._surplus(known)}

        await self._change(added)

    async def end(self, follow_id: str) -> bool:
        """End a follow now; return whether there is one. Its events can be read for an hour. Raises `StorageError`."""
        found = False

        def ended(known: Mapping[str, Follow]) -> dict[str, Follow | None]:
            nonlocal found
            follow = known.get(follow_id)
            found = follow is not None
            until_ms = self.now_ms()
            if follow is None or follow.until_ms <= until_ms:
                return {}
            return {follow_id: msgspec.structs.replace(follow, until_ms=until_ms)}

        await self._change(ended)
        return found

    def _is_active(self, follow: Follow) -> bool:
        return follow.until_ms > self.now_ms()

    def _surplus(self, known: Mapping[str, Follow]) -> dict[str, Follow | None]:
        """Return those that leave the list, so that it never grows: they ended first."""
        ended = sorted((follow for follow in known.values() if not self._is_active(follow)), key=_end)
        return {follow.id: None for follow in ended[: max(0, len(known) + 1 - _MOST_KEPT)]}

    async def _change(self, change: Callable[[Mapping[str, Follow]], Mapping[str, Follow | None]]) -> None:
        """Change the list as one step among those of all sidecars, and use it."""
        owner = secrets.token_urlsafe(9)
        for _ in range(_TRIES):
            if await self._checkpoints.hold(owner, _LEASE_SECONDS):
                break
            await self._clock.sleep(_PAUSE_SECONDS)
        else:
            raise StorageUnavailable("another server changes the follows", ambiguous=False)
        try:
            known = await self._load()
            changed = change(known)
            values = {id_.encode(): _encode(follow) if follow else b"" for id_, follow in changed.items()}
            if values and not await self._checkpoints.save(owner, values):
                raise StorageUnavailable("the storage took too long to change the follows", ambiguous=False)
            self._use([follow for follow in {**known, **changed}.values() if follow])
        finally:
            with contextlib.suppress(StorageError):  # then it ends by itself
                await self._checkpoints.hold(owner, 0)

    async def _load(self) -> dict[str, Follow]:
        follows = {}
        for value in (await self._checkpoints.load()).values():
            with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):  # something else wrote it
                follow = _decode(value)
                follows[follow.id] = follow
        return follows

    def _use(self, follows: Iterable[Follow]) -> None:
        self._follows = tuple(sorted(follows, key=_end))
        active = tuple(follow for follow in self._follows if self._is_active(follow))
        if active != self._active:
            self._active = active
            self._cache.use_follows(active)

    async def poll(self) -> None:
        """Use the list as the storage has it. While that is unavailable, the last one is used, and ends as it says."""
        try:
            follows: Iterable[Follow] = (await self._load()).values()
        except StorageError:
            follows = self._follows
        self._use(follows)

    async def clean(self) -> None:
        """Remove the events of follows that ended long ago, then these. Raises `StorageError`."""
        gone = [follow for follow in self._follows if follow.until_ms + KEPT_MS <= self.now_ms()]
        for follow in gone:
            namespaces = [Namespace(follow.namespace)] if follow.namespace else [*Namespace]
            for namespace in namespaces:
                known = [info.stream for info in await self._cache.streams(namespace)]
                included = [stream for stream in known if follow.includes(stream)]
                await self._cache.clear_extra(included, follow.collection, reset=True)
        if gone:
            await self._change(lambda known: {follow.id: None for follow in gone if follow.id in known})

    async def _run(self) -> None:
        cleaned_at = self._clock.now()
        while True:
            try:
                await self.poll()
                if self._clock.now() - cleaned_at >= _CLEAN_SECONDS:
                    cleaned_at = self._clock.now()
                    await self.clean()
            except StorageError:
                pass  # the sender logs that the storage is unavailable; the next round tries again
            except Exception:  # the next round must come all the same
                _log.exception("asking for the follows failed")
            await self._clock.sleep(_POLL_SECONDS)


def _end(follow: Follow) -> int:
    return follow.until_ms
