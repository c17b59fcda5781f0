"""The record: what the parts of a cache note of the events that they lose or store."""

import asyncio
import json
from collections.abc import Callable

import pytest

from eventscache.cache import EventsCache
from eventscache.clock import MICROSECONDS
from eventscache.errors import StorageError, StorageUnavailable, TooManyStreams
from eventscache.event import Event
from eventscache.ingest import jitsu
from eventscache.ingest.limits import Limits
from eventscache.masking.mask import Mask
from eventscache.query.turns import PIECE_BYTES, Work
from eventscache.record.contents import events_in
from eventscache.record.record import COOLDOWN, MAX_SIGHTINGS, RATE_LIMIT, STORED, Record, Sighting
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Quota
from eventscache.stream import Namespace, Stream
from tests.support.cache_bench import QUOTA, TOKEN, CacheBench, opened, until
from tests.support.loop_turns import turns_during

ID = "00000000-0000-4000-8000-000000000001"
DESTINATION = Stream(Namespace.DESTINATION, "db")


def original(event_id: str = ID, **more: object) -> bytes:
    return json.dumps({"eventn_ctx_event_id": event_id, **more}).encode()


def event(event_id: str = ID) -> Event:
    return Event(original=original(event_id))


def record_of(cache: EventsCache) -> Record:
    assert cache.record
    return cache.record


async def found(bench: CacheBench, event_id: str = ID) -> list[Sighting]:
    record = record_of(bench.cache)
    return await record.find(event_id, Work(bench.cache.turns))


async def outcomes(bench: CacheBench, event_id: str = ID) -> list[str]:
    return [sighting.outcome for sighting in await found(bench, event_id)]


async def fill(bench: CacheBench, stream: Stream = TOKEN) -> None:
    """Bring a stream to its quota, so that it has a cooldown."""
    for _ in range(2):
        bench.cache.offer_originals(stream, [b"{}"] * QUOTA.size)
        await bench.settled()
    buffer = bench.cache.queue.buffer(stream)
    assert buffer
    assert bench.clock() < buffer.all.until_us


def body(*event_ids: str) -> bytes:
    return b"[%b]" % b",".join(map(original, event_ids))


OFFERS: list[Callable[[EventsCache], bool]] = [
    lambda cache: cache.offer_originals(TOKEN, [original()]),
    lambda cache: cache.offer_originals(TOKEN, [original("a"), original(), original("b")]),
    lambda cache: cache.offer_originals(TOKEN, jitsu.parse_events(body("a", ID, "b"), Limits())),
    lambda cache: cache.offer([(TOKEN, event("a")), (TOKEN, event()), (TOKEN, event("b"))]),
    lambda cache: cache.offer([(DESTINATION, event("a")), (TOKEN, event()), (DESTINATION, event("b"))]),
]


@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("mask", [None, Mask(drop=("user",))])
async def test_an_event_that_a_cooldown_limits_is_found_with_its_stream_and_time(
    offer: Callable[[EventsCache], bool], mask: Mask | None
) -> None:
    async with opened(mask=mask) as bench:
        await fill(bench)
        bench.clock.advance(1000)
        assert offer(bench.cache)
        (sighting,) = await found(bench)
        assert sighting == Sighting(bench.clock(), TOKEN, COOLDOWN)
        assert bench.cache.queue.limited_for_us(TOKEN, failed=False) > 0
        assert await outcomes(bench, "unknown") == []


@pytest.mark.parametrize("offer", OFFERS)
async def test_an_event_that_is_stored_is_found_as_stored(offer: Callable[[EventsCache], bool]) -> None:
    async with opened() as bench:
        offer(bench.cache)
        await bench.settled()
        (sighting,) = await found(bench)
        assert (sighting.outcome, sighting.stream) == (STORED, TOKEN)


async def test_of_one_batch_the_first_are_stored_and_the_others_limited_by_the_storage() -> None:
    async with opened() as bench:
        bench.cache.offer_originals(TOKEN, [original(f"id {number}") for number in range(15)])
        await bench.settled()
        told = [await outcomes(bench, f"id {number}") for number in range(15)]
        assert told == [[STORED]] * QUOTA.size + [[RATE_LIMIT]] * 5


async def test_events_that_a_cooldown_limits_after_they_were_put_are_found() -> None:
    async with opened() as bench:
        bench.storage.gate = asyncio.Event()
        bench.cache.offer_originals(TOKEN, [b"{}"] * 2 * QUOTA.size)
        await until(lambda: bool(bench.storage.batches))
        bench.cache.offer_originals(TOKEN, [original()])
        assert await outcomes(bench) == []  # it waits
        bench.storage.gate.set()
        await bench.settled()
        assert await outcomes(bench) == [COOLDOWN]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (StorageUnavailable("away", ambiguous=False), "storage_unavailable"),
        (StorageUnavailable("perhaps"), "unconfirmed"),
        (StorageError("broken"), "storage_error"),
        (TooManyStreams(), "max_streams"),
        (RuntimeError("a bug"), "storage_error"),
    ],
)
async def test_an_event_that_the_sender_drops_is_found_with_the_reason(fault: Exception, reason: str) -> None:
    async with opened(ack_timeout_seconds=0) as bench:
        bench.storage.faults = [fault]
        bench.cache.offer_originals(TOKEN, [original()])
        await bench.settled()
        assert bench.ledger.dropped[reason] == 1
        assert await outcomes(bench) == [reason]


