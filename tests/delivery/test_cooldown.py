"""Cooldowns: which events a process limits by itself, and for how long."""

import asyncio
import itertools

from eventscache.clock import MICROSECONDS
from eventscache.errors import StorageUnavailable
from eventscache.storage.messages import Decision, LimitedCount, Query, Quota
from eventscache.stream import Namespace, Status, Stream
from tests.support.cache_bench import TOKEN, opened, until


async def test_no_call_is_made_before_the_cooldown_of_a_collection_ends() -> None:
    async with opened() as bench:
        bench.offer(10)
        await bench.settled()
        bench.clock.advance(MICROSECONDS - 1)
        bench.offer(50)
        assert bench.ledger.limited == 50
        assert bench.ledger.queued == 0
        assert len(bench.storage.batches) == 1
        bench.clock.advance(1)  # cooldowns last a second at most
        bench.offer()
        await bench.settled()
        assert bench.storage.batches[1].all.limited_earlier == (LimitedCount(1, 50),)


async def test_a_cooldown_ends_before_the_collection_admits_again() -> None:
    async with opened() as bench:
        bench.offer(10)
        await bench.settled()
        bench.clock.advance(60 * MICROSECONDS)
        bench.offer(11)  # ten are admitted, and from then on one every six seconds
        await bench.settled()
        admitted_at = []
        for _ in range(2000):
            bench.clock.advance(100_000)
            before = bench.ledger.stored
            bench.offer()
            await bench.settled()
            if bench.ledger.stored > before:
                admitted_at.append(bench.clock.now_us)
        gaps = [later - earlier for earlier, later in itertools.pairwise(admitted_at)]
        assert len(gaps) > 20
        assert max(gaps) <= 2 * 6 * MICROSECONDS + 100_000


async def test_a_cooldown_never_limits_what_the_storage_would_admit() -> None:
    async with opened(quota=Quota(10, MICROSECONDS)) as bench:
        bench.offer(11)
        await bench.settled()
        for _ in range(50):
            decision = bench.storage.answers[-1].all
            assert decision is not None
            bench.clock.advance(decision.retry_after_us)
            stored = bench.ledger.stored
            bench.offer(20)
            await bench.settled()
            assert bench.ledger.stored > stored
            # Until shortly before it ends, nothing reaches the storage.
            calls = len(bench.storage.batches)
            decision = bench.storage.answers[-1].all
            assert decision is not None
            bench.clock.advance(decision.retry_after_us * 99 // 100)
            bench.offer()
            assert len(bench.storage.batches) == calls
            bench.clock.advance(-(decision.retry_after_us * 99 // 100))


async def test_a_cooldown_starts_when_the_call_was_sent() -> None:
    async with opened(quota=Quota(10, MICROSECONDS)) as bench:
        bench.storage.gate = asyncio.Event()
        bench.offer(10)
        await until(lambda: len(bench.storage.batches) == 1)
        sent_us = bench.clock.now_us
        bench.clock.advance(700)
        bench.storage.now_us = sent_us  # the storage has its own clock
        bench.storage.gate.set()
        await bench.settled()
        assert bench.storage.answers[0].all == Decision(10, MICROSECONDS)
        assert bench.buffer().all.until_us == sent_us + 999_000


async def test_locally_limited_events_count_as_limited_although_the_rest_of_their_batch_fails() -> None:
    async with opened(ack_timeout_seconds=0) as bench:
        bench.storage.gate = asyncio.Event()
        bench.offer(10)
        await until(lambda: len(bench.storage.batches) == 1)
        bench.offer(3)
        bench.offer(2, error="e")
        bench.storage.faults = [None, StorageUnavailable("no connection", ambiguous=False)]
        bench.storage.gate.set()
        await bench.settled()
        assert bench.ledger.stored == 10
        assert bench.ledger.limited == 3
        assert bench.ledger.dropped == {"storage_unavailable": 2}


async def test_each_collection_has_its_own_cooldown() -> None:
    async with opened() as bench:
        bench.offer(10)
        await bench.settled()
        bench.offer(12, error="no")
        await bench.settled()
        batch = bench.storage.batches[1]
        assert [(offer.to_all, offer.to_error) for offer in batch.offers] == [(False, True)] * 10
        assert batch.error.surplus == 2
        assert batch.all.limited_earlier == (LimitedCount(0, 12),)
        assert (bench.ledger.stored, bench.ledger.limited) == (20, 2)
        assert (bench.ledger.admitted_all, bench.ledger.admitted_error) == (10, 10)
        assert (await bench.cache.fetch(TOKEN, Query())).limited == 12
        bench.offer(5, error="no")
        assert bench.ledger.limited == 7
        page = await bench.cache.fetch(TOKEN, Query(Status.ERROR))
        assert (page.total, page.limited) == (10, 7)


async def test_waiting_events_that_a_new_cooldown_limits_make_no_call() -> None:
    async with opened() as bench:
        bench.storage.gate = asyncio.Event()
        bench.offer(10)
        await until(lambda: len(bench.storage.batches) == 1)
        bench.offer(5)
        bench.storage.gate.set()
        await bench.settled()
        assert bench.ledger.limited == 5
        assert len(bench.storage.batches) == 1
        assert (await bench.cache.fetch(TOKEN, Query())).limited == 5


async def test_cooldowns_last_longer_with_very_many_streams() -> None:
    async with opened(quota=Quota(1, 600 * MICROSECONDS)) as bench:
        streams = [Stream(Namespace.TOKEN, f"key {number}") for number in range(10_000)]
        for stream in streams:
            bench.offer(2, stream)
        await bench.settled()
        calls = len(bench.storage.batches)
        bench.clock.advance(6 * MICROSECONDS - 200)
        bench.offer(1, streams[-1])
        assert len(bench.storage.batches) == calls
        assert bench.ledger.queued == 0
        bench.clock.advance(200)
        bench.offer(1, streams[-1])
        await bench.settled()
        assert len(bench.storage.batches) == calls + 1
        assert bench.storage.batches[-1].all.limited_earlier == (LimitedCount(200, 1),)


async def test_a_limiter_that_was_reset_elsewhere_ends_a_long_cooldown_with_the_next_limited_counts() -> None:
    async with opened(quota=Quota(1, 600 * MICROSECONDS)) as bench:
        for number in range(10_000):
            bench.offer(1, Stream(Namespace.TOKEN, f"key {number}"))
        await bench.settled()
        bench.offer()
        await bench.settled()
        bench.offer()
        assert (bench.ledger.stored, bench.ledger.limited) == (10_001, 1)
        await bench.storage.clear(TOKEN, reset=True)
        bench.clock.advance(2_701_000)
        await until(lambda: not bench.buffer().has_limited_counts and not bench.buffer().scheduled)
        bench.offer()
        await bench.settled()
        assert bench.ledger.stored == 10_002
