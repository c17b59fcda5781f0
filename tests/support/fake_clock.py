import asyncio

from eventscache.clock import Clock

GENEROUS_SECONDS = 20


class FakeClock(Clock):
    """Time that passes only when a test says so, pause by pause."""

    def __init__(self) -> None:
        self.time = 1000.0
        self._paused: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self.time

    def unix_us(self) -> int:
        return 1_600_000_000_000_000 + int(self.time * 1_000_000)

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self._paused.append((seconds, future))
        await future

    async def pass_on(self, pauses: int = 1) -> None:
        """Let pauses end, and return when what came after each is done."""
        async with asyncio.timeout(GENEROUS_SECONDS):
            for _ in range(pauses):
                await self.end_pause()
                await self._next()

    async def end_pause(self) -> None:
        """Let a pause end, perhaps the last one."""
        seconds, future = await self._next()
        self._paused.clear()
        self.time += seconds
        future.set_result(None)

    async def _next(self) -> tuple[float, "asyncio.Future[None]"]:
        while not (waiting := [each for each in self._paused if not each[1].done()]):
            await asyncio.sleep(0)
        return waiting[0]
