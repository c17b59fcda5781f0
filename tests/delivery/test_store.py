"""Callers who wait for the storage learn whether their events were surely not stored, or whether nobody knows."""

import asyncio

import pytest

from eventscache.errors import NotStored, StorageError, StorageRefused, StorageUnavailable, TooManyStreams
from eventscache.event import Event
from eventscache.stream import Namespace, Stream
from tests.support.cache_bench import TOKEN, opened, until

OTHER = Stream(Namespace.TOKEN, "other")
FULL = "the disk is full: free some of it"


def records(*streams: Stream) -> list[tuple[Stream, Event]]:
    return [(stream, Event(original=b"{}")) for stream in streams]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (StorageRefused(FULL), FULL),
        (StorageUnavailable("no connection to h:1", ambiguous=False), "the storage does not answer"),
        (StorageError("wrong type of eventscache:key"), "the storage has an error, which is in the log"),
        (TooManyStreams("too many"), "eventscache.max_streams"),
    ],
)
async def test_a_definite_loss_is_told_with_its_reason(fault: Exception, reason: str) -> None:
    async with opened(ack_timeout_seconds=0.05) as bench:
        bench.storage.faults = [fault] * 1000
        bench.clock.advance(0)
        storing = asyncio.create_task(bench.cache.store(records(TOKEN)))
        await until(lambda: bool(bench.storage.batches))
        bench.clock.advance(60_000_000)
        with pytest.raises(NotStored) as lost:
            await storing
        assert str(lost.value).startswith("1 of 1 events were not stored: ")
        assert reason in str(lost.value)
        assert (lost.value.stored, lost.value.limited, lost.value.ambiguous) == (0, 0, False)


async def test_a_refusal_after_a_lost_answer_leaves_the_outcome_unknown() -> None:
    async with opened(ack_timeout_seconds=20, storage_timeout_seconds=0) as bench:
        bench.storage.faults = [StorageUnavailable("no answer"), *[StorageRefused(FULL)] * 1000]
        storing = asyncio.create_task(bench.cache.store(records(TOKEN)))
        await until(lambda: len(bench.storage.batches) > 1)
        bench.clock.advance(60_000_000)
        with pytest.raises(StorageUnavailable) as unknown:
            await storing
        assert unknown.value.ambiguous
        assert bench.ledger.dropped == {"unconfirmed": 1}


async def test_the_events_that_were_stored_are_counted() -> None:
    async with opened(ack_timeout_seconds=20, storage_timeout_seconds=0) as bench:
        bench.storage.unavailable = OTHER
        storing = asyncio.create_task(bench.cache.store(records(TOKEN, TOKEN, OTHER)))
        await until(lambda: bench.ledger.stored == 2)
        bench.clock.advance(60_000_000)
        with pytest.raises(NotStored, match="1 of 3 events") as lost:
            await storing
        assert (lost.value.stored, lost.value.limited) == (2, 0)


async def test_events_that_were_never_sent_are_withdrawn_in_time() -> None:
    async with opened(ack_timeout_seconds=0.05) as bench:
        bench.storage.gate = asyncio.Event()
        bench.offer()
        await until(lambda: len(bench.storage.batches) == 1)
        with pytest.raises(NotStored, match="the storage is too slow"):
            await bench.cache.store(records(TOKEN))
        bench.storage.gate.set()
        await bench.settled()
        assert bench.ledger.stored == 1
        assert bench.ledger.dropped == {"storage_unavailable": 1}
        assert (bench.cache.queue.bytes, bench.cache.queue.waiting_bytes) == (0, 0)
        assert (await bench.cache.store(records(TOKEN))) is not None


async def test_events_in_flight_are_unknown_when_the_time_is_up() -> None:
    async with opened(ack_timeout_seconds=0.05) as bench:
        bench.storage.gate = asyncio.Event()
        with pytest.raises(StorageUnavailable, match=r"eventscache\.ack_timeout_ms") as unknown:
            await bench.cache.store(records(TOKEN))
        assert unknown.value.ambiguous
        bench.storage.gate.set()
        await bench.settled()
        assert bench.ledger.stored == 1


async def test_a_caller_waits_no_longer_because_others_came_before() -> None:
    async with opened(ack_timeout_seconds=20, storage_timeout_seconds=5) as bench:
        bench.storage.faults = [StorageRefused(FULL)] * 1000
        first = asyncio.create_task(bench.cache.store(records(TOKEN)))
        await until(lambda: bool(bench.storage.batches))
        bench.clock.advance(1_000_000)
        second = asyncio.create_task(bench.cache.store(records(TOKEN)))
        await asyncio.sleep(0)
        bench.clock.advance(15_000_000)  # the time to retry of both is over, and the first one's batch had more
        for storing in (first, second):
            with pytest.raises(NotStored, match=FULL):
                await storing
