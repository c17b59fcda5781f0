"""Tokens in files, reloaded when they change, without a restart."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from eventscache.access.credential_reloaders import TokenFileReloader
from eventscache.access.tokens import Tokens
from eventscache.config.settings import Settings
from eventscache.errors import ConfigError
from eventscache.server import app
from eventscache.storage.memory import MemoryStorage
from tests.support.sidecar import CACHE, Sidecar, Start

GENEROUS_SECONDS = 20
RECORD = b'{"destination_id":"d","original":{}}'


def write(path: Path, text: str) -> None:
    """Replace a file as a whole, as Kubernetes does with a secret."""
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").replace(path)


def make_reloader(path: Path, *listed: str) -> tuple[TokenFileReloader, Tokens]:
    tokens = Tokens(listed, str(path))
    return TokenFileReloader("admin tokens", str(path), tokens, 1), tokens


async def reads(sidecar: Sidecar, token: str) -> bool:
    return (await sidecar.get(CACHE, X_Admin_Token=token)).status == 200


async def until_read(sidecar: Sidecar, token: str) -> None:
    async with asyncio.timeout(GENEROUS_SECONDS):
        while not await reads(sidecar, token):
            await asyncio.sleep(0)


async def test_tokens_change_without_a_restart(start: Start, tmp_path: Path) -> None:
    admins, ingesters = tmp_path / "admins", tmp_path / "ingesters"
    write(admins, "# readers\n\nfirst\nalso\n")
    write(ingesters, "sender")
    sidecar = await start(
        host="0.0.0.0",
        admin_tokens=("listed",),
        jitsu_admin_token="jitsus",
        admin_tokens_file=str(admins),
        ingest_tokens_file=str(ingesters),
        api_keys_reload_seconds=0.01,
    )
    for token in ("listed", "jitsus", "first", "also"):
        assert await reads(sidecar, token)
    assert (await sidecar.record(RECORD, X_Auth_Token="sender")).status == 200
    assert not await reads(sidecar, "sender")

    write(admins, "second\n")
    await until_read(sidecar, "second")

    assert not await reads(sidecar, "first")
    assert await reads(sidecar, "listed")
    assert await reads(sidecar, "jitsus")

    write(ingesters, "second-sender")
    async with asyncio.timeout(GENEROUS_SECONDS):
        while (await sidecar.record(RECORD, X_Auth_Token="second-sender")).status != 200:
            await asyncio.sleep(0)
    assert (await sidecar.record(RECORD, X_Auth_Token="sender")).status in {401, 429}


def emptied(path: Path) -> None:
    write(path, "")


def commented_out(path: Path) -> None:
    write(path, "# token\n")


def removed(path: Path) -> None:
    path.unlink()


def made_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("break_file", [emptied, commented_out, removed, made_a_folder])
async def test_an_error_is_logged_once_and_the_last_tokens_stay_in_use(
    tmp_path: Path, break_file: Callable[[Path], None]
) -> None:
    path = tmp_path / "tokens"
    write(path, "secret-one")
    reloader, tokens = make_reloader(path)
    await reloader.check()
    break_file(path)
    with structlog.testing.capture_logs() as log:
        for _ in range(3):
            await reloader.check()
    assert [line["event"] for line in log] == ["admin tokens not reloaded, the last ones stay in use"]
    assert log[0]["source"] == str(path)
    assert tokens.match(["secret-one"])

    if path.is_dir():
        path.rmdir()
    write(path, "secret-two\nsecret-three")
    with structlog.testing.capture_logs() as log:
        await reloader.check()
        await reloader.check()
    assert [(line["event"], line["count"]) for line in log] == [("admin tokens reloaded", 2)]
    assert not tokens.match(["secret-one"])
    assert "secret" not in str(log)


async def test_a_file_that_was_never_read_is_logged_as_such(tmp_path: Path) -> None:
    reloader, _ = make_reloader(tmp_path / "tokens")
    with structlog.testing.capture_logs() as log:
        for _ in range(3):
            await reloader.check()
        write(tmp_path / "tokens", "secret")
        await reloader.check()
        emptied(tmp_path / "tokens")
        await reloader.check()
    assert [line["event"] for line in log] == [
        "admin tokens not reloaded, and none are known yet",
        "admin tokens reloaded",
        "admin tokens not reloaded, the last ones stay in use",
    ]


async def test_a_file_that_can_be_read_again_unchanged_is_logged(tmp_path: Path) -> None:
    path, aside = tmp_path / "tokens", tmp_path / "aside"
    write(path, "one")
    reloader, tokens = make_reloader(path)
    await reloader.check()
    kept, reloader._file._path = reloader._file._path, aside  # where there is none
    with structlog.testing.capture_logs() as log:
        await reloader.check()
        reloader._file._path = kept
        await reloader.check()
        await reloader.check()
    assert [line["log_level"] for line in log] == ["error", "info"]
    assert tokens.match(["one"])


async def test_a_change_is_noticed_though_size_and_time_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    write(path, "one")
    os.utime(path, ns=(1, 1))
    reloader, tokens = make_reloader(path)
    await reloader.check()
    write(path, "two")
    os.utime(path, ns=(1, 1))
    await reloader.check()
    assert tokens.match(["two"])


async def test_a_file_that_did_not_change_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tokens"
    write(path, "one")
    reloader, tokens = make_reloader(path)
    await reloader.check()
    monkeypatch.delattr(Path, "read_bytes")
    with structlog.testing.capture_logs() as log:
        await reloader.check()
    assert log == []
    assert tokens.match(["one"])


@pytest.mark.parametrize("content", [None, "", "\n# nobody\n"])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
async def test_with_a_file_without_tokens_every_token_is_rejected(
    start: Start, tmp_path: Path, content: str | None, host: str
) -> None:
    path = tmp_path / "tokens"
    if content is not None:
        write(path, content)
    sidecar = await start(host=host, admin_tokens_file=str(path), api_keys_reload_seconds=0.01)
    for headers in ({}, {"X_Admin_Token": ""}, {"Authorization": "Bearer "}, {"X_Admin_Token": "# nobody"}):
        assert (await sidecar.get(CACHE, **headers)).status == 401
    assert (await sidecar.record(RECORD, X_Auth_Token="")).status == 401
    write(path, "late")
    await until_read(sidecar, "late")


async def test_a_file_of_ingest_tokens_does_not_replace_an_admin_token() -> None:
    with pytest.raises(ConfigError, match="admin_tokens"):
        app.Sidecar(Settings(host="0.0.0.0", ingest_tokens_file="/a/file"), MemoryStorage())
