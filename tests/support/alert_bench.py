"""Looks at a storage for alerts, on a clock that a test moves."""

import asyncio

from eventscache.alerts.counts import AlertCounts
from eventscache.alerts.kept_state import KeptState
from eventscache.alerts.rules import Alert, Rules
from eventscache.alerts.watch import Watch
from eventscache.clock import MICROSECONDS, Clock
from eventscache.event import Event
from eventscache.storage.base import Storage
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Batch, Extra, Offer, Quota
from eventscache.storage.options import StorageOptions
from eventscache.stream import Namespace, Stream
from eventscache.testing import ManualClock

QUOTA = Quota(100, 60 * MICROSECONDS)
DESTINATION = Stream(Namespace.DESTINATION, "shop")
OTHER = Stream(Namespace.TOKEN, "other")


class SteppedClock(Clock):
    """The time of a `ManualClock`; who sleeps wakes up when a test has moved it far enough."""

    def __init__(self, manual: ManualClock) -> None:
        self.manual = manual
        self._sleeps: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self.manual.now_us / MICROSECONDS

    def unix_us(self) -> int:
        return self.manual.now_us

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self._sleeps.append((self.now() + seconds, future))
        await future

    async def advance(self, seconds: int) -> None:
        """Move on second by second, and let those run who wake up."""
        for _ in range(seconds):
            self.manual.advance(MICROSECONDS)
            for due in [sleep for sleep in self._sleeps if sleep[0] <= self.now()]:
                self._sleeps.remove(due)
                if not due[1].done():
                    due[1].set_result(None)
            for _ in range(100):
                await asyncio.sleep(0)


class Writer:
    """Writes events to a storage, as a cache does."""

    def __init__(self, storage: Storage, quota: Quota = QUOTA) -> None:
        self.storage = storage
        self.quota = quota
        self._number = 0

    async def write(
        self, stream: Stream = DESTINATION, *, good: int = 0, errors: int = 0, error: str = "boom", group: str = ""
    ) -> None:
        """Write events, the good ones first; the errors belong to a group, if one is named."""
        self._number += 1
        events = [Event.of(stream, original=b"{}") for _ in range(good)]
        events += [Event.of(stream, original=b"{}", error=error) for _ in range(errors)]
        offers = [Offer(event.pack(), event.status, to_error=bool(event.error)) for event in events]
        extras = {f"group:{group}": Extra(self.quota, 50, range(good, good + errors))} if group else {}
        await self.storage.insert(Batch(stream, self.quota, "writer", self._number, offers, extras=extras))


class AlertBench(Writer):
    """A storage in memory, and one who looks at it."""

    def __init__(self, quota: Quota = QUOTA, **rules: object) -> None:
        self.manual = ManualClock()
        super().__init__(MemoryStorage(StorageOptions(now=self.manual)), quota)
        self.clock = SteppedClock(self.manual)
        self.counts = AlertCounts()
        self.saved: dict[bytes, bytes] = {}
        self.rules = Rules(**rules)  # type: ignore[arg-type]
        self.take_over()

    def set_own_clock_apart(self) -> None:
        """Let the process have a clock of its own, which goes on when that of the storage is set."""
        self.clock = SteppedClock(ManualClock())
        self.take_over()

    def set_back(self, seconds: int) -> None:
        """Set the clock of the storage, but no other."""
        self.manual.advance(-seconds * MICROSECONDS)

    def take_over(self, *, interrupted: bool = False) -> None:
        """Go on with what was saved, as another process does."""
        self.watch = Watch(
            self.storage, KeptState(self.saved), self.rules, self.counts, self.clock, interrupted=interrupted
        )

    async def look(self, after_seconds: float = 10) -> list[Alert]:
        """Return what is told some seconds later."""
        for manual in {self.manual, self.clock.manual}:
            manual.advance(int(after_seconds * MICROSECONDS))
        alerts = await self.watch.look()
        changed = self.watch.state.take_changed()
        self.saved = {name: value for name, value in {**self.saved, **changed}.items() if value}
        return alerts

    async def looks(self, seconds: int) -> list[Alert]:
        """Return what is told in so many seconds, with a look every ten."""
        return [alert for _ in range(seconds // 10) for alert in await self.look()]
