"""What the calls of the storage take, and how they fail."""

import pytest

from eventscache.errors import StorageError, StorageRefused, StorageUnavailable
from eventscache.storage.messages import Query
from tests.support.cache_bench import TOKEN, opened


async def test_every_try_of_a_batch_counts_and_every_call_has_a_time() -> None:
    async with opened() as bench:
        bench.storage.faults = [StorageUnavailable("away"), StorageRefused("full"), None, StorageError("damaged")]
        bench.offer()
        await bench.settled()
        bench.offer()
        await bench.settled()
        calls = bench.cache.storage_calls
        assert calls.insert_faults == {"unavailable": 1, "refused": 1, "error": 1}
        assert calls.retries == 2
        assert sum(calls.inserts.counts) == 4
        assert bench.ledger.dropped == {"storage_error": 1}


async def test_a_read_that_fails_counts_and_has_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as bench:
        await bench.cache.fetch(TOKEN, Query())

        async def fail(*_: object) -> None:
            raise StorageUnavailable("away")

        monkeypatch.setattr(bench.storage, "fetch", fail)
        with pytest.raises(StorageUnavailable):
            await bench.cache.fetch(TOKEN, Query())
        assert bench.cache.storage_calls.read_faults == {"unavailable": 1}
        assert sum(bench.cache.storage_calls.reads.counts) == 2


async def test_cooldowns_are_counted() -> None:
    async with opened() as bench:
        bench.offer(15)
        await bench.settled()
        assert bench.cache.queue.sender.cooldowns == 1
