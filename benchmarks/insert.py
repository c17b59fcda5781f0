"""Batches into Redis: `RedisStorage.insert` against its bare minimum, measured alternately in one run.

Starts its own redis-server, without persistence, on a Unix socket, and pins it to the first core and this process to
the last, where the system can. A batch is 100 events of 1 KB, no two alike in 50 batches: Lua keeps one copy of equal
strings, which would flatter the scripts. Every event is admitted because the window is 1 µs by the server's own clock,
so that each call does all its work: it decides, numbers, stores and trims.
"""

import argparse
import asyncio
import itertools
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import redis.asyncio
import uvloop

from eventscache.storage.messages import Admission, Batch, Offer, Quota, Unsent
from eventscache.storage.options import StorageOptions
from eventscache.storage.redis import RedisStorage
from eventscache.stream import Namespace, Status, Stream

BATCH = 100
EVENT_BYTES = 1000
BATCHES = 50
SMALL_EVENT = b"x" * 100
ADMITTING, LIMITING = Quota(BATCH, 1), Quota(BATCH, 3_600_000_000)
SURPLUS = 900
IN_FLIGHT = 10
STREAMS = 1000
START_SECONDS = 20
OPTIONS = StorageOptions(timeout_seconds=10)

CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []

Call = Callable[[Stream], Awaitable[Any]]


class Measurement(NamedTuple):
    """A ratio or size in several rounds, and its bar."""

    name: str
    values: list[float]
    bar: float
    at_least: bool = False

    def __str__(self) -> str:
        median = statistics.median(self.values)
        met = median >= self.bar if self.at_least else median <= self.bar
        shape = ",.0f" if self.bar > 100 else ".2f"
        spread = f"{min(self.values):{shape}} to {max(self.values):{shape}}"
        sign = ">=" if self.at_least else "<="
        return f"| {self.name} | {median:{shape}} | {spread} | {sign} {self.bar:{shape}} | {'yes' if met else 'NO'} |"


class Recorder(redis.asyncio.Redis):
    """A client that keeps the arguments of the last script call, to call another script with them."""

    recorded: tuple[Any, ...] = ()

    def evalsha(self, sha: str, numkeys: int, *keys_and_args: Any) -> Any:
        self.recorded = (numkeys, *keys_and_args)
        return super().evalsha(sha, numkeys, *keys_and_args)


class InsertLoad:
    """The calls: batches of one writer, and the two commands that they are compared with."""

    def __init__(self, client: Recorder) -> None:
        self.client = client
        self._storage = RedisStorage(client, OPTIONS)
        self._numbers = itertools.count(1)
        offers = [_offers(Status.SUCCESS) for _ in range(BATCHES)]
        self._offers = itertools.cycle(offers)
        self._events = itertools.cycle([[offer.event for offer in batch] for batch in offers])

    async def insert(
        self,
        stream: Stream,
        offers: list[Offer],
        quota: Quota = ADMITTING,
        all: Unsent = Unsent(),
        error: Unsent = Unsent(),
    ) -> Admission:
        batch = Batch(stream, quota, "benchmark", next(self._numbers), offers, all, error)
        return await self._storage.insert(batch)

    async def admitted(self, stream: Stream) -> None:
        admission = await self.insert(stream, next(self._offers))
        assert admission.all
        assert admission.all.admitted == BATCH

    async def limited(self, stream: Stream) -> None:
        admission = await self.insert(stream, next(self._offers), LIMITING)
        assert admission.all
        assert not admission.all.admitted

    async def limited_surplus(self, stream: Stream) -> None:
        admission = await self.insert(stream, next(self._offers), LIMITING, Unsent(surplus=SURPLUS))
        assert admission.all
        assert not admission.all.admitted

    async def push(self, stream: Stream) -> None:
        await self.client.lpush(_list(stream), *next(self._events))

    async def nothing(self, _: Stream) -> None:
        await self.client.evalsha(self.idle, *self.recorded[:-BATCH], *next(self._events))

    async def prepare(self, streams: Iterable[Stream]) -> None:
        """Fill the streams, load the script that does nothing, and record the arguments that it gets."""
        self.idle = await self.client.script_load("return 0")
        for stream in streams:
            await self.admitted(stream)
        self.recorded = self.client.recorded


