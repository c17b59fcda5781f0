"""API keys at an http address: what is taken from there, and what is not."""

import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web

from eventscache.access.api_keys import ApiKeys, KeyList
from eventscache.access.credential_reloaders import ApiKeyReloader
from eventscache.access.download import MAX_BYTES
from tests.support.redis_server import free_port

TOKEN = "the-secret-token"
LIST = json.dumps({"tokens": [{"id": "site", "client_secret": "known"}]})
Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Listen = Callable[[Answer], Awaitable[str]]


@pytest.fixture
async def listen() -> AsyncIterator[Listen]:
    """Start servers with a handler each; give their addresses."""
    runners = []

    async def start(answer: Answer) -> str:
        runner = web.ServerRunner(web.Server(answer))
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


def always(**answer: Any) -> Answer:
    async def handler(_: web.BaseRequest) -> web.Response:
        return web.Response(**answer)

    return handler


async def check(address: str, *, times: int = 1) -> tuple[ApiKeys, list[Any]]:
    """Load the keys from an address; return them with what is logged."""
    url = f"{address}/api/v1/apikeys?token={TOKEN}"
    keys = ApiKeys(KeyList(url=url))
    reloader = ApiKeyReloader(url, keys, 1)
    with structlog.testing.capture_logs() as log:
        for _ in range(times):
            await reloader.check()
    assert TOKEN not in str(log)
    return keys, list(log)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 503, 204, 206, 304])
async def test_an_error_tells_the_status_of_the_answer(listen: Listen, status: int) -> None:
    keys, [line] = await check(await listen(always(status=status)))
    assert line["reason"] == f"the address answers with status {status} instead of 200"
    assert keys.configured


async def test_an_error_tells_why_there_is_no_answer() -> None:
    _, [line] = await check(f"http://127.0.0.1:{free_port()}")
    assert line["reason"].startswith("cannot be read: ")
    assert "127.0.0.1" in line["reason"]
    assert "failed" in line["reason"]


async def test_an_answer_without_end_is_not_taken_in(listen: Listen) -> None:
    sent = 0

    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * 65536)
            sent += 65536

    _, [line] = await check(await listen(endless))
    assert line["reason"] == f"the answer has more than {MAX_BYTES} bytes"
    assert MAX_BYTES - 65536 < sent < 4 * MAX_BYTES


async def test_an_answer_is_not_unzipped(listen: Listen) -> None:
    bomb = gzip.compress(b" " * MAX_BYTES * 2)
    asked: list[str] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append(request.headers["Accept-Encoding"])
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    _, [line] = await check(await listen(answer))
    assert line["reason"] == "not JSON"
    assert asked == ["identity"]


async def test_a_redirect_to_another_host_is_not_followed(listen: Listen) -> None:
    reached: list[str] = []

    async def other(request: web.BaseRequest) -> web.Response:
        reached.append(str(request.url))
        return web.Response(text=LIST)

    elsewhere = await listen(other)
    for target in (
        elsewhere,
        elsewhere.replace("127.0.0.1", "localhost"),
        "//example.invalid/",
        "file:///etc/passwd",
        "http://[",
    ):
        keys, [line] = await check(await listen(always(status=302, headers={"Location": target})))
        assert line["reason"].startswith("it redirects to "), target
        assert keys.client("known") is None
    assert reached == []


async def test_a_redirect_on_the_same_host_is_followed_but_not_in_circles(listen: Listen) -> None:
    async def answer(request: web.BaseRequest) -> web.Response:
        if request.path == "/keys":
            return web.Response(text=LIST)
        target = "/keys" if request.query["token"] == TOKEN else request.path
        return web.Response(status=307, headers={"Location": target})

    keys, [line] = await check(await listen(answer))
    assert line["event"] == "API keys reloaded"
    assert keys.client("known")
    _, [line] = await check(await listen(always(status=301, headers={"Location": "/again"})))
    assert line["reason"] == "it redirects more than 5 times"


async def test_a_broken_key_costs_that_key_alone_and_is_logged_once(listen: Listen) -> None:
    broken = [{"id": "a,b", "client_secret": "x"}, {"id": "k" * 600, "client_secret": "y"}, {"id": 5}]
    answer = always(text=json.dumps({"tokens": ["known", *broken, *[{}] * 20]}))
    keys, log = await check(await listen(answer), times=3)
    assert keys.client("known")
    assert keys.client("x") is keys.client("y") is None
    reasons = [line["reason"] for line in log if line["event"] == "API key left out or given twice"]
    assert len(reasons) == 10
    assert reasons[0] == "entry 1: the id holds a comma, which separates ids"
    assert [line.get("count") for line in log[10:]] == [13, 1]  # more of them, and the keys


async def test_an_empty_answer_of_the_configurator_takes_all_keys_away(listen: Listen) -> None:
    answers = [LIST, "{}"]

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(text=answers.pop(0))

    keys, _ = await check(await listen(answer), times=2)
    assert keys.client("known") is None
    assert keys.configured


async def test_an_answer_that_is_the_same_is_not_parsed_again(listen: Listen) -> None:
    _, log = await check(await listen(always(text=LIST)), times=3)
    assert [line["event"] for line in log] == ["API keys reloaded"]


async def test_bytes_that_are_not_utf_8_cost_nothing_else(listen: Listen) -> None:
    keys, _ = await check(await listen(always(body=b'\xef\xbb\xbf{"tokens": ["known", "\xff"]}')))
    assert keys.client("known")
    assert keys.client("\ufffd")


async def test_a_file_that_is_too_large_or_none_is_an_error(tmp_path: Path) -> None:
    large = tmp_path / "keys.json"
    with large.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    for path in (large, Path("/dev/zero"), tmp_path):
        reloader = ApiKeyReloader(f"file://{path}", ApiKeys(KeyList()), 1)
        with structlog.testing.capture_logs() as log:
            await reloader.check()
        assert log[0]["reason"] == f"it is not a file of at most {MAX_BYTES} bytes"


async def test_a_missing_file_is_told_in_words(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as log:
        await ApiKeyReloader(f"file://{tmp_path}/none", ApiKeys(KeyList()), 1).check()
    assert log[0]["reason"] == "cannot be read: No such file or directory"
