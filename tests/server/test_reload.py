"""Settings that are read again while the server runs, and the switch for debugging."""

import asyncio
import dataclasses
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from eventscache.access.api_keys import ApiKey, KeyList
from eventscache.access.read_tokens import ReadToken
from eventscache.access.some_streams import SomeStreams
from eventscache.config.settings import DEFINITIONS, Settings
from eventscache.errors import ConfigError
from eventscache.server.reload import RELOADED, SettingsReloader, changes
from tests.support.command import Process, Serve, workers_of
from tests.support.paths import ROOT
from tests.support.redis_server import RedisServer, wait_until
from tests.support.sidecar import CACHE, Log, Sidecar, Start

EVENT = "/api/v1/event?token="


def read_log(process: Process, last: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """Return the lines that the process logs from now on, up to the one that is the last."""
    assert process.process.stderr
    lines: list[dict[str, Any]] = []
    for line in process.process.stderr:
        lines.append(json.loads(line))
        if last(lines[-1]):
            return lines
    raise AssertionError(lines)


def is_event(name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda line: line["event"] == name


def test_every_reloaded_setting_exists_and_is_in_the_documentation() -> None:
    operations = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    for name in RELOADED:
        assert f"`{DEFINITIONS[name].name}`" in operations


def test_what_needs_a_restart_is_told_and_stays() -> None:
    current = Settings(size=5, max_batch=7)
    found = changes(current, Settings(size=6, max_batch=8, port=1, api_keys=KeyList(url="http://x/")))
    assert found.settings == dataclasses.replace(current, max_batch=8)
    assert found.used == ["eventscache.max_batch"]
    assert found.left == ["eventscache.port", "server.cache.events.size", "api_keys"]


@pytest.mark.parametrize(
    ("current", "read", "reason"),
    [
        (Settings(admin_tokens=("a",)), Settings(), "would leave no admin token"),
        (Settings(jitsu_admin_token="a"), Settings(admin_tokens=("admin_token",)), "would leave no admin token"),
        (Settings(admin_tokens=("a",)), Settings(admin_tokens_file="/f"), "would leave no admin token"),
        (Settings(api_keys=KeyList((ApiKey("a", "b"),))), Settings(), "would leave no API key"),
        (
            Settings(admin_tokens=("a",), read_tokens_file="/f"),
            Settings(admin_tokens=("b",), ingest_tokens=("b",), read_tokens=(ReadToken("b", SomeStreams(("b",))),)),
            r"eventscache\.read_tokens",
        ),
    ],
    ids=range(5),
)
def test_what_would_open_the_server_needs_a_restart(current: Settings, read: Settings, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        changes(current, read)


@pytest.mark.parametrize(
    ("current", "read", "unmasked"),
    [
        (Settings(mask_drop=("a", "b")), Settings(mask_drop=("b",), mask_hash=("a",)), []),
        (Settings(mask_drop=("a", "b")), Settings(mask_hash=("a",)), ["eventscache.mask.drop"]),
        (Settings(mask_hash=("a",)), Settings(), ["eventscache.mask.hash"]),
        (Settings(mask_ip=True), Settings(), ["eventscache.mask.ip"]),
        (Settings(mask_ip=("a", "b")), Settings(mask_ip=("b", "c")), ["eventscache.mask.ip"]),
        (Settings(), Settings(mask_ip=("a",), mask_drop=("x",)), []),
    ],
    ids=range(6),
)
def test_masks_that_cover_less_are_told(current: Settings, read: Settings, unmasked: list[str]) -> None:
    assert changes(current, read).unmasked == unmasked


async def test_tokens_keys_masks_and_limits_are_used_at_once(start: Start) -> None:
    sidecar = await start(admin_tokens=("admin",), api_keys=KeyList((ApiKey("old", "old-secret"),)))
    settings = sidecar.server._settings

    async def outcomes() -> list[int]:
        return [
            (await sidecar.get(f"{CACHE}?namespace=token&ids=old", X_Admin_Token="admin")).status,
            (await sidecar.get(f"{CACHE}?namespace=token&ids=old", X_Admin_Token="other")).status,
            (
                await sidecar.post(
                    CACHE, b'{"token_id":"r","original":{}}', X_Auth_Token="ingest", Content_Type="application/json"
                )
            ).status,
            (await sidecar.post(f"{EVENT}old-secret", b'{"email":"a@b.c"}')).status,
            (await sidecar.post(f"{EVENT}new-secret", b'{"email":"a@b.c"}')).status,
            (await sidecar.post(f"{EVENT}new-secret", b"[{},{},{}]")).status,
        ]

    assert await outcomes() == [200, 401, 401, 200, 401, 401]
    sidecar.server.use(
        dataclasses.replace(
            settings,
            admin_tokens=("other",),
            ingest_tokens=("ingest",),
            api_keys=KeyList((ApiKey("new", "new-secret"),)),
            mask_drop=("email",),
            max_batch=2,
        )
    )
    assert await outcomes() == [401, 200, 202, 401, 200, 413]
    answer = await sidecar.get(f"{CACHE}?namespace=token", X_Admin_Token="other")
    originals = {event["token_id"]: event["original"] for event in answer.json["events"]}
    assert originals == {"old": {"email": "a@b.c"}, "new": {}, "r": {}}
    assert sidecar.cache.ledger.balanced


async def test_masks_begin_change_and_end_also_for_large_events(start: Start) -> None:
    sidecar = await start()
    settings = sidecar.server._settings
    large = json.dumps({"a": "x" * 9000, "b": 1, "n": 2}).encode()
    kept = []
    for drop in ((), ("a",), ("b",), ()):
        sidecar.server.use(dataclasses.replace(settings, mask_drop=drop))
        await sidecar.post(f"{EVENT}key", large)
        kept.append(set((await sidecar.events("namespace=token&ids=key"))[0]["original"]))
    assert kept == [{"a", "b", "n"}, {"b", "n"}, {"a", "n"}, {"a", "b", "n"}]


async def test_settings_that_cannot_be_used_change_nothing(log: Log) -> None:
    used: list[Settings] = []
    results: list[Settings | str] = ["no file", Settings(max_batch=3), "a fault", Settings(max_batch=3, max_ids=1)]

    def read() -> Settings:
        result = results.pop(0)
        if isinstance(result, str):
            raise ConfigError(result)
        return result

    reloader = SettingsReloader(Settings(), read, used.append)
    for _ in range(4):
        reloader.request()
        await reloader.stop()
    assert used == [Settings(max_batch=3), Settings(max_batch=3, max_ids=1)]
    faults = [line for line in log.lines if "settings not reloaded" in line]
    assert len(faults) == 2


async def test_a_request_while_settings_are_read_reads_them_once_more() -> None:
    reads = 0
    begun, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def read() -> Settings:
        nonlocal reads
        reads += 1
        loop.call_soon_threadsafe(begun.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(30)
        return Settings()

    reloader = SettingsReloader(Settings(), read, lambda _: None)
    reloader.request()
    await begun.wait()
    for _ in range(5):
        reloader.request()
    go_on.set()
    await reloader.stop()
    assert reads == 2


async def test_an_open_server_keeps_the_token_that_it_needs(start: Start) -> None:
    sidecar = await start(host="0.0.0.0", admin_tokens=("admin",))
    settings = sidecar.server._settings
    with pytest.raises(ConfigError, match=r"eventscache\.admin_tokens"):
        sidecar.server.use(dataclasses.replace(settings, admin_tokens=(), ingest_tokens=("x",)))
    assert (await sidecar.get(f"{CACHE}?ids=d", X_Admin_Token="admin")).status == 200
    assert not sidecar.server._context.access.ingesters.configured


async def status(process: Process, token: str) -> int:
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session,
        session.get(f"{process.address}{CACHE}?ids=d", headers={"X-Admin-Token": token}) as answer,
    ):
        return answer.status


async def test_sighup_reads_the_file_again_in_every_worker(
    serve: Serve, redis_server: RedisServer, tmp_path: Path
) -> None:
    file = tmp_path / "eventnative.yaml"
    file.write_text("server: {admin_token: first}\n")
    process = serve("--config", str(file), "--workers", "2", "--storage", redis_server.storage_url)
    wait_until(lambda: len(workers_of(process)) == 2, "two workers run")
    process_log = [line for line in process.log if line["event"] == "listening"]
    while len(process_log) < 2:
        process_log += read_log(process, is_event("listening"))
    file.write_text("server: {admin_token: second, cache: {events: {size: 7}}}\n")
    process.process.send_signal(signal.SIGHUP)
    told = [read_log(process, is_event("changed settings need a restart")) for _ in range(2)]
    assert {line["worker"] for lines in told for line in lines if line["event"] == "settings reloaded"} == {0, 1}
    assert all(lines[-1]["settings"] == ["server.cache.events.size"] for lines in told)
    assert {await status(process, "second") for _ in range(20)} == {200}
    assert {await status(process, "first") for _ in range(5)} == {401}

    file.write_text("server: {admin_token: third")
    process.process.send_signal(signal.SIGHUP)
    fault = read_log(process, is_event("settings not reloaded, the last ones stay in use"))[-1]
    assert "third" not in fault["reason"]
    assert await status(process, "second") == 200
    assert process.stop() == 0
    assert "settings not reloaded, the last ones stay in use" not in {line["event"] for line in process.log[2:]}


async def test_a_worker_that_is_restarted_has_the_settings_and_the_debugging_of_the_others(
    serve: Serve, redis_server: RedisServer, tmp_path: Path
) -> None:
    file = tmp_path / "eventnative.yaml"
    file.write_text("server: {admin_token: first}\n")
    process = serve("--config", str(file), "--workers", "2", "--storage", redis_server.storage_url)
    read_log(process, is_event("listening"))
    file.write_text("server: {admin_token: second}\n")
    process.process.send_signal(signal.SIGHUP)
    for _ in range(2):
        read_log(process, is_event("settings reloaded"))
    # As a service manager does that sends it to all processes: each is on then, though it came twice.
    for pid in (*workers_of(process), process.process.pid):
        os.kill(pid, signal.SIGUSR1)
    on = [read_log(process, is_debugging)[-1] for _ in range(2)]
    file.write_text("server: {admin_token: third")
    process.process.send_signal(signal.SIGHUP)
    read_log(process, is_event("settings not reloaded, the last ones stay in use"))

    for doomed in workers_of(process):
        os.kill(doomed, signal.SIGKILL)
    on += [read_log(process, is_debugging)[-1] for _ in range(2)]
    assert sorted(line["worker"] for line in on) == [0, 0, 1, 1]
    assert all(line["event"].startswith("debugging on") for line in on)
    assert {await status(process, "first") for _ in range(9)} == {401}
    assert {await status(process, "second") for _ in range(20)} == {200}
    process.process.send_signal(signal.SIGUSR1)
    assert {read_log(process, is_debugging)[-1]["event"] for _ in range(2)} == {"debugging off"}
    assert process.stop() == 0


def is_debugging(line: dict[str, Any]) -> bool:
    return bool(line["event"].startswith("debugging "))


async def test_a_file_that_lost_its_tokens_changes_nothing(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "eventnative.yaml"
    file.write_text("server: {admin_token: first}\napi_keys: [secret]\neventscache: {mask: {drop: [email]}}\n")
    process = serve("--config", str(file))
    file.write_text("")
    process.process.send_signal(signal.SIGHUP)
    fault = read_log(process, is_event("settings not reloaded, the last ones stay in use"))[-1]
    assert "would leave no admin token" in fault["reason"]
    assert await status(process, "first") == 200
    assert await status(process, "other") == 401
    file.write_text("server: {admin_token: first}\napi_keys: [secret]\n")
    process.process.send_signal(signal.SIGHUP)
    removed = read_log(process, is_event("masks removed"))[-1]
    assert (removed["level"], removed["settings"]) == ("warning", ["eventscache.mask.drop"])
    assert process.stop() == 0


async def test_sigusr1_switches_debugging_on_and_off(serve: Serve) -> None:
    process = serve()
    await process.post(f"{CACHE}?ack=stored", {"destination_id": "d", "original": {}})
    process.process.send_signal(signal.SIGUSR1)
    assert len(read_log(process, lambda line: line["event"].startswith("debugging on"))) == 1
    await process.post(f"{CACHE}?ack=stored&token=SECRET", {"destination_id": "d", "original": {"n": "PERSONAL"}})
    batch, request = read_log(process, is_event("request"))
    assert (batch["event"], batch["id"], batch["offered"], batch["admitted_all"]) == ("batch", "d", 1, 1)
    assert (request["method"], request["path"], request["status"]) == ("POST", CACHE, 200)
    process.process.send_signal(signal.SIGUSR1)
    assert read_log(process, is_event("debugging off"))
    await process.post(f"{CACHE}?ack=stored", {"destination_id": "d", "original": {}})
    assert process.stop() == 0
    assert [line["event"] for line in process.log if line["event"] in {"batch", "request"}] == []


async def test_errors_are_logged_while_debugging_too(sidecar: Sidecar, log: Log) -> None:
    sidecar.server.debug(on=True)
    await sidecar.get("/nothing")
    assert any("'status': 404" in line for line in log.lines)
    sidecar.server.debug(on=False)
    before = len(log.lines)
    await sidecar.get("/nothing")
    assert len(log.lines) == before
