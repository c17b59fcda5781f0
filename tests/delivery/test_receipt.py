"""Receipts: what became of the events of one caller."""

import asyncio

import pytest

from eventscache.errors import StorageUnavailable
from eventscache.event import Event
from tests.support.cache_bench import TOKEN, opened


async def test_store_returns_how_many_events_were_stored_and_limited() -> None:
    async with opened() as bench:
        events = [(TOKEN, Event(original=b"{}")) for _ in range(15)]
        receipt = await bench.cache.store(events)
        assert receipt is not None
        assert (receipt.stored, receipt.limited) == (10, 5)
        again = await bench.cache.store(events[:2])
        assert again is not None
        assert (again.stored, again.limited) == (0, 2)
        nothing = await bench.cache.store([])
        assert nothing is not None
        assert nothing.stored == 0


async def test_store_raises_when_the_storage_does_not_answer_in_time() -> None:
    async with opened(ack_timeout_seconds=0.01) as bench:
        bench.storage.gate = asyncio.Event()
        with pytest.raises(StorageUnavailable):
            await bench.cache.store([(TOKEN, Event(original=b"{}"))])
        bench.storage.gate.set()
        await bench.settled()
