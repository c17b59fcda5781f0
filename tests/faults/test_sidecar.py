"""A sidecar that is killed, stopped, frozen, overloaded, or out of file descriptors."""

import asyncio
import json
import resource
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from eventscache.config.settings import DEFINITIONS, Settings
from eventscache.stream import Stream
from tests.support.command import Process, Serve
from tests.support.redis_server import RedisServer, free_port
from tests.support.sidecar import CACHE, HONEST
from tests.support.trial import PATIENT, SETTINGS, STREAMS, TAKEN, Trial, Try, under_load

pytestmark = pytest.mark.slow
OTHERS = [Stream(stream.namespace, f"another {stream.id}") for stream in STREAMS]
# Nothing is limited or trimmed here, so that all that was stored must be there.
ROOMY = {**SETTINGS, **PATIENT, "size": 100_000}


@asynccontextmanager
async def trial_of(
    process: Process, settings: dict[str, Any], streams: Sequence[Stream] = STREAMS
) -> AsyncIterator[Trial]:
    """Put a load on a process, and check nothing in the end."""
    async with (
        aiohttp.ClientSession() as session,
        under_load(Trial(process.address, session, Settings(**settings), streams=streams)) as trial,
    ):
        yield trial


async def settle(trial: Trial) -> None:
    """End the load, and return when nothing is queued."""
    await trial.load.stop()
    await trial.stop_reading()
    await trial.until(trial.is_idle, "nothing is queued")


@pytest.fixture
def begin(serve: Serve, tcp_redis: RedisServer) -> Any:
    """Start a process over `tcp_redis`."""

    def begin_process(*options: str, **settings: Any) -> Process:
        environ = {DEFINITIONS[name].variables[0]: str(value) for name, value in settings.items()}
        return serve("--storage", tcp_redis.storage_url, *options, **environ)

    return begin_process


async def stored_numbers(process: Process) -> list[int]:
    """Return the numbers of all events that are stored, each as often as it is there."""
    numbers: list[int] = []
    for stream in STREAMS:
        found = await process.get(f"{CACHE}?namespace={stream.namespace}&ids={stream.id}&limit=100000")
        numbers += [event["original"]["n"] for event in found["events"]]
    return numbers


async def test_a_sidecar_that_is_killed_loses_only_what_waited_in_it(begin: Any) -> None:
    port = free_port()
    first = begin("--port", str(port), **ROOMY)
    async with trial_of(first, ROOMY) as trial:
        await trial.until_stored(200)
        stored = (await trial.counts()).stored
        await trial.stop_reading()
        first.process.kill()
        first.process.wait()
        second = await asyncio.to_thread(lambda: begin("--port", str(port), **ROOMY))
        await trial.until_recovered()
        await settle(trial)
        ledger = await trial.counts()
        numbers = await stored_numbers(second)
    assert {*trial.load.counts.statuses} <= TAKEN
    assert ledger.all_dropped == ledger.limited == 0
    assert len({*numbers}) == len(numbers)
    assert stored + ledger.stored <= len(numbers) <= trial.load.requests.sent
    assert second.stop() == 0


async def test_a_sidecar_that_is_told_to_stop_under_load_keeps_all_that_it_took(
    begin: Any, tcp_redis: RedisServer
) -> None:
    process = begin(**ROOMY)
    acknowledged: list[int] = []

    async def store_on() -> None:
        async with aiohttp.ClientSession() as session:
            for number in range(10**9):
                body = {"original": {"n": number}}
                async with session.post(f"{process.address}{CACHE}?id=acknowledged&ack=stored", json=body) as answer:
                    if answer.status == 200:
                        acknowledged.append(number)

    async with trial_of(process, ROOMY) as trial:
        storing = asyncio.create_task(store_on())
        await trial.until_stored(200)
        await trial.stop_reading()
        assert await asyncio.to_thread(process.stop) == 0
        with pytest.raises(aiohttp.ClientError):
            await storing
        await trial.load.abandon()
    told = process.log[-1]
    assert told["event"] == "stopped"
    assert told["dropped"] == told["rejected"] == told["limited"] == 0
    assert told["received"] == told["stored"]
    sent = trial.load.counts
    assert {*sent.statuses} <= TAKEN
    assert sent.least + len(acknowledged) <= told["received"]
    again = await asyncio.to_thread(lambda: begin(**ROOMY))
    numbers = await stored_numbers(again)
    found = await again.get(f"{CACHE}?ids=acknowledged&limit=100000")
    kept = [event["original"]["n"] for event in found["events"]]
    assert len({*numbers}) == len(numbers)
    assert len(numbers) + len(kept) == told["stored"]
    assert {*acknowledged} <= {*kept}
    assert again.stop() == 0