async def test_an_event_of_a_new_stream_that_may_not_begin_is_found() -> None:
    async with opened(max_new_streams_per_minute=1) as bench:
        producer = bench.cache.producers.by_token(b"token")
        bench.cache.offer([(DESTINATION, event("other"))], producer)
        await bench.settled()
        bench.cache.offer([(TOKEN, event())], producer)
        await bench.settled()
        assert await outcomes(bench) == ["new_streams"]


@pytest.mark.parametrize("mask", [None, Mask(drop=("user",))])
async def test_an_event_that_finds_no_room_is_found(mask: Mask | None) -> None:
    async with opened(queue_bytes=1000, mask=mask) as bench:
        large = original(text="x" * 10_000)
        assert not await bench.cache.offer_originals_in_turns(TOKEN, [large])
        assert not await bench.cache.offer_in_turns([(DESTINATION, Event(original=large))])
        sightings = await found(bench)
        assert [sighting.stream for sighting in sightings] == [DESTINATION, TOKEN]
        assert {sighting.outcome for sighting in sightings} == {"queue_full"}


async def test_an_event_whose_caller_gave_up_is_found() -> None:
    async with opened(ack_timeout_seconds=0.01) as bench:
        bench.storage.gate = asyncio.Event()
        bench.cache.offer_originals(TOKEN, [b"{}"])
        await until(lambda: bool(bench.storage.batches))
        with pytest.raises(StorageError):
            await bench.cache.store([(TOKEN, event())])
        assert await outcomes(bench) == ["storage_unavailable"]
        bench.storage.gate.set()


async def test_events_that_are_dropped_at_the_end_are_noted() -> None:
    async with opened() as bench:
        bench.storage.gate = asyncio.Event()
        bench.cache.offer_originals(TOKEN, [original("sent")])
        await until(lambda: bool(bench.storage.batches))
        bench.cache.offer_originals(TOKEN, [original("waits")])
        await bench.cache.close(0)
        assert (await outcomes(bench, "sent"), await outcomes(bench, "waits")) == (["shutdown"], ["shutdown"])


async def test_a_malformed_body_is_found_by_the_id_between_quotation_marks() -> None:
    async with opened() as bench:
        broken = Event(malformed='{"event_id":"' + ID + '",', error="unexpected EOF")
        bench.cache.offer([(TOKEN, broken), (TOKEN, Event(malformed=f"no {ID} here", error="x"))])
        await bench.settled()
        (sighting,) = await found(bench)
        assert (sighting.outcome, sighting.by_text, sighting.failed) == (STORED, True, True)


async def test_a_failed_event_is_limited_until_one_of_its_collections_admits_again() -> None:
    async with opened() as bench:
        await fill(bench)
        assert bench.cache.queue.limited_for_us(TOKEN, failed=False) > 0
        assert bench.cache.queue.limited_for_us(TOKEN, failed=True) == 0
        assert bench.cache.queue.limited_for_us(DESTINATION, failed=False) == 0


@pytest.mark.parametrize(
    "event_id", ["a/b", "ü", "日本", '"', "\\", "\x00", " ", "\ud83d", "x" * 100_000, "{}", "a" * 32]
)
async def test_any_id_may_be_asked_for(event_id: str) -> None:
    async with opened() as bench:
        await fill(bench)
        bench.cache.offer_originals(TOKEN, [original(event_id)])
        bench.cache.offer([(TOKEN, Event(original=original(event_id), skip="\\"))])
        assert len(await found(bench, event_id)) == (0 if event_id == "\ud83d" else 2)
        assert await found(bench, event_id + "x") == []


async def test_the_newest_sightings_come_first_within_a_bound() -> None:
    async with opened() as bench:
        await fill(bench)
        for _ in range(150):
            bench.clock.advance(1)
            bench.cache.offer_originals(TOKEN, [original()])
        sightings = await found(bench)
        assert [bench.clock() - sighting.at_us for sighting in sightings] == [*range(MAX_SIGHTINGS)]


