"""The `eventscache` command as a user starts it: a process of its own, over real sockets and a real Redis."""

import asyncio
import json
from pathlib import Path

import aiohttp

from tests.support.command import GENEROUS_SECONDS, Serve, run
from tests.support.redis_server import RedisServer
from tests.support.sidecar import CACHE


async def test_the_server_starts_without_configuration_and_stops_on_sigterm(serve: Serve) -> None:
    process = serve()
    await process.post("/api/v1/event?token=key", {"n": 1})
    assert (await process.get(f"{CACHE}?namespace=token&ids=key"))["total_events"] == 1
    assert process.stop() == 0
    assert [line["event"] for line in process.log] == ["storage", "listening", "stopping", "stopped"]
    assert process.log[0]["url"] == "memory://"
    assert process.log[-1]["stored"] == 1


async def test_everything_in_redis_survives_a_restart(serve: Serve, redis_server: RedisServer) -> None:
    options = ("--storage", redis_server.storage_url)
    first = serve(*options, EVENTSCACHE_PREFIX="eventscache:restart")
    body = [{"destination_id": "d", "original": {"n": n}, "error": "no" if n % 2 else ""} for n in range(150)]
    await first.post(f"{CACHE}?ack=stored", body)
    queries = (f"{CACHE}?ids=d", f"{CACHE}?ids=d&status=error&limit=5", CACHE)
    before = [await first.get(query) for query in queries]
    assert first.stop() == 0

    second = serve(*options, EVENTSCACHE_PREFIX="eventscache:restart")
    assert [await second.get(query) for query in queries] == before
    assert before[0]["total_events"] == 100
    # The limiter survives as well.
    assert (await second.post(f"{CACHE}?ack=stored", body[:3]))["stored"] == 1
    assert second.stop() == 0


async def test_two_processes_admit_no_more_than_one(serve: Serve, redis_server: RedisServer) -> None:
    both = [serve("--storage", redis_server.storage_url, EVENTSCACHE_PREFIX="eventscache:shared") for _ in range(2)]
    await asyncio.gather(
        *(process.post("/api/v1/events?token=key", [{"n": n} for n in range(100)]) for process in both * 5)
    )
    for process in both:
        await process.get(f"{CACHE}?namespace=token&ids=key")
    for process in both:
        answer = await process.get(f"{CACHE}?namespace=token&ids=key&limit=1000")
        assert (answer["total_events"], answer["last_minute_limited"]) == (100, 900)
    assert [process.stop() for process in both] == [0, 0]
    assert sum(process.log[-1]["stored"] for process in both) == 100


async def test_stopping_drains_the_queue(serve: Serve, redis_server: RedisServer) -> None:
    options = ("--storage", redis_server.storage_url)
    process = serve(*options, EVENTSCACHE_PREFIX="eventscache:drained")
    await asyncio.gather(*(process.post(f"/api/v1/event?token=key{n}", {"n": n}) for n in range(200)))
    assert process.stop() == 0
    account = process.log[-1]
    assert (account["received"], account["stored"], account["dropped"]) == (200, 200, 0)


async def test_it_starts_without_redis_and_is_not_ready(serve: Serve, tmp_path: Path) -> None:
    process = serve("--storage", f"unix://{tmp_path}/nobody.sock", EVENTSCACHE_ACK_TIMEOUT_MS="50")
    async with aiohttp.ClientSession() as session:
        for path, status in (("/livez", 200), ("/readyz", 503), (f"{CACHE}?ids=a", 503), (CACHE, 503)):
            async with session.get(process.address + path) as answer:
                assert answer.status == status
                assert (await answer.json())["status" if status == 200 else "message"]
        async with session.post(f"{process.address}/api/v1/event?token=t", json={}) as answer:
            assert answer.status == 200
    assert process.stop() == 0
    account = process.log[-1]
    assert account["dropped"] == account["received"] == 1
    assert sum(line["event"] == "storage unavailable" for line in process.log) == 1


async def test_a_redis_that_comes_back_is_used_again(serve: Serve, redis_server: RedisServer, tmp_path: Path) -> None:
    own = RedisServer(redis_server.binary, tmp_path)
    own.start()
    process = serve("--storage", own.storage_url)
    assert (await process.post(f"{CACHE}?ack=stored&id=a", {"original": {}}))["stored"] == 1
    own.stop()
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{process.address}{CACHE}?ids=a") as answer:
            assert answer.status == 503
        own.start()
        async with asyncio.timeout(GENEROUS_SECONDS):
            while True:
                async with session.get(f"{process.address}/readyz") as answer:
                    if answer.status == 200:
                        break
    assert (await process.post(f"{CACHE}?ack=stored&id=a", {"original": {}}))["stored"] == 1
    assert process.stop() == 0
    own.stop()


