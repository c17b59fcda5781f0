"""Following Jitsu's logs with a sidecar, over each backend."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from eventscache.access.api_keys import ApiKey, KeyList
from eventscache.errors import StorageUnavailable
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Admission, Batch
from tests.support.fake_clock import GENEROUS_SECONDS
from tests.support.jitsu_logs import SECRET, JitsuLog, event_line, failed_line, malformed_line, write_ahead_line
from tests.support.redis_server import RedisServer
from tests.support.sidecar import Log, Sidecar, Start

KEYS = KeyList((ApiKey("shop", "js.made.up", "s2s.made.up"),))
Begin = Callable[..., Awaitable[Sidecar]]


@pytest.fixture(params=["memory", "redis"])
async def begin(request: pytest.FixtureRequest, start: Start, tmp_path: Path) -> Begin:
    """Start a sidecar that follows a directory, over each backend."""

    async def start_sidecar(setting: dict[str, Any] | None = None, **changes: Any) -> Sidecar:
        storage = "memory://"
        if request.param == "redis":
            servers: dict[str, RedisServer] = request.getfixturevalue("redis_servers")
            storage = servers[max(servers)].storage_url
            changes = {"prefix": f"eventscache:logs-{id(request)}", **changes}
        value = {"dir": str(tmp_path / "events"), "start": "beginning", **(setting or {})}
        return await start(storage, sources=(("jitsu_logs", value),), **changes)

    return start_sidecar


async def wait_for(sidecar: Sidecar, query: str, count: int) -> list[dict[str, Any]]:
    """Return the events of a stream, the oldest first, once there are so many."""
    async with asyncio.timeout(GENEROUS_SECONDS):
        while len(events := await sidecar.events(query)) < count:
            await asyncio.sleep(0.02)
    return events[::-1]


async def sidecar_events(sidecar: Sidecar) -> list[dict[str, Any]]:
    return (await sidecar.events("ids=d"))[::-1]


def numbers(events: list[dict[str, Any]]) -> list[int]:
    return [event["original"]["n"] for event in events]


def errors_of(sidecar: Sidecar) -> dict[str, int]:
    return {kind: count for kind, count in sidecar.server.sources.counts["jitsu_logs"].errors.items() if count}


async def test_every_kind_of_log_is_brought_to_its_stream(begin: Begin, tmp_path: Path) -> None:
    directory = tmp_path / "events"
    JitsuLog(directory, "incoming/incoming.tok=web").write(event_line(1))
    JitsuLog(directory, "incoming/write-ahead-log").write(write_ahead_line(2, 3))
    JitsuLog(directory, "archive/streaming-archive.dst=d").write(event_line(4))
    JitsuLog(directory, "failed/failed.dst=d").write(failed_line(5), malformed_line("{"))

    sidecar = await begin(api_keys=KEYS)

    assert numbers(await wait_for(sidecar, "namespace=token&ids=web", 1)) == [1]
    assert numbers(await wait_for(sidecar, "namespace=token&ids=shop", 2)) == [2, 3]
    stored, failed, malformed = await wait_for(sidecar, "ids=d", 3)
    assert (stored["original"], stored["timestamp"]) == (json.loads(event_line(4)), "2026-11-28T12:00:04.000000Z")
    assert (failed["error"], failed["original"]["n"]) == ("refused", 5)
    assert (malformed["malformed"], malformed["error"]) == ("{", "unexpected EOF")
    assert len(await wait_for(sidecar, "ids=d&status=error", 2)) == 2
    streams = (await sidecar.get("/api/v1/streams?namespace=token")).json["streams"]
    assert {stream["id"] for stream in streams} == {"web", "shop"}
    assert (sidecar.server.sources.counts["jitsu_logs"].entries, errors_of(sidecar)) == (6, {})


async def test_what_is_written_and_renamed_meanwhile_comes_once_and_in_order(begin: Begin, tmp_path: Path) -> None:
    sidecar = await begin(size=1000)
    log = JitsuLog(tmp_path / "events", "failed/failed.dst=d")
    renamed: list[Path] = []
    for number in range(300):
        line = failed_line(number) + b"\n"
        log.write(line[: number % 60], end=b"")
        await asyncio.sleep(0)
        log.write(line[number % 60 :], end=b"")
        if number % 50 == 49:
            renamed.append(log.rotate())
        if number % 100 == 99:
            log.zip(renamed.pop(0))
    came = numbers(await wait_for(sidecar, "ids=d&limit=1000", 300))
    assert sorted(came) == [*range(300)]
    # A file that is zipped just then may be read after the next one; the lines of each file keep their order.
    assert all([n for n in came if n // 50 == file] == [*range(50 * file, 50 * file + 50)] for file in range(6))
    assert errors_of(sidecar).keys() <= {"unavailable"}  # the directory was not there at first


async def test_a_restart_loses_and_repeats_nothing(begin: Begin, tmp_path: Path) -> None:
    log = JitsuLog(tmp_path / "events", "failed/failed.dst=d")
    log.write(*map(failed_line, range(10)))
    state = {"state": str(tmp_path / "state.json")}
    for setting in ({}, state):
        first = await begin(setting=setting)
        await wait_for(first, "ids=d", 10)
        await first.server.stop()
    log.write(*map(failed_line, range(10, 20)))
    log.zip(log.rotate())
    again = await begin(setting=state)
    async with asyncio.timeout(GENEROUS_SECONDS):
        while (events := numbers(await sidecar_events(again)))[-1:] != [19]:
            await asyncio.sleep(0.02)
    assert events == [*range(20 - len(events), 20)]  # in memory the first ten are gone
    assert again.server.sources.counts["jitsu_logs"].entries == 10


async def test_a_run_that_could_not_save_repeats_nothing(start: Start, tmp_path: Path) -> None:
    JitsuLog(tmp_path, "failed/failed.dst=d").write(*map(failed_line, range(10)))
    state = tmp_path / "missing" / "state.json"
    setting = (("jitsu_logs", {"dir": str(tmp_path), "start": "beginning", "state": str(state)}),)
    storage = MemoryStorage()
    sidecar = await start(storage, sources=setting)
    await wait_for(sidecar, "ids=d", 10)
    source = sidecar.server.sources
    await source.stop()
    await source.start()
    JitsuLog(tmp_path, "failed/failed.dst=d").write(failed_line(10))
    assert numbers(await wait_for(sidecar, "ids=d", 11)) == [*range(11)]
    assert set(errors_of(sidecar)) == {"unavailable"}


class Interrupted(MemoryStorage):
    """Stores a batch, and answers now and then as if it had not."""

    calls = 0

    async def insert(self, batch: Batch) -> Admission:
        self.calls += 1
        admission = await super().insert(batch)
        if self.calls in {1, 2, 4}:
            raise StorageUnavailable("away")
        return admission


async def test_an_unknown_outcome_repeats_and_loses_nothing(start: Start, tmp_path: Path) -> None:
    setting = (("jitsu_logs", {"dir": str(tmp_path), "start": "beginning"}),)
    sidecar = await start(Interrupted(), sources=setting, ack_timeout_ms=1)
    log = JitsuLog(tmp_path, "failed/failed.dst=d")
    for number in range(20):
        log.write(failed_line(number))
        await wait_for(sidecar, "ids=d", number + 1)
    assert numbers(await sidecar.events("ids=d"))[::-1] == [*range(20)]


async def test_of_a_backlog_the_newest_are_brought_and_old_errors_beside_new_successes(
    begin: Begin, tmp_path: Path
) -> None:
    directory = tmp_path / "events"
    JitsuLog(directory, "archive/streaming-archive.dst=d").write(*map(event_line, range(20, 500)))
    JitsuLog(directory, "failed/failed.dst=d").write(*map(failed_line, range(15)))
    sidecar = await begin(size=10)
    assert numbers(await wait_for(sidecar, "ids=d", 10)) == [*range(490, 500)]
    assert numbers(await wait_for(sidecar, "ids=d&status=error", 10)) == [*range(5, 15)]
    ledger = sidecar.cache.ledger
    assert (ledger.stored, ledger.limited, ledger.received) == (20, 475, 495)
    assert sidecar.server.sources.counts["jitsu_logs"].entries == 495


async def test_the_lines_of_a_log_keep_their_order_whatever_times_they_have(begin: Begin, tmp_path: Path) -> None:
    log = JitsuLog(tmp_path / "events", "failed/failed.dst=d")
    order = [5, 3, 9, 1, 2, 8, 7]
    for number in order:
        log.write(failed_line(number))
        log.rotate()
    sidecar = await begin()
    assert numbers(await wait_for(sidecar, "ids=d", len(order))) == order


async def test_bad_lines_are_counted_logged_once_and_stop_nothing(begin: Begin, tmp_path: Path, log: Log) -> None:
    state = tmp_path / "state.json"
    state.write_text("{")
    failed = JitsuLog(tmp_path / "events", "failed/failed.dst=d")
    failed.write(b"{", b"\xff", b"x" * 2**21, failed_line(1), b"[]")
    JitsuLog(tmp_path / "events", "incoming/write-ahead-log").write(
        write_ahead_line(1, token="js.unknown"), write_ahead_line(2)
    )
    JitsuLog(tmp_path / "events", "failed/failed.dst=a,b").write(failed_line(1), failed_line(2))
    sidecar = await begin(api_keys=KEYS, setting={"state": str(state)})
    assert numbers(await wait_for(sidecar, "ids=d", 1)) == [1]
    assert numbers(await wait_for(sidecar, "namespace=token&ids=shop", 1)) == [2]
    async with asyncio.timeout(GENEROUS_SECONDS):
        while errors_of(sidecar) != {"unreadable": 6, "too_large": 1, "unknown": 1}:
            await asyncio.sleep(0.02)
    messages = [line for line in log.lines if "'jitsu_logs'" in line and "warning" in line]
    assert len(messages) == 4
    assert not [line for line in log.lines if "js.unknown" in line]
    assert log.faults == []
    assert json.loads(state.read_text())["version"] == 1


@pytest.mark.parametrize(("keys", "stream"), [(KeyList(), "kid"), (KEYS, "shop")])
async def test_a_write_key_in_the_log_of_idle_jitsu_is_no_id(
    begin: Begin, tmp_path: Path, keys: KeyList, stream: str
) -> None:
    JitsuLog(tmp_path / "events", "incoming/write-ahead-log").write(write_ahead_line(1, token=f"kid:{SECRET}"))
    sidecar = await begin(api_keys=keys)
    assert numbers(await wait_for(sidecar, f"namespace=token&ids={stream}", 1)) == [1]
    assert SECRET.encode() not in (await sidecar.get("/api/v1/streams?namespace=token")).body


async def test_the_directory_may_come_and_go(begin: Begin, tmp_path: Path, log: Log) -> None:
    sidecar = await begin(setting={"start": "end"})
    directory = tmp_path / "events"
    async with asyncio.timeout(GENEROUS_SECONDS):
        while not errors_of(sidecar).get("unavailable"):
            await asyncio.sleep(0.02)
    JitsuLog(directory, "failed/failed.dst=d").write(failed_line(1))
    assert numbers(await wait_for(sidecar, "ids=d", 1)) == [1]
    directory.rename(tmp_path / "away")
    async with asyncio.timeout(GENEROUS_SECONDS):
        while sidecar.server.sources.counts["jitsu_logs"].following:
            await asyncio.sleep(0.02)
    (tmp_path / "away").rename(directory)
    JitsuLog(directory, "failed/failed.dst=d").write(failed_line(2))
    assert numbers(await wait_for(sidecar, "ids=d", 2)) == [1, 2]
    assert log.faults == []