async def test_a_sidecar_that_stops_while_redis_is_frozen_counts_what_it_could_not_store(
    begin: Any, tcp_redis: RedisServer
) -> None:
    process = begin(**{**ROOMY, "storage_timeout_ms": 200, "shutdown_timeout_ms": 1000})
    async with trial_of(process, ROOMY) as trial:
        await trial.stop_reading()
        tcp_redis.freeze()
        await trial.until_answered(100)
        assert await asyncio.to_thread(process.stop) == 0
        await trial.load.abandon()
    told = process.log[-1]
    assert told["dropped"] > 0
    assert told["received"] == told["stored"] + told["limited"] + told["dropped"] + told["rejected"]
    assert trial.load.counts.least <= told["received"] <= trial.load.counts.most + trial.load.counts.events


async def test_a_sidecar_that_freezes_goes_on_where_it_was(begin: Any) -> None:
    frozen, other = (begin(**SETTINGS) for _ in range(2))
    async with trial_of(frozen, SETTINGS) as trial, trial_of(other, SETTINGS, OTHERS) as meanwhile:
        await trial.stop_reading()
        frozen.process.send_signal(signal.SIGSTOP)
        # Two windows pass, which is longer than any cooldown, lease or try lasts.
        await meanwhile.until_stored(2 * len(STREAMS) * SETTINGS["size"])
        frozen.process.send_signal(signal.SIGCONT)
        await trial.until_recovered()
        assert await trial.metric("eventscache_loop_lag_seconds_sum") > 0.5
        for each in (trial, meanwhile):
            await settle(each)
            ledger = await each.counts()
            assert ledger.received == each.load.requests.sent == each.load.counts.answered
            assert {*each.load.counts.statuses} <= TAKEN
    assert frozen.stop() == other.stop() == 0


async def test_a_sidecar_that_gets_more_than_its_queue_holds_says_so_and_goes_on(
    on_trial: Try, tcp_redis: RedisServer
) -> None:
    bound = 50_000
    overload = {"queue_bytes": bound, "ack_timeout_ms": 60_000, "size": 10_000, "rate": 900.0}
    dropped = frozenset({"queue_full", "storage_unavailable", "unconfirmed"})
    async with on_trial(tcp_redis.storage_url, **overload, dropped=dropped, statuses=TAKEN | {429}) as trial:
        tcp_redis.freeze()

        async def is_full() -> bool:
            assert await trial.metric("eventscache_queue_bytes") <= bound
            return bool(await trial.metric("eventscache_events_dropped_total", "queue_full"))

        await trial.until(is_full, "the queue is full")
        await trial.until_not_ready()
        await trial.until_answered(300)
        tcp_redis.thaw()
    assert trial.load.counts.statuses[429]
    assert trial.ledger.dropped["queue_full"]


async def test_a_sidecar_without_free_file_descriptors_serves_who_is_there_and_recovers(
    serve: Serve,
) -> None:
    process = serve()
    url = URL(process.address)

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(HONEST.replace(b"Connection: close\r\n", b""))
        return await reader.readuntil(b"}")

    async with AsyncExitStack() as stack:
        reader, writer = await asyncio.open_connection(url.host, url.port)
        stack.callback(writer.close)
        assert b" 200 OK" in await ask(reader, writer)
        used = open_files(process)
        resource.prlimit(process.process.pid, resource.RLIMIT_NOFILE, (used + 5, used + 5))
        crowd = [await asyncio.open_connection(url.host, url.port) for _ in range(40)]
        async with asyncio.timeout(20):
            await asyncio.wait(
                [asyncio.create_task(turned_away(each)) for each, _ in crowd], return_when=asyncio.FIRST_COMPLETED
            )
            assert b" 200 OK" in await ask(reader, writer)
            for _, one in crowd:
                one.close()
            while True:
                with suppress(OSError, asyncio.IncompleteReadError):
                    again = await asyncio.open_connection(url.host, url.port)
                    stack.callback(again[1].close)
                    assert b" 200 OK" in await ask(*again)
                    break
    assert process.stop() == 0
    assert len(process.log) < 10, json.dumps(process.log)


def open_files(process: Process) -> int:
    return len(list(Path(f"/proc/{process.process.pid}/fd").iterdir()))


async def turned_away(reader: asyncio.StreamReader) -> None:
    with suppress(OSError):
        await reader.read()
