import asyncio

from eventscache.clock import Clock

GENEROUS_SECONDS = 20


class FakeClock(Clock):
    """Time that passes only when a test ends a sleep."""

    def __init__(self) -> None:
        self.time = 1000.0
        self._sleeps: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self.time

    def unix_us(self) -> int:
        return 1_600_000_000_000_000 + int(self.time * 1_000_000)

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self._sleeps.append((seconds, future))
        await future

    async def advance(self, sleeps: int = 1) -> None:
        """End so many sleeps, one after the other, and return when the next one has begun."""
        async with asyncio.timeout(GENEROUS_SECONDS):
            for _ in range(sleeps):
                await self.end_sleep()
                await self._next()

    async def end_sleep(self) -> None:
        """End a sleep. It may be the last one."""
        seconds, future = await self._next()
        self._sleeps.clear()
        self.time += seconds
        future.set_result(None)

    async def _next(self) -> tuple[float, "asyncio.Future[None]"]:
        while not (waiting := [each for each in self._sleeps if not each[1].done()]):
            await asyncio.sleep(0)
        return waiting[0]
