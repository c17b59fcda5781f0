"""The demo: a server in memory that has a history when it starts, and gets traffic until it is stopped."""

import asyncio
import itertools
from collections.abc import Callable, Iterable

import msgspec

from eventscache.clock import MICROSECONDS, Clock
from eventscache.config.settings import Settings
from eventscache.demo.traffic import CYCLE_SECONDS, Record, ShopTraffic
from eventscache.server.app import Sidecar
from eventscache.server.run import running
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Batch, Offer, Quota
from eventscache.stream import Status, Stream

_HISTORY_US = 5 * CYCLE_SECONDS * MICROSECONDS
_STEP_SECONDS = 0.2


class Demo:
    """Traffic into a memory storage, whose clock shows the past while the history is written."""

    def __init__(self, settings: Settings, seed: int, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._now_us = self._clock.unix_us() - _HISTORY_US
        self._in_history = True
        self._quota = settings.quota
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
                await self.storage.insert(_batch(stream, events, self._quota, next(self._numbers)))
        self._in_history = False

    async def send_traffic(self, offer: Callable[[list[Record]], object]) -> None:
        """Offer each event when it is due, until cancelled."""
        while True:
            await self._clock.sleep(_STEP_SECONDS)
            for _, records in self._traffic.records_until(self._clock.unix_us()):
                offer(records)


def _batch(stream: Stream, records: Iterable[Record], quota: Quota, number: int) -> Batch:
    offers = [Offer(event.pack(), event.status, to_error=event.status is Status.ERROR) for _, event in records]
    return Batch(stream, quota, "demo", number, offers)


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
