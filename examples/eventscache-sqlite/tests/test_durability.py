"""What a restart does not change."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from eventscache.clock import MICROSECONDS
from eventscache.errors import StorageUnavailable, TooManyStreams
from eventscache.storage.messages import Batch, Decision, Quota
from eventscache.storage.options import StorageOptions
from eventscache.stream import Namespace, Status, Stream
from eventscache.testing import ManualClock, Writer, error, numbered, payloads, success

from eventscache_sqlite import SqliteStorage

MINUTE_US = 60 * MICROSECONDS
QUOTA = Quota(10, MINUTE_US)
STREAM = Stream(Namespace.TOKEN, "key")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def options(clock: ManualClock) -> StorageOptions:
    return StorageOptions(now=clock, timeout_seconds=10)


async def names(storage: SqliteStorage) -> list[str]:
    return [info.stream.id for info in await storage.streams(Namespace.TOKEN)]


async def test_everything_continues_after_a_restart(path: Path, options: StorageOptions, clock: ManualClock) -> None:
    async with SqliteStorage(path, options) as storage:
        writer = Writer(storage, STREAM, QUOTA)
        await writer.insert([*success(*numbered(7)), *error(*numbered(5))])
        before = await writer.fetch(), await writer.fetch(status=Status.ERROR), await storage.streams(Namespace.TOKEN)

    clock.advance(-MICROSECONDS)  # the stream's time is kept as well
    async with SqliteStorage(path, options) as storage:
        writer = Writer(storage, STREAM, QUOTA)
        after = await writer.fetch(), await writer.fetch(status=Status.ERROR), await storage.streams(Namespace.TOKEN)
        assert after == before
        assert (before[0].total, before[0].limited) == (10, 2)
        assert (await writer.insert(success(b"x"))).all == Decision(0, MINUTE_US)
        clock.advance(MINUTE_US)
        await writer.insert(success(b"y"))
        page = await writer.fetch()
        assert (page.entries[0].sequence, page.entries[0].event, page.limited) == (13, b"y", 0)


async def test_a_batch_is_answered_again_after_a_restart(
    path: Path, options: StorageOptions, clock: ManualClock
) -> None:
    batches = [Batch(STREAM, QUOTA, "writer", number, success(*numbered(12))) for number in (1, 2)]
    async with SqliteStorage(path, options) as storage:
        first = [await storage.insert(batch) for batch in batches]

    clock.advance(MICROSECONDS)
    async with SqliteStorage(path, options) as storage:
        again = await storage.insert(batches[1])
        assert again.at_us == first[1].at_us
        assert again.all == Decision(0, MINUTE_US - MICROSECONDS)
        assert (await storage.insert(batches[0])).stale
        page = await Writer(storage, STREAM).fetch()
        assert (page.total, page.limited) == (10, 14)


async def test_prefixes_in_one_file_are_kept_apart(path: Path, clock: ManualClock) -> None:
    async with (
        SqliteStorage(path, StorageOptions(prefix="one", now=clock)) as one,
        SqliteStorage(path, StorageOptions(prefix="two", now=clock)) as two,
    ):
        for storage in (one, two):
            answer = await Writer(storage, STREAM, QUOTA).insert(success(*numbered(8)))
            assert answer.all is not None
            assert answer.all.admitted == 8
        await one.erase()
        assert await names(one) == []
        assert await names(two) == ["key"]


async def test_idle_streams_expire_for_readers_and_are_trimmed(path: Path, clock: ManualClock) -> None:
    async with SqliteStorage(path, StorageOptions(now=clock, ttl_seconds=1000, max_streams=1)) as storage:
        old = Writer(storage, STREAM, QUOTA)
        await old.insert(success(*numbered(10)))
        assert await storage.trim(10) == 0
        assert await storage.trim(10) == 1000
        clock.advance(1000 * MICROSECONDS)
        assert (await old.fetch()).entries == []
        assert await names(storage) == []
        # A new stream can take its place without eviction.
        new = Writer(storage, Stream(Namespace.TOKEN, "new"), QUOTA)
        await storage.insert(new.batch(success(b"x"), trusted=False))
        with pytest.raises(TooManyStreams):
            await storage.insert(old.batch(success(b"x"), trusted=False))
        clock.advance(1000 * MICROSECONDS)
        assert await storage.trim(10) == 1000
        assert _rows(path) == (0, 0)


async def test_a_lowered_bound_on_streams_holds_from_the_next_new_stream_on(path: Path, clock: ManualClock) -> None:
    async with SqliteStorage(path, StorageOptions(now=clock)) as storage:
        for name in "abcde":
            await Writer(storage, Stream(Namespace.TOKEN, name)).insert(success(b"x"))
            clock.advance(-MICROSECONDS)
    async with SqliteStorage(path, StorageOptions(now=clock, max_streams=2)) as storage:
        assert await names(storage) == ["e", "d"]
        await Writer(storage, Stream(Namespace.TOKEN, "f")).insert(success(b"x"))
        assert await names(storage) == ["f", "e"]
        assert _rows(path) == (2, 2)


async def test_data_of_something_else_is_left_out_and_limits_no_event(path: Path, options: StorageOptions) -> None:
    async with SqliteStorage(path, options) as storage:
        writer = Writer(storage, STREAM, QUOTA)
        await writer.insert(success(*numbered(4)))
        _change(path, "UPDATE events SET status = 'odd' WHERE sequence = 1")
        _change(path, "UPDATE events SET event = 'text' WHERE sequence = 2")
        _change(path, "UPDATE streams SET state = 'garbage'")
        page = await writer.fetch()
        assert (payloads(page), page.unreadable) == (numbered(2, 2)[::-1], 2)
        await writer.insert(success(b"next"))
        assert (await writer.fetch()).entries[0].sequence == 5
        _change(path, "UPDATE streams SET state = x'00'")
        assert await storage.clear(STREAM) == 5
        assert (await writer.fetch()).unreadable == 0


async def test_a_cancelled_call_is_carried_out_or_not_begun(path: Path, options: StorageOptions) -> None:
    async with SqliteStorage(path, options) as storage:
        writer = Writer(storage, STREAM, QUOTA)
        batches = [writer.batch(error(b"x")) for _ in range(8)]
        tasks = [asyncio.create_task(storage.insert(batch)) for batch in batches]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        everything, errors = await writer.fetch(), await writer.fetch(status=Status.ERROR)
        assert everything == errors
        assert [entry.sequence for entry in everything.entries] == list(range(everything.total, 0, -1))
        assert (await storage.insert(batches[-1])).all is not None
    with pytest.raises(StorageUnavailable):
        await storage.ping()


async def test_closing_finishes_the_calls_in_progress(path: Path, options: StorageOptions) -> None:
    storage = SqliteStorage(path, options)
    await storage.open()
    inserts = asyncio.gather(*(Writer(storage, STREAM, QUOTA).insert(success(b"x")) for _ in range(5)))
    await asyncio.sleep(0)
    await storage.close()
    await inserts
    async with storage:
        assert (await Writer(storage, STREAM).fetch()).total == 5


def _change(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement)
    connection.close()


def _rows(path: Path) -> tuple[int, int]:
    connection = sqlite3.connect(path)
    counts = "SELECT (SELECT count(*) FROM streams), (SELECT count(*) FROM events)"
    streams, events = connection.execute(counts).fetchone()
    connection.close()
    return streams, events


async def test_a_new_stream_gets_no_events_of_one_that_was_deleted_by_hand(path: Path, options: StorageOptions) -> None:
    async with SqliteStorage(path, options) as storage:
        await Writer(storage, STREAM, QUOTA).insert([*success(*numbered(3)), *error(*numbered(2))])
        by_hand = sqlite3.connect(path, isolation_level=None)  # without foreign keys, as everywhere else
        by_hand.execute("DELETE FROM streams")
        assert by_hand.execute("SELECT count(*) FROM events").fetchone()[0]
        by_hand.close()
        heir = Writer(storage, Stream(Namespace.DESTINATION, "heir"), QUOTA)
        assert (await heir.insert(success(b"mine"))).all == Decision(1, 0)
        page = await heir.fetch()
        assert payloads(page) == [b"mine"]
        assert page.entries[0].sequence == 1
        assert (await heir.fetch(status=Status.ERROR)).total == 0


@pytest.mark.parametrize("number", ["'broken'", "x'ff'", "-7", "1.5", "9223372036854775807"])
@pytest.mark.parametrize("column", ["sequence", "admitted_us"])
async def test_a_lost_state_goes_on_after_the_newest_number_that_is_one(
    path: Path, options: StorageOptions, clock: ManualClock, column: str, number: str
) -> None:
    async with SqliteStorage(path, options) as storage:
        writer = Writer(storage, STREAM, QUOTA)
        await writer.insert(success(*numbered(3)))
        by_hand = sqlite3.connect(path, isolation_level=None)
        by_hand.execute("UPDATE streams SET state = 'nonsense'")
        by_hand.execute(f"UPDATE events SET {column} = {number} WHERE sequence = 2")
        by_hand.close()
        clock.advance(MINUTE_US)
        answer = await writer.insert(success(b"after"))
        assert answer.at_us == clock.now_us
        page = await writer.fetch(before=5)
        assert (page.entries[0].sequence, page.entries[0].event) == (4, b"after")


async def test_an_id_of_half_a_letter_is_an_id_like_others(path: Path, options: StorageOptions) -> None:
    async with SqliteStorage(path, options) as storage:
        ids = ["\ud800", "\udfff", "a\ud83d", "\\ud800", "\ufffd", "plain"]
        writers = [Writer(storage, Stream(Namespace.TOKEN, name), QUOTA) for name in ids]
        for number, writer in enumerate(writers):
            assert (await writer.fetch()).total == 0
            await writer.insert(success(b"%d" % number))
        assert [payloads(await writer.fetch()) for writer in writers] == [[b"%d" % n] for n in range(len(ids))]
        assert await names(storage) == ids[::-1]
        assert [await storage.clear(writer.stream) for writer in writers] == [1] * len(ids)