async def test_what_is_kept_is_bounded_whatever_is_offered() -> None:
    async with opened(record_bytes=3_000_000) as bench:
        await fill(bench)
        record = record_of(bench.cache)
        texts = [b'{"a":"%b"}' % (b"x" * size) for size in (0, 1000, 50_000)]
        for _ in range(50):
            for text in texts:
                bench.cache.offer_originals(TOKEN, [text])
                bench.cache.offer_originals(TOKEN, [text] * 10)
                bench.cache.offer_originals(TOKEN, jitsu.parse_events(b"[%b]" % b",".join([text] * 7), Limits()))
                bench.cache.offer([(TOKEN, Event(original=text, skip="\U0001f600" * 1000))] * 3)
                record.add_rejected(None, [text * 100, text], "x", ["m" * 1000] * 2)
                assert record.size_bytes <= 3_000_000
            bench.clock.advance(5 * MICROSECONDS)
            record.tend()
            await fill_again(bench)
        assert record.size_bytes > 1_000_000
        bench.clock.advance(11 * 60 * MICROSECONDS)
        record.tend()
        assert record.size_bytes == 0


async def fill_again(bench: CacheBench) -> None:
    bench.cache.offer_originals(TOKEN, [b"{}"] * 2 * QUOTA.size)
    await bench.settled()


async def test_every_event_is_found_or_missed() -> None:
    async with opened(record_bytes=30_000) as bench:
        record, offered, began_us = record_of(bench.cache), 0, bench.clock()
        for number in range(300):
            bench.cache.offer_originals(TOKEN, [original(f"id {number}"), b"{}"])
            offered += 2
            await bench.settled()
            if number == 150:
                bench.clock.advance(20 * MICROSECONDS)
                record.tend()
        kept = [1 for log in record.logs for entry in log.newest_first() for _ in events_in(entry.held, b"")]
        missed = [missed.events for log in record.logs if (missed := log.missed(bench.clock()))]
        assert len(kept) > 20
        assert len(missed) == 2
        assert len(kept) + sum(missed) == offered
        assert record.since_us == began_us


@pytest.mark.parametrize("record_bytes", [3_000, 30_000, 3_000_000])
@pytest.mark.parametrize("mask", [None, Mask(drop=("user",))])
async def test_every_event_that_is_lost_is_found_or_missed(record_bytes: int, mask: Mask | None) -> None:
    async with opened(record_bytes=record_bytes, queue_bytes=1, mask=mask) as bench:
        streams = [Stream(Namespace.TOKEN, str(number)) for number in range(100)]
        records = [(stream, Event(original=original(text="x" * 100))) for stream in streams]
        assert not await bench.cache.offer_in_turns(records)
        assert not bench.cache.offer(records)
        assert not bench.cache.offer_originals(TOKEN, [original()] * 700)
        record = record_of(bench.cache)
        bench.ledger.reject(40)
        record.add_rejected(None, [b"x" * 10] * 10, "invalid_record", ["m"] * 10, omitted=30)
        kept = [1 for entry in record.lost.newest_first() for _ in events_in(entry.held, b"")]
        missed = record.lost.missed(bench.clock())
        assert len(kept) + (missed.events if missed else 0) == 940


async def test_a_question_takes_turns_by_the_size_of_the_record() -> None:
    async with opened(record_bytes=100_000_000) as bench:
        await fill(bench)

        async def turns_to_search(events: int) -> int:
            for _ in range(events):
                bench.cache.offer_originals(TOKEN, [b'{"a":"' + b"x" * 20_000 + b'"}'])
            turns, sightings = await turns_during(found(bench))
            assert sightings == []
            return turns

        once, twice = await turns_to_search(200), await turns_to_search(200)
        assert once >= 200 * 20_000 / PIECE_BYTES
        assert 1.7 < twice / once < 2.3


async def test_questions_and_events_at_a_time_disturb_one_another_in_nothing() -> None:
    async with opened(record_bytes=3_000_000) as bench:
        await fill(bench)
        record = record_of(bench.cache)

        async def offer() -> None:
            for _ in range(200):
                bench.cache.offer_originals(TOKEN, [original(), b'{"a":"' + b"x" * 20_000 + b'"}'])
                bench.clock.advance(MICROSECONDS // 10)
                record.tend()
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as tasks:
            questions = [tasks.create_task(found(bench)) for _ in range(10)]
            tasks.create_task(offer())
        assert all(len(question.result()) <= MAX_SIGHTINGS for question in questions)


def test_nothing_is_kept_without_a_record() -> None:
    assert EventsCache(MemoryStorage(), record_bytes=0).record is None
    assert EventsCache(MemoryStorage(), enabled=False).record is None


async def test_a_record_that_is_off_changes_nothing_else() -> None:
    async with opened(record_bytes=0) as bench:
        await fill(bench)
        for offer in OFFERS:
            assert offer(bench.cache)
        await bench.settled()
        assert bench.ledger.balanced


async def test_a_record_is_tended_while_the_cache_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    tended = asyncio.Event()
    monkeypatch.setattr(Record, "tend", lambda _: tended.set())
    monkeypatch.setattr("eventscache.cache.events_cache._TEND_SECONDS", 0)
    cache = EventsCache(MemoryStorage(), quota=Quota(1, 1))
    await cache.open()
    async with asyncio.timeout(20):
        await tended.wait()
    await cache.close()