def test_a_disabled_cache_is_logged_once(serve: Serve) -> None:
    process = serve(EVENTSCACHE_ENABLED="false", REDIS_URL="redis://127.0.0.1:1")
    assert process.stop() == 0
    assert sum("disabled" in line["event"] for line in process.log) == 1


def test_bad_settings_stop_the_start_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("eventscache: {prot: 1}")
    cases = {
        ("--config", str(tmp_path / "bad.yaml")): "eventscache: eventscache.prot: unknown setting",
        ("--config", str(tmp_path / "none.yaml")): "cannot be read",
        ("--host", "0.0.0.0"): "eventscache.admin_tokens: needed to listen on 0.0.0.0",
        ("--storage", "mysql://x"): "no storage for mysql: URLs; there are ",
        ("--storage", "memory://x"): "the memory storage takes no more",
        ("--storage", "redis://:p/hidden@h:x"): "not a usable Redis URL; it is redis://",
        ("--port", "99999"): "--port: must be a whole number",
        ("--host", "127.0.0.1.nowhere.invalid", "--port", "0"): "eventscache.admin_tokens",
    }
    for options, message in cases.items():
        finished = run("serve", *options)
        assert finished.returncode == 2
        assert message in finished.stderr
        assert finished.stderr.count("\n") == 1
        assert "hidden" not in finished.stderr


def test_a_port_in_use_is_an_error(serve: Serve) -> None:
    process = serve()
    finished = run("serve", "--port", process.address.rpartition(":")[2])
    assert finished.returncode == 1
    assert "eventscache: eventscache.port: cannot listen on 127.0.0.1:" in finished.stderr.splitlines()[-1]
    assert "Traceback" not in finished.stderr


def test_the_effective_configuration_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "eventnative.yaml"
    path.write_text("server: {admin_token: the-secret, cache: {events: {size: 7}}}")
    finished = run("config", "--config", str(path), "--port", "1", REDIS_URL="redis://:the-secret@h/1")
    assert finished.returncode == 0
    assert "the-secret" not in finished.stdout
    lines = {line.split(": ", 1)[0]: line for line in finished.stdout.splitlines()}
    assert lines["server.cache.events.size"].split() == [
        "server.cache.events.size:", "7", "#", "file", "server.cache.events.size",
    ]  # fmt: skip
    assert lines["eventscache.port"].endswith("# command line")
    assert "redis://***@h/1" in lines["eventscache.storage"]
    assert lines["eventscache.storage"].endswith("# environment REDIS_URL")


def test_no_secret_is_logged(serve: Serve, tmp_path: Path) -> None:
    process = serve(
        EVENTSCACHE_ADMIN_TOKENS="the-secret",
        API_KEYS="the-secret-key",
        EVENTSCACHE_STORAGE="redis://:the-secret@127.0.0.1:1/0",
    )
    assert process.stop() == 0
    assert "the-secret" not in json.dumps(process.log)


async def test_a_file_of_tokens_is_reloaded_and_requests_are_logged(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("the-secret-first\n")
    process = serve(
        "--host",
        "0.0.0.0",
        EVENTSCACHE_ADMIN_TOKENS_FILE=str(path),
        EVENTSCACHE_ACCESS_LOG="true",
        EVENTSCACHE_ADMIN_TOKEN_IN_QUERY="true",
    )
    address = process.address.replace("0.0.0.0", "127.0.0.1")
    (tmp_path / "new").write_text("the-secret-second\n")
    (tmp_path / "new").replace(path)
    async with aiohttp.ClientSession() as session, asyncio.timeout(GENEROUS_SECONDS):
        while True:
            async with session.get(f"{address}{CACHE}?token=the-secret-second") as answer:
                if answer.status == 200:
                    break
            await asyncio.sleep(0.05)  # nobody reads the log meanwhile
    assert process.stop() == 0
    assert [line["count"] for line in process.log if line["event"] == "admin tokens reloaded"] == [1, 1]
    requests = [line for line in process.log if line["event"] == "request"]
    assert requests[-1]["path"] == CACHE
    assert requests[-1]["status"] == 200
    assert "the-secret" not in json.dumps(process.log)
