"""The demo: a server of its own, in memory, with a history from the first moment and traffic until it is stopped."""

import asyncio
import itertools
from collections.abc import Callable, Iterable

import msgspec

from eventscache.clock import MICROSECONDS, Clock
from eventscache.config.settings import Settings
from eventscache.demo.traffic import CYCLE_SECONDS, Record, Traffic
from eventscache.server.app import Sidecar
from eventscache.server.run import running
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Batch, Offer, Quota
from eventscache.stream import Status, Stream

_HISTORY_US = 5 * CYCLE_SECONDS * MICROSECONDS
_STEP_SECONDS = 0.2


class Demo:
    """Traffic into a memory storage whose clock shows the past until its history is written."""

    def __init__(self, settings: Settings, seed: int, clock: Clock | None = None) -> None:
        self._pace = clock or Clock()
        self._now_us = self._pace.unix_us() - _HISTORY_US
        self._past = True
        self._quota = settings.quota
        self.storage = MemoryStorage(msgspec.structs.replace(settings.storage_options, now=self._clock))
        self._traffic = Traffic(seed, self._now_us)
        self._numbers = itertools.count(1)

    def _clock(self) -> int:
        return self._now_us if self._past else self._pace.unix_us()

    async def write_history(self) -> None:
        """Fill the storage as it would be by now, refusals of the limiter included."""
        for time_us, records in self._traffic.until(self._pace.unix_us()):
            self._now_us = time_us
            for stream, events in itertools.groupby(records, key=lambda record: record[0]):
                await self.storage.insert(_batch(stream, events, self._quota, next(self._numbers)))
        self._past = False

    async def go_on(self, offer: Callable[[list[Record]], object]) -> None:
        """Offer what comes, when it comes, until cancelled."""
        while True:
            await self._pace.sleep(_STEP_SECONDS)
            for _, records in self._traffic.until(self._pace.unix_us()):
                offer(records)


def _batch(stream: Stream, records: Iterable[Record], quota: Quota, number: int) -> Batch:
    offers = [Offer(event.pack(), event.status, to_error=event.status is Status.ERROR) for _, event in records]
    return Batch(stream, quota, "demo", number, offers)


async def run(settings: Settings, seed: int, say: Callable[[str], object]) -> None:
    """Serve until SIGTERM or SIGINT, and say the address. Raises `ConfigError`."""
    demo = Demo(settings, seed)
    sidecar = Sidecar(settings, demo.storage)
    await demo.write_history()
    async with running(sidecar, settings) as (address, stopped):
        say(address)
        traffic = asyncio.create_task(demo.go_on(sidecar.cache.offer))
        try:
            await stopped.wait()
        finally:
            traffic.cancel()
            await asyncio.gather(traffic, return_exceptions=True)
