"""API keys in a file or at a URL, reloaded when they change."""

import asyncio
import json
import os
from pathlib import Path

import pytest
import structlog
from aiohttp import web

from eventscache.access.api_keys import ApiKeys, KeyList
from eventscache.access.credential_reloaders import ApiKeyReloader
from tests.support.sidecar import Sidecar, Start

GENEROUS_SECONDS = 20


async def status(sidecar: Sidecar, token: str) -> int:
    return (await sidecar.post(f"/api/v1/event?token={token}", b"{}")).status


async def until_known(sidecar: Sidecar, token: str) -> None:
    async with asyncio.timeout(GENEROUS_SECONDS):
        while await status(sidecar, token) != 200:
            await asyncio.sleep(0)


def write(path: Path, content: object) -> None:
    """Replace a file atomically, so that no reader gets half of it."""
    path.with_suffix(".new").write_text(json.dumps(content))
    os.replace(path.with_suffix(".new"), path)  # noqa: PTH105


async def test_a_file_of_keys_is_reloaded(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    write(path, [{"id": "one", "client_secret": "first"}])
    sidecar = await start(api_keys=KeyList(url=f"file://{path}"), api_keys_reload_seconds=0.01)
    assert await status(sidecar, "first") == 200
    assert await status(sidecar, "second") == 401

    write(path, {"tokens": ["second"]})
    await until_known(sidecar, "second")
    assert await status(sidecar, "first") in {401, 429}

    for broken in ({"tokens": 5}, [[5]], "x"):
        write(path, broken)
        await asyncio.sleep(0)
    path.write_text("{")
    path.unlink()
    write(path, ["third"])
    await until_known(sidecar, "third")


async def test_without_keys_that_can_be_read_every_token_is_rejected(start: Start, tmp_path: Path) -> None:
    missing = await start(api_keys=KeyList(url=f"file://{tmp_path}/none"))
    unreachable = await start(api_keys=KeyList(url="http://127.0.0.1:1/keys"))
    for sidecar in (missing, unreachable):
        assert await status(sidecar, "any") == 401


async def test_a_configurator_is_asked_with_if_modified_since(start: Start) -> None:
    tokens, asked = ["first"], []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append(request.headers.get("If-Modified-Since"))
        if asked[-1] == str(tokens):
            return web.Response(status=304)
        if not tokens:
            return web.Response(status=500)
        return web.Response(text=json.dumps({"tokens": tokens}), headers={"Last-Modified": str(tokens)})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/v1/apikeys?token=x"
    sidecar = await start(api_keys=KeyList(url=url), api_keys_reload_seconds=0.01)
    assert await status(sidecar, "first") == 200
    tokens[:] = []
    before = len(asked)
    while len(asked) < before + 2:
        await asyncio.sleep(0)
    assert await status(sidecar, "first") == 200
    tokens[:] = ["second"]
    await until_known(sidecar, "second")
    assert asked[0] is None
    assert "['first']" in asked
    await runner.cleanup()


@pytest.mark.slow
async def test_an_error_in_the_keys_is_logged_once_and_the_last_ones_stay_in_use(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = ApiKeys(KeyList(url=f"file://{path}"))
    reloader = ApiKeyReloader(f"file://{path}", keys, 1)
    write(path, ["first"])
    await reloader.check()
    for broken in ("{", '{"tokens": 5}', "[[5]]", "x", "[" * 100_000, "\x00"):
        path.with_suffix(".new").write_text(broken)
        path.with_suffix(".new").replace(path)
        with structlog.testing.capture_logs() as log:
            for _ in range(3):
                await reloader.check()
            write(path, ["first"])
            await reloader.check()
        assert [line["log_level"] for line in log] == ["error", "info"], broken
        assert keys.client("first")
