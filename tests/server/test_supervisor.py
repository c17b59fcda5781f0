"""Several workers on one port: one quota, metrics that add up, and a restart of each worker that dies."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from eventscache.metrics.parsing import parse_metrics
from tests.support.command import Process, Serve, run, workers_of
from tests.support.paths import ROOT
from tests.support.redis_server import RedisServer, wait_until
from tests.support.sidecar import CACHE

PREFIX = {"EVENTSCACHE_PREFIX": "eventscache:workers"}


async def metrics(process: Process) -> dict[str, int]:
    """Return the sum of each metric, from the worker that gets the connection."""
    async with aiohttp.ClientSession() as session, session.get(f"{process.address}/metrics") as response:
        text = await response.text()
    return {name: int(sum(values.values())) for name, values in parse_metrics(text).items()}


def settled(values: dict[str, int]) -> int:
    return sum(values[f"eventscache_events_{name}_total"] for name in ("stored", "limited", "dropped", "rejected"))


async def offer(process: Process, count: int) -> None:
    """Post single events to one stream, each on a connection of its own: the kernel picks a worker for each."""
    for number in range(count):
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session,
            session.post(
                f"{process.address}{CACHE}?ack=stored", json=[{"destination_id": "d", "original": {"n": number}}]
            ) as answer,
        ):
            assert answer.status == 200


async def until_received(process: Process, count: int) -> dict[str, int]:
    while True:
        values = await metrics(process)
        if values["eventscache_events_received_total"] >= count:
            return values
        await asyncio.sleep(0.01)


async def test_workers_share_port_quota_and_metrics(serve: Serve, redis_server: RedisServer) -> None:
    process = serve("--workers", "3", "--storage", redis_server.storage_url, SERVER_CACHE_EVENTS_SIZE="20", **PREFIX)
    while (await metrics(process))["eventscache_processes"] < 3:
        await asyncio.sleep(0.01)
    await offer(process, 60)
    values = await until_received(process, 60)
    assert values["eventscache_events_stored_total"] == 20
    assert values["eventscache_events_limited_total"] == 40
    assert values["eventscache_events_received_total"] == settled(values) == 60
    assert process.stop() == 0
    assert {line["worker"] for line in process.log if line["event"] == "stopped"} == {0, 1, 2}
    by_worker = [line["received"] for line in process.log if line["event"] == "stopped"]
    assert sum(by_worker) == 60
    assert sum(map(bool, by_worker)) > 1, "one worker got everything"


async def test_a_worker_that_dies_is_restarted_and_its_metrics_are_kept(
    serve: Serve, redis_server: RedisServer
) -> None:
    process = serve("--workers", "2", "--storage", redis_server.storage_url, **PREFIX)
    wait_until(lambda: len(workers_of(process)) == 2, "two workers run")
    await offer(process, 30)
    before = await until_received(process, 30)
    first = workers_of(process)
    for doomed in first:
        os.kill(doomed, signal.SIGKILL)
    wait_until(lambda: len(set(workers_of(process)) - set(first)) == 2, "they are restarted")
    while True:
        try:
            after = await until_received(process, 30)
            break
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.01)
    assert after["eventscache_events_received_total"] == before["eventscache_events_received_total"] == 30
    assert process.stop() == 0
    assert [line["worker"] for line in process.log if line["event"] == "worker exited, restarting"] != []


async def test_workers_do_not_outlive_their_parent(serve: Serve, redis_server: RedisServer) -> None:
    process = serve("--workers", "2", "--storage", redis_server.storage_url, **PREFIX)
    wait_until(lambda: len(workers_of(process)) == 2, "two workers run")
    orphans = workers_of(process)
    process.process.kill()
    await asyncio.to_thread(process.process.wait)
    wait_until(lambda: not any(Path(f"/proc/{orphan}").exists() for orphan in orphans), "the workers end")


def test_memory_cannot_be_shared_by_workers() -> None:
    result = run("serve", "--workers", "2", "--port", "0")
    assert result.returncode == 2
    assert result.stderr == (
        "eventscache: eventscache.workers: 2 processes cannot share memory://: use 1, or a storage outside the "
        "process, such as --storage redis://localhost:6379/0\n"
    )


async def test_workers_do_not_start_on_a_port_in_use(serve: Serve, redis_server: RedisServer) -> None:
    process = serve("--workers", "2", "--storage", redis_server.storage_url, **PREFIX)
    port = process.address.rpartition(":")[2]
    second = run("serve", "--workers", "2", "--storage", redis_server.storage_url, "--port", port)
    assert second.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in second.stderr


@pytest.mark.parametrize("code", [1, 2])
def test_a_worker_that_cannot_listen_or_use_its_settings_ends_all_and_is_not_started_again(code: int) -> None:
    script = f"""
import os, sys, time
from eventscache.server.supervisor import Supervisor

def work(worker):
    os.write(1, b"s")
    if worker.number == 1:
        sys.exit({code})
    time.sleep(60)

sys.exit(Supervisor(2, work, print).run())
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT, timeout=30
    )
    assert ended.returncode == code
    assert ended.stdout in {"s", "ss"}, "the other may have been stopped before it wrote"


def test_workers_that_die_at_once_are_not_restarted_in_a_tight_loop_and_stop_at_once() -> None:
    script = """
import os, sys
from eventscache.logs import start_logging
from eventscache.server.supervisor import Supervisor

def work(worker):
    os.write(1, b"s")
    raise ValueError

start_logging()
sys.exit(Supervisor(2, work, print).run())
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT
    ) as process:
        assert process.stdout
        begun = time.monotonic()
        assert process.stdout.read(4) == b"ssss"
        assert time.monotonic() - begun > 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


def test_workers_that_cannot_start_end_the_server() -> None:
    result = run("serve", "--workers", "2", "--port", "0", "--storage", "redis://localhost/0?unknown=1")
    assert result.returncode == 2
    assert "not a usable Redis URL" in result.stderr


@pytest.mark.parametrize("count", ["0", "-1", "many", "300"])
def test_an_invalid_count_of_workers_is_an_error(count: str) -> None:
    assert run("serve", "--workers", count).returncode == 2
