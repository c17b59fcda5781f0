"""`/readyz` says why it is not ready, and shows nobody an address, an id or a secret."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from eventscache.access.api_keys import KeyList
from eventscache.errors import StorageError, StorageRefused, StorageUnavailable
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Page, Query
from eventscache.stream import Stream
from tests.support.redis_server import RedisServer
from tests.support.sidecar import CACHE, Sidecar, Start

GENEROUS_SECONDS = 20


@pytest.mark.parametrize(
    ("begins", "ends", "reason"),
    [
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "Redis is a read-only replica (READONLY): name its master"),
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "Redis has no memory left (OOM): raise its maxmemory"),
        ("ACL SETUSER eventscache -eval", "ACL SETUSER eventscache +eval", "may not run the command eval (NOPERM)"),
    ],
)
async def test_it_names_what_a_redis_that_answers_refuses(
    start: Start, redis_server: RedisServer, begins: str, ends: str, reason: str
) -> None:
    sidecar = await start(redis_server.storage_url)
    assert (await sidecar.get("/readyz")).status == 200
    redis_server.ask(*begins.split())
    try:
        answer = await sidecar.get("/readyz")
    finally:
        redis_server.ask(*ends.split())
    assert (answer.status, answer.json["code"]) == (503, "not_ready")
    assert reason in answer.json["message"]
    assert (await sidecar.get("/readyz")).status == 200


@pytest.mark.parametrize(
    ("setting", "name", "content"),
    [
        ("api_keys", "API keys", "[{client_secret: key}]"),
        ("admin_tokens_file", "admin tokens", "token"),
        ("ingest_tokens_file", "ingest tokens", "token"),
        ("read_tokens_file", "read tokens", "- {token: reader, ids: [a]}"),
    ],
)
async def test_it_is_not_ready_before_each_file_of_keys_and_tokens_was_read_once(
    start: Start, tmp_path: Path, setting: str, name: str, content: str
) -> None:
    path = tmp_path / "file"
    value: Any = KeyList(url=f"file://{path}") if setting == "api_keys" else str(path)
    sidecar = await start(api_keys_reload_seconds=0.01, **{"admin_tokens": ("admin",), setting: value})

    answer = await sidecar.get("/readyz")
    assert (answer.status, answer.json["code"]) == (503, "not_ready")
    assert answer.json["message"] == f"{name} were not read yet: the log says why"

    path.write_text(content)
    await until_ready(sidecar)
    path.unlink()
    await sidecar.server._reloaders[-1].check()
    assert (await sidecar.get("/readyz")).status == 200


async def test_it_is_not_ready_while_the_address_of_keys_has_not_answered(start: Start) -> None:
    sidecar = await start(api_keys=KeyList(url="http://127.0.0.1:1/keys"))
    answer = await sidecar.get("/readyz")
    assert (answer.status, answer.json["message"]) == (503, "API keys were not read yet: the log says why")


async def until_ready(sidecar: Sidecar) -> None:
    async with asyncio.timeout(GENEROUS_SECONDS):
        while (await sidecar.get("/readyz")).status != 200:
            await asyncio.sleep(0)


class Unavailable(MemoryStorage):
    """Answers each ping with an error."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    async def ping(self) -> None:
        raise self._error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (StorageUnavailable("no connection to db-7.internal"), "the storage does not answer: see eventscache.storage"),
        (StorageRefused("the disk is full: free some of it"), "the disk is full: free some of it"),
    ],
)
async def test_only_a_refusal_is_repeated_to_everybody(start: Start, error: Exception, message: str) -> None:
    sidecar = await start(Unavailable(error))
    answer = await sidecar.get("/readyz")
    assert answer.status == 503
    assert answer.json["message"].startswith(message)
    assert "db-7" not in answer.json["message"]


class Unreadable(MemoryStorage):
    """Answers each read with an error."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    async def fetch(self, stream: Stream, query: Query) -> Page:
        raise self._error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (StorageUnavailable("no connection to db-7.internal"), "the storage does not answer; GET /readyz tells"),
        (StorageRefused("the disk is full: free some of it"), "the disk is full: free some of it"),
        (StorageError("db-7 is damaged"), "the storage has an error that does not pass by itself"),
    ],
)
async def test_a_read_that_fails_says_what_is_wrong_with_the_storage(
    start: Start, error: Exception, message: str
) -> None:
    sidecar = await start(Unreadable(error))
    answer = await sidecar.get(f"{CACHE}?ids=a")
    assert (answer.status, answer.json["code"]) == (503, "storage_unavailable")
    assert answer.json["message"].startswith(message)
    assert "db-7" not in answer.json["message"]


async def test_it_names_the_setting_of_a_full_queue(start: Start) -> None:
    sidecar = await start(queue_bytes=1)
    sidecar.cache.queue.bytes = 1
    answer = await sidecar.get("/readyz")
    sidecar.cache.queue.bytes = 0
    assert answer.status == 503
    assert "eventscache.queue_bytes" in answer.json["message"]
    assert (await sidecar.get(f"{CACHE}?ids=a")).status == 200