def _offers(status: Status) -> list[Offer]:
    """Return a batch of events that are all different."""
    events = [os.urandom(EVENT_BYTES // 2).hex().encode() for _ in range(BATCH)]
    return [Offer(event, status, to_error=status is Status.ERROR) for event in events]


def _list(stream: Stream) -> str:
    return f"benchmark:v1:{{t.{stream.id}}}:all"


def _streams(name: str, count: int) -> list[Stream]:
    return [Stream(Namespace.TOKEN, f"{name}{number:04}") for number in range(count)]


@contextmanager
def server(binary: str) -> Iterator[str]:
    """Run a redis-server on the first core, this process on the last; yield the path of its socket."""
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder, "redis.sock")
        if CORES:
            os.sched_setaffinity(0, {CORES[0]})  # which the server inherits
        process = subprocess.Popen(
            [binary, "--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL,
        )
        if CORES:
            os.sched_setaffinity(0, {CORES[-1]})
        try:
            deadline = time.monotonic() + START_SECONDS
            while not socket.exists():
                if time.monotonic() > deadline or process.poll() is not None:
                    raise SystemExit(f"{binary} did not start")
                time.sleep(0.01)
            yield str(socket)
        finally:
            process.kill()
            process.wait()


async def seconds_of(call: Call, streams: list[Stream], calls: int) -> float:
    """Return how long that many calls take, with one in flight for each stream."""

    async def work(stream: Stream) -> None:
        for _ in range(calls // len(streams)):
            await call(stream)

    began = time.perf_counter()
    await asyncio.gather(*map(work, streams))
    return time.perf_counter() - began


async def throughput(load: InsertLoad, in_flight: int, rounds: int, calls: int) -> Measurement:
    """Compare the events per second of insert and of LPUSH; the pushed lists are trimmed outside the measured time."""
    streams = _streams("rate", in_flight)
    await load.prepare(streams)
    inserts, pushes = [], []
    for _ in range(rounds + 1):
        insert_seconds = push_seconds = 0.0
        for _ in range(calls // 50):
            push_seconds += await seconds_of(load.push, streams, 50)
            for stream in streams:
                await load.client.ltrim(_list(stream), 0, BATCH - 1)
            insert_seconds += await seconds_of(load.admitted, streams, 50)
        inserts.append(insert_seconds)
        pushes.append(push_seconds)
    inserts, pushes = inserts[1:], pushes[1:]  # the first round warms up
    insert_rate, push_rate = (calls * BATCH / statistics.median(seconds) for seconds in (inserts, pushes))
    print(f"- {in_flight} in flight: insert {insert_rate:,.0f} events/s, LPUSH {push_rate:,.0f} events/s")
    name = f"insert / LPUSH, events a second, {in_flight} in flight"
    return Measurement(name, [push / insert for insert, push in zip(inserts, pushes, strict=True)], 0.40, at_least=True)


class Cost(NamedTuple):
    """The server's processor time: in scripts, and of the whole process."""

    script_us: float
    process_us: float

    @classmethod
    async def so_far(cls, client: redis.asyncio.Redis) -> "Cost":
        commands: Any = await client.info("commandstats")
        cpu: Any = await client.info("cpu")
        process_us = (cpu["used_cpu_user"] + cpu["used_cpu_sys"]) * 1e6
        return cls(commands["cmdstat_evalsha"]["usec"], process_us)


async def processor(load: InsertLoad, rounds: int, calls: int) -> list[Measurement]:
    """Compare what calls cost the server: admitted, limited, and a script that does nothing."""
    streams = _streams("cost", IN_FLIGHT)
    await load.prepare(streams)
    kinds: dict[str, Call] = {
        "return 0": load.nothing,
        "admitted": load.admitted,
        "limited": load.limited,
        "surplus": load.limited_surplus,
    }
    costs: dict[str, list[Cost]] = {kind: [] for kind in kinds}
    for _ in range(rounds + 1):
        sums = dict.fromkeys(kinds, Cost(0, 0))
        for _ in range(calls // 50):
            for kind, call in kinds.items():
                if kind != "surplus":  # whose streams are in the state that the limited batches left
                    await call(streams[0])
                before = await Cost.so_far(load.client)
                for number in range(50):
                    await call(streams[number % IN_FLIGHT])
                after = await Cost.so_far(load.client)
                script_us, process_us = (b - a for a, b in zip(before, after, strict=True))
                sums[kind] = Cost(sums[kind].script_us + script_us, sums[kind].process_us + process_us)
        for kind, cost in sums.items():
            costs[kind].append(cost)
    for kind, measured in costs.items():
        del measured[0]  # warm-up
        script_us, process_us = (statistics.median(times) / (calls // 50 * 50) for times in zip(*measured, strict=True))
        print(f"- server's time a call, {kind}: {script_us:.0f} µs in the script, {process_us:.0f} µs of its process")

    def measurements(name: str, one: str, other: str, bar: float) -> Iterator[Measurement]:
        for field, label in enumerate(("in the script", "of the process")):
            ratios = [a[field] / b[field] for a, b in zip(costs[one], costs[other], strict=True)]
            yield Measurement(f"{name}, server's time {label}", ratios, bar)

    return [
        *measurements("insert / script that returns 0", "admitted", "return 0", 1.6),
        *measurements("limited / admitted", "limited", "admitted", 1.0),
        *measurements(f"limited with {SURPLUS} more as surplus / admitted", "surplus", "admitted", 1.0),
    ]


async def memory(load: InsertLoad, offers: list[Offer], rounds: int, streams: int) -> tuple[list[float], list[float]]:
    """Return the memory of a stream with these events: of its keys and its share of the registry, and by growth.

    The growth includes the server's own tables, which double from time to time.
    """
    client = load.client
    by_keys, by_growth = [], []
    for number in range(rounds):
        await client.flushall()
        await load.insert(_streams("warm", 1)[0], offers)
        before: Any = await client.info("memory")
        for stream in _streams(f"memory{number}", streams):
            await load.insert(stream, offers)
        after: Any = await client.info("memory")
        by_growth.append((after["used_memory"] - before["used_memory"]) / streams)
        used = await client.memory_usage("eventscache:v1:streams:t", samples=0) or 0
        for stream in _streams(f"memory{number}", min(streams, 50)):
            share = 0
            async for key in client.scan_iter(f"eventscache:v1:{{t.{stream.id}}}:*", count=10_000):
                share += await client.memory_usage(key, samples=0) or 0
        by_keys.append(share + used / (streams + 1))
    return by_keys, by_growth


async def memories(load: InsertLoad, rounds: int, streams: int) -> list[Measurement]:
    """Compare the memory of streams with the size of their events."""
    measurements = []
    small, full, failed = (
        [Offer(SMALL_EVENT, Status.SUCCESS)],
        _offers(Status.SUCCESS),
        _offers(Status.ERROR),
    )
    for name, offers, payload, bar in (
        ("bytes of a stream with one event of 100 bytes", small, 1, 1536),
        ("bytes of a full stream / its payload", full, BATCH * EVENT_BYTES, 1.25),
        ("bytes of a stream full of errors / its payload, twice", failed, 2 * BATCH * EVENT_BYTES, 1.25),
    ):
        count = streams if offers is small else streams // 10
        for label, sizes in zip(("keys", "growth"), await memory(load, offers, rounds, count), strict=True):
            measurements.append(Measurement(f"{name}, by {label}", [size / payload for size in sizes], bar))
    return measurements


async def measure(path: str, arguments: argparse.Namespace) -> None:
    # As the storage makes its own pool, but with time enough for a slow machine.
    pool: Any = redis.asyncio.BlockingConnectionPool.from_url(
        f"unix://{path}", max_connections=2 * OPTIONS.pool_size + 2, timeout=10, socket_timeout=10
    )
    load = InsertLoad(Recorder(connection_pool=pool))
    version = (await load.client.info("server"))["redis_version"]
    pinned = f"pinned to core {CORES[0]}, the client to core {CORES[-1]}" if len(CORES) > 1 else "not pinned"
    print(f"Redis {version}, {pinned}; {arguments.rounds} rounds of {arguments.calls} calls\n")
    measurements = [
        await throughput(load, in_flight, arguments.rounds, arguments.calls) for in_flight in (1, IN_FLIGHT)
    ]
    measurements += await processor(load, arguments.rounds, arguments.calls)
    measurements += await memories(load, 3, STREAMS // 5 if arguments.quick else STREAMS)
    print("\n| measurement | median | spread | bar | met |\n|---|---|---|---|---|")
    print(*measurements, sep="\n")
    await load.client.aclose()
    await pool.disconnect()


def main() -> None:
    """Run all measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=500, help="per side and round")
    parser.add_argument("--quick", action="store_true", help="7 rounds of 100 calls, fewer streams")
    parser.add_argument("--redis-server", default=shutil.which("redis-server"), help="the program")
    arguments = parser.parse_args()
    if not arguments.redis_server:
        parser.error("no redis-server in the PATH; name one with --redis-server")
    if arguments.quick:
        arguments.rounds, arguments.calls = 7, 100
    with server(arguments.redis_server) as path:
        uvloop.run(measure(path, arguments))


if __name__ == "__main__":
    main()
