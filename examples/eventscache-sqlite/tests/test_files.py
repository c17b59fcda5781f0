"""Files that cannot be used, and URLs that name no file."""

import resource
import sqlite3
from pathlib import Path

import pytest
from eventscache.errors import ConfigError, StorageError, StorageUnavailable
from eventscache.storage.messages import Batch, Query, Quota
from eventscache.storage.options import StorageOptions
from eventscache.storage.plugins import storage_from_url
from eventscache.stream import Namespace, Stream
from eventscache.testing import success

from eventscache_sqlite import SqliteStorage
from eventscache_sqlite.faults import translate

STREAM = Stream(Namespace.TOKEN, "key")
BATCH = Batch(STREAM, Quota(10, 1_000_000), "writer", 1, success(b"x" * 100_000))
OPTIONS = StorageOptions(timeout_seconds=0.01)


async def fault_of(path: Path) -> StorageError:
    """Return the error that every call raises."""
    async with SqliteStorage(path, OPTIONS) as storage:
        with pytest.raises(StorageError) as raised:
            await storage.ping()
        for call in (storage.insert(BATCH), storage.fetch(STREAM, Query()), storage.trim(1), storage.erase()):
            with pytest.raises(type(raised.value), match=str(raised.value)):
                await call
    assert raised.value.__cause__ is None
    return raised.value


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:",
        "sqlite:/absolute/path.db",
        "sqlite:relative.db",
        "sqlite://",
        "sqlite:///",
        "sqlite://host/x.db",
        "sqlite://host:///x.db",
        "sqlite:///x.db?mode=ro",
        "sqlite:///x.db#1",
        "sqlite:///%00",
    ],
)
def test_a_url_that_names_no_file_is_a_config_error(url: str) -> None:
    with pytest.raises(ConfigError, match="absolute"):
        storage_from_url(url, OPTIONS)


async def test_relative_and_percent_encoded_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with storage_from_url("sqlite:///a%20file%3F.db", OPTIONS) as storage:
        monkeypatch.chdir("/")
        await storage.ping()
    assert (tmp_path / "a file?.db").is_file()


async def test_a_missing_folder_is_unavailable_until_it_exists(tmp_path: Path) -> None:
    path = tmp_path / "later" / "events.db"
    assert isinstance(await fault_of(path), StorageUnavailable)
    path.parent.mkdir()
    async with SqliteStorage(path, OPTIONS) as storage:
        assert (await storage.insert(BATCH)).all is not None


async def test_a_file_that_is_no_database_is_an_error_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"shopping list\n" * 1000)
    fault = await fault_of(path)
    assert not isinstance(fault, StorageUnavailable)
    assert str(fault) == "SQLite: file is not a database"
    assert path.read_bytes() == b"shopping list\n" * 1000


async def test_the_database_of_another_application_is_an_error_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE streams (name TEXT)")
    connection.close()
    before = path.read_bytes()
    assert "another application" in str(await fault_of(path))
    assert path.read_bytes() == before


async def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    async with SqliteStorage(path, OPTIONS) as storage:
        await storage.insert(BATCH)
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    fault = await fault_of(path)
    assert not isinstance(fault, StorageUnavailable)
    assert "malformed" in str(fault)


async def test_a_full_disk_is_unavailable_until_there_is_space(tmp_path: Path) -> None:
    async with SqliteStorage(tmp_path / "events.db", OPTIONS) as storage:
        await storage.ping()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (90_000, limits[1]))
        try:
            with pytest.raises(StorageUnavailable):
                await storage.insert(BATCH)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert (await storage.fetch(STREAM, Query())).total == 0
        assert (await storage.insert(BATCH)).all is not None
        assert (await storage.fetch(STREAM, Query())).total == 1


async def test_a_file_that_another_process_locks_is_unavailable_for_writes(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    async with SqliteStorage(path, OPTIONS) as storage:
        await storage.insert(BATCH)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailable, match="locked") as raised:
            await storage.insert(BATCH)
        assert not raised.value.ambiguous
        assert (await storage.fetch(STREAM, Query())).total == 1  # readers do not wait
        other.close()
        assert (await storage.insert(BATCH)).all is not None


@pytest.mark.parametrize("pragma", ["query_only = ON", "max_page_count = 1"], ids=["read-only", "full"])
def test_an_error_that_an_operator_can_repair_is_unavailable(pragma: str) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute(f"PRAGMA {pragma}")
    with pytest.raises(sqlite3.Error) as raised:
        connection.execute("CREATE TABLE a (x)")
    connection.close()
    fault = translate(raised.value, committing=True)
    assert isinstance(fault, StorageUnavailable)
    assert not fault.ambiguous
