"""The masking thread: requests take turns, events keep their order, and nothing is queued before it is masked."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from eventscache.cache import EventsCache
from eventscache.delivery.receipt import Receipt
from eventscache.event import Event
from eventscache.masking.mask import Mask
from eventscache.masking.masking_thread import MaskingThread
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Query
from eventscache.stream import Namespace, Stream

STREAM = Stream(Namespace.TOKEN, "key")
PADDING = "x" * 10_000


class HeldMask(Mask):
    """A mask that notes what it masks and in which thread; in the masking thread it waits for `release`."""

    def __init__(self) -> None:
        super().__init__(drop=["email"])
        self.release = threading.Event()
        self.order: list[bytes] = []
        self.threads: set[str] = set()

    def masked(self, event: Event) -> Event:
        self.threads.add(threading.current_thread().name)
        if threading.current_thread() is not threading.main_thread():
            assert self.release.wait(60)
        self.order.append(event.original)
        return super().masked(event)


def original(number: int, padding: str = PADDING) -> bytes:
    return json.dumps({"n": number, "email": "ann@x", "p": padding}).encode()


@asynccontextmanager
async def opened(mask: Mask, **options: int) -> AsyncIterator[EventsCache]:
    cache = EventsCache(MemoryStorage(), mask=mask, **options)  # type: ignore[arg-type]
    await cache.open()
    try:
        yield cache
    finally:
        await cache.close()


async def numbers(cache: EventsCache) -> list[int]:
    page = await cache.fetch(STREAM, Query(limit=1000))
    assert all(event.masked and b"ann@x" not in event.original for _, event in page.events)
    return [json.loads(event.original)["n"] for _, event in reversed(page.events)]


async def test_a_large_batch_is_masked_in_a_thread_and_keeps_its_order() -> None:
    mask = HeldMask()
    async with opened(mask) as cache:
        batch = asyncio.create_task(cache.offer_originals_in_turns(STREAM, [original(n) for n in range(50)]))
        await asyncio.sleep(0)
        assert cache.ledger.queued == 0  # nothing waits for the storage unmasked
        assert cache.offer_originals(STREAM, [original(-1, "")])
        mask.release.set()
        assert await batch
        assert await numbers(cache) == [-1, *range(50)]
    assert len(mask.threads) == 2


async def test_short_events_are_masked_at_once() -> None:
    mask = HeldMask()
    async with opened(mask) as cache:
        assert await cache.offer_originals_in_turns(STREAM, [original(1, ""), original(2, "")])
        assert await cache.offer_in_turns([(STREAM, Event(original=original(3, ""), token_id="key"))])
        assert await numbers(cache) == [1, 2, 3]
    assert mask.threads == {threading.main_thread().name}


async def test_records_are_masked_in_the_thread_with_times_and_ids_from_their_arrival() -> None:
    mask = HeldMask()
    mask.release.set()
    other = Stream(Namespace.DESTINATION, "other")
    records = [
        (STREAM, Event(original=original(1), token_id="key")),
        (STREAM, Event(original=original(2), token_id="key", error="of ann@x")),
        (other, Event(original=original(3), destination_id="other", uid="own", timestamp="2026-01-01T00:00:00Z")),
    ]
    async with opened(mask) as cache:
        receipt = await cache.store(records)
        assert receipt
        assert receipt.stored == 3
        assert await numbers(cache) == [1, 2]
        [(_, failed)] = (await cache.fetch(STREAM, Query(), None)).events[:1]
        assert failed.error == "of ***"
        assert failed.uid
        assert failed.timestamp
        [(_, third)] = (await cache.fetch(other, Query())).events
        assert (third.uid, third.timestamp) == ("own", "2026-01-01T00:00:00Z")
    assert threading.main_thread().name not in mask.threads


async def test_requests_take_turns() -> None:
    mask = HeldMask()
    thread = MaskingThread(mask, 10_000_000)
    large = asyncio.create_task(thread.masked([Event(original=original(n)) for n in range(100)]))
    await asyncio.sleep(0)
    small = asyncio.create_task(thread.masked([Event(original=original(-1))]))
    await asyncio.sleep(0)
    mask.release.set()
    masked = [await large, await small]
    thread.close()
    assert [len(events or ()) for events in masked] == [100, 1]
    order = [json.loads(data)["n"] for data in mask.order]
    assert order.index(-1) < 10  # after one turn of the large one
    assert [number for number in order if number >= 0] == [*range(100)]


async def test_what_waits_to_be_masked_is_bounded_and_what_does_not_fit_is_dropped() -> None:
    mask = HeldMask()
    async with opened(mask, queue_bytes=300_000) as cache:
        first = asyncio.create_task(cache.offer_originals_in_turns(STREAM, [original(n) for n in range(20)]))
        await asyncio.sleep(0)
        assert not await cache.offer_originals_in_turns(STREAM, [original(n) for n in range(20, 40)])
        assert cache.ledger.dropped["queue_full"] == 20
        assert await cache.offer_originals_in_turns(STREAM, [original(99, "")])  # a short one has room
        mask.release.set()
        assert await first
        assert await numbers(cache) == [99, *range(20)]
        ledger = cache.ledger
        assert ledger.received == 41 == ledger.stored + ledger.dropped.total()


async def test_events_that_are_limited_locally_do_not_reach_the_thread() -> None:
    mask = HeldMask()
    mask.release.set()
    async with opened(mask) as cache:
        cache.offer_originals(STREAM, [original(n, "") for n in range(100)])
        await cache.fetch(STREAM, Query())
        del mask.order[:]
        receipt = Receipt(5)
        assert await cache.offer_originals_in_turns(STREAM, [original(n) for n in range(50)])
        events = [(STREAM, Event(original=original(n), token_id="key")) for n in range(5)]
        assert await cache.offer_in_turns(events, receipt=receipt)
        assert mask.order == []
        assert cache.ledger.limited == 55
        assert receipt.limited == 5


@pytest.mark.parametrize("as_records", [False, True])
async def test_events_whose_masking_a_shutdown_ends_are_counted_as_dropped(as_records: bool) -> None:
    mask = HeldMask()
    async with opened(mask) as cache:
        originals = [original(n) for n in range(50)]
        if as_records:
            waiting = cache.offer_in_turns([(STREAM, Event(original=data, token_id="key")) for data in originals])
        else:
            waiting = cache.offer_originals_in_turns(STREAM, originals)
        batch = asyncio.create_task(waiting)
        await asyncio.sleep(0)
        await cache.close()
        mask.release.set()
        assert not await batch
        assert cache.ledger.dropped["shutdown"] == cache.ledger.received == 50
        assert not await cache.offer_originals_in_turns(STREAM, originals)
        assert cache.ledger.dropped["shutdown"] == 100
