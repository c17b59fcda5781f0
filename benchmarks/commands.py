"""Redis alone, for comparison: plain commands that store the same events, without a sidecar.

The server is on the first core, the client on the last. Each way keeps the last events of ten lists.
"""

import asyncio
import itertools
import shutil
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping

import redis.asyncio
import uvloop

from benchmarks.events import page_views
from benchmarks.measures import BATCH, EVENT_BYTES, MeasurePlan
from benchmarks.report import Yardstick
from benchmarks.servers import LOAD_CORE, SERVER_CORE, Bench, pinned
from eventscache.storage.messages import Batch, Offer, Quota
from eventscache.storage.options import StorageOptions
from eventscache.storage.redis import RedisStorage
from eventscache.stream import Namespace, Status, Stream
from tests.support.redis_server import HOST, RedisServer

IN_FLIGHT = 10
SETS = 20
TOOL_BATCHES = 500
_CSV_COLUMNS = 8
_ADD = ("XADD", "stream", "MAXLEN", "~", "100", "*", "e")
_OPEN = Quota(BATCH, 1)  # a window of 1 µs by the server's clock: everything is admitted

Call = Callable[[int], Awaitable[object]]


class Commands:
    """The ways to store a batch of 100 events in a list of its own."""

    def __init__(self, url: str) -> None:
        self._client = redis.asyncio.Redis.from_url(url, max_connections=IN_FLIGHT)
        self._storage = RedisStorage.from_url(url, StorageOptions(timeout_seconds=10))
        self._numbers = itertools.count(1)
        events = page_views(SETS * BATCH, EVENT_BYTES)
        self._sets = itertools.cycle([events[start : start + BATCH] for start in range(0, len(events), BATCH)])
        self.ways: Mapping[str, Call] = {
            "LPUSH of 100, LTRIM, in one pipeline": self._push,
            "XADD MAXLEN ~ 100, 100 in one pipeline": self._add,
            "eventscache's storage, 100 in one insert": self._insert,
        }

    async def _push(self, number: int) -> None:
        async with self._client.pipeline(transaction=False) as pipeline:
            pipeline.lpush(f"list{number}", *next(self._sets))
            pipeline.ltrim(f"list{number}", 0, BATCH - 1)
            await pipeline.execute()

    async def _add(self, number: int) -> None:
        async with self._client.pipeline(transaction=False) as pipeline:
            for event in next(self._sets):
                pipeline.xadd(f"stream{number}", {"e": event}, maxlen=BATCH, approximate=True)
            await pipeline.execute()

    async def _insert(self, number: int) -> None:
        offers = [Offer(event, Status.SUCCESS) for event in next(self._sets)]
        stream = Stream(Namespace.TOKEN, f"stream{number}")
        await self._storage.insert(Batch(stream, _OPEN, "benchmark", next(self._numbers), offers))

    async def rates(self, plan: MeasurePlan) -> dict[str, list[float]]:
        """Return the events a second of each way, measured alternately."""
        rates: dict[str, list[float]] = {name: [] for name in self.ways}
        async with self._storage:
            for _ in range(plan.rounds):
                for name, call in self.ways.items():
                    rates[name].append(await _rate(call, plan.seconds / 2))
        await self._client.aclose()
        return rates


async def _rate(call: Call, seconds: float) -> float:
    batches = 0
    began = time.perf_counter()

    async def work(number: int) -> None:
        nonlocal batches
        while time.perf_counter() - began < seconds:
            await call(number)
            batches += 1

    await asyncio.gather(*map(work, range(IN_FLIGHT)))
    return batches * BATCH / (time.perf_counter() - began)


def _by_redis_benchmark(server: RedisServer) -> list[Yardstick]:
    """Measure with redis-benchmark, if it is installed."""
    tool = shutil.which("redis-benchmark")
    if not tool:
        return []
    events = [event.decode() for event in page_views(BATCH, EVENT_BYTES)]
    base = [tool, "-h", HOST, "-p", str(server.port), "-c", str(IN_FLIGHT), "--csv"]
    yardsticks = []
    for name, options, events_per_call in (
        ("redis-benchmark, LPUSH of 100", ["-n", str(TOOL_BATCHES), "LPUSH", "list", *events], BATCH),
        (
            "redis-benchmark, XADD MAXLEN ~ 100, 100 in one pipeline",
            ["-n", str(TOOL_BATCHES * BATCH), "-P", str(BATCH), *_ADD, events[0]],
            1,
        ),
    ):
        server.ask("FLUSHALL")
        with pinned(LOAD_CORE):
            answer = subprocess.run([*base, *options], capture_output=True, text=True, check=True).stdout
        requests_per_second = answer.splitlines()[-1].rsplit('","', _CSV_COLUMNS - 1)[1]  # the name holds anything
        yardsticks.append(Yardstick(name, [float(requests_per_second) * events_per_call]))
    return yardsticks


def yardsticks(bench: Bench, plan: MeasurePlan) -> list[Yardstick]:
    """Measure all of them on a Redis of their own."""
    with bench.another_redis(SERVER_CORE) as server:
        rates = uvloop.run(Commands(server.url).rates(plan))
        return [Yardstick(name, each) for name, each in rates.items()] + _by_redis_benchmark(server)
