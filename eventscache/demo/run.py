"""The demo: a server in memory that has a history when it starts, and gets traffic until it is stopped."""

import asyncio
import itertools
from collections.abc import Callable, Sequence

import msgspec

from eventscache.clock import MICROSECONDS, Clock
from eventscache.config.settings import Settings
from eventscache.demo.traffic import CYCLE_SECONDS, Record, ShopTraffic
from eventscache.event import Event
from eventscache.extras.error_groups import EXAMPLES, MOST_GROUPS, group_extras
from eventscache.server.app import Sidecar
from eventscache.server.run import running
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Batch, Extra, Offer, Quota
from eventscache.stream import Status, Stream

_HISTORY_US = 5 * CYCLE_SECONDS * MICROSECONDS
_STEP_SECONDS = 0.2


class Demo:
    """Traffic into a memory storage, whose clock shows the past while the history is written."""

    def __init__(self, settings: Settings, seed: int, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._now_us = self._clock.unix_us() - _HISTORY_US
        self._in_history = True
        self._quota, self._groups = settings.quota, settings.error_groups
        self.storage = MemoryStorage(msgspec.structs.replace(settings.storage_options, now=self._storage_now_us))
        self._traffic = ShopTraffic(seed, self._now_us)
        self._numbers = itertools.count(1)

    def _storage_now_us(self) -> int:
        return self._now_us if self._in_history else self._clock.unix_us()

    async def write_history(self) -> None:
        """Fill the storage as if the traffic had run until now; the limiter limits it as it would have."""
        for time_us, records in self._traffic.records_until(self._clock.unix_us()):
            self._now_us = time_us
            for stream, events in itertools.groupby(records, key=lambda record: record[0]):
                await self.storage.insert(self._batch(stream, [event for _, event in events]))
        self._in_history = False

    def _batch(self, stream: Stream, events: Sequence[Event]) -> Batch:
        offers = [Offer(event.pack(), event.status, to_error=event.status is Status.ERROR) for event in events]
        extras = _extras(events, self._quota) if self._groups else {}
        return Batch(stream, self._quota, "demo", next(self._numbers), offers, extras=extras)

    async def send_traffic(self, offer: Callable[[list[Record]], object]) -> None:
        """Offer each event when it is due, until cancelled."""
        while True:
            await self._clock.sleep(_STEP_SECONDS)
            for _, records in self._traffic.records_until(self._clock.unix_us()):
                offer(records)


def _extras(events: Sequence[Event], quota: Quota) -> dict[str, Extra]:
    """Return what a batch brings for the error groups of its events."""
    indexes: dict[str, list[int]] = {}
    for index, event in enumerate(events):
        for name in group_extras(event.error, malformed=bool(event.malformed)):
            indexes.setdefault(name, []).append(index)
    kept = Quota.at_most(EXAMPLES, quota.window_us)
    return {name: Extra(kept, MOST_GROUPS, offered) for name, offered in indexes.items()}


async def run(settings: Settings, seed: int, announce: Callable[[str], object]) -> None:
    """Serve until SIGTERM or SIGINT; `announce` gets the address. Raises `ConfigError`."""
    demo = Demo(settings, seed)
    sidecar = Sidecar(settings, demo.storage)
    await demo.write_history()
    async with running(sidecar, settings) as (address, stopped):
        announce(address)
        traffic = asyncio.create_task(demo.send_traffic(sidecar.cache.offer))
        try:
            await stopped.wait()
        finally:
            traffic.cancel()
            await asyncio.gather(traffic, return_exceptions=True)
