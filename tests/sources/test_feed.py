"""The feed: what a source brings reaches the cache once, and what the storage cannot take stops nothing."""

import asyncio

import pytest

from eventscache.errors import StorageError, StorageUnavailable
from eventscache.event import Event
from eventscache.sources.feed import Feed
from eventscache.storage.checkpoints import LocalCheckpoints
from eventscache.storage.lease import LeaseLost
from eventscache.storage.messages import Query
from eventscache.stream import Namespace, Status, Stream
from tests.support.cache_bench import TOKEN, CacheBench, opened, until

OTHER = Stream(Namespace.TOKEN, "other")


async def feed_of(bench: CacheBench) -> Feed:
    feed = Feed("place", "a place", bench.cache, LocalCheckpoints())
    assert await feed.lease.acquire()
    return feed


def events(*uids: str, stream: Stream = TOKEN, **fields: str) -> list[tuple[Stream, Event]]:
    return [(stream, Event.of(stream, uid=uid, timestamp="2026-01-01T00:00:00.000000Z", **fields)) for uid in uids]


async def test_events_keep_their_times_and_ids_and_are_counted() -> None:
    async with opened() as bench:
        feed = await feed_of(bench)
        await feed.bring(events("a", "b", skip="x"))
        page = await bench.cache.fetch(TOKEN, Query())
        assert [(event.uid, event.timestamp) for _, event in page.events] == [
            ("b", "2026-01-01T00:00:00.000000Z"),
            ("a", "2026-01-01T00:00:00.000000Z"),
        ]
        assert feed.counts.entries == 2
        assert feed.counts.lag_ms > 0
        feed.caught_up()
        assert feed.counts.lag_ms == 0
        missing = await feed.missing(TOKEN, [event for _, event in events("b", "c")])
        assert [event.uid for event in missing] == ["c"]


async def test_errors_can_be_brought_to_their_collection_alone() -> None:
    async with opened() as bench:
        feed = await feed_of(bench)
        await feed.bring(events("a", error="x"), errors_only=True)
        assert (await bench.cache.fetch(TOKEN, Query())).total == 0
        assert (await bench.cache.fetch(TOKEN, Query(Status.ERROR))).total == 1
        # The limiter of that collection decides, and only that.
        await feed.bring(events(*map(str, range(30)), error="x"), errors_only=True)
        await feed.bring(events("again", error="x"), errors_only=True)
        await feed.bring(events("b", skip="x"))
        assert (await bench.cache.fetch(TOKEN, Query())).total == 1
        assert (await bench.cache.fetch(TOKEN, Query(Status.ERROR))).total == 10
        assert (bench.ledger.stored, bench.ledger.balanced) == (11, True)


async def test_without_the_lease_nothing_is_brought_or_saved() -> None:
    async with opened() as bench:
        feed = Feed("place", "a place", bench.cache, LocalCheckpoints())
        with pytest.raises(LeaseLost):
            await feed.bring(events("a", skip="x"))
        with pytest.raises(LeaseLost):
            await feed.save({b"a": b"1"})
        assert bench.ledger.received == 0


async def test_a_stream_that_cannot_be_stored_is_left_out_and_counted() -> None:
    async with opened() as bench:
        feed = await feed_of(bench)
        insert = bench.storage.insert

        async def fails_for_one(batch):
            if batch.stream == TOKEN:
                raise StorageError("damaged")
            return await insert(batch)

        bench.storage.insert = fails_for_one  # type: ignore[method-assign]
        await feed.bring([*events("a", skip="x"), *events("b", stream=OTHER, skip="x")])
        assert [event.uid for _, event in (await bench.cache.fetch(OTHER, Query())).events] == ["b"]
        assert feed.counts.errors == {"not_stored": 1}
        assert bench.ledger.balanced


async def test_a_storage_that_is_away_is_told_to_the_source() -> None:
    async with opened(ack_timeout_seconds=0.05) as bench:
        feed = await feed_of(bench)
        bench.storage.unavailable = TOKEN
        bringing = asyncio.create_task(feed.bring(events("a", skip="x")))
        await until(lambda: bool(bench.storage.batches))
        bench.clock.advance(60_000_000)
        with pytest.raises(StorageUnavailable):
            await bringing
        assert feed.counts.entries == 0
