"""Extra collections on the way to the storage: one for each event type."""

import pytest
import structlog

from eventscache.clock import MICROSECONDS
from eventscache.delivery.cooldown import Cooldown
from eventscache.delivery.extra_cooldowns import ExtraCooldowns, ExtraKind
from eventscache.errors import StorageUnavailable
from eventscache.event import Event
from eventscache.extras.error_groups import GROUP, MOST_GROUPS, group_collection
from eventscache.extras.scopes import MOST_SCOPES, scope_collection
from eventscache.extras.types import MOST_TYPES, type_collection
from eventscache.masking.mask import Mask
from eventscache.query.filter import EventFilter
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import WRITER_HORIZON_US, Page, Query, Quota
from eventscache.stream import Status, Stream
from tests.support.cache_bench import QUOTA, TOKEN, CacheBench, opened, until

WINDOW_US = QUOTA.window_us
VIEW, PURCHASE = b'{"event_type":"view","n":%d}', b'{"event_type":"purchase","n":%d}'


def offered(bench: CacheBench, original: bytes, *numbers: int) -> None:
    for number in numbers:
        assert bench.cache.offer_originals(TOKEN, [original % number])


async def of_type(bench: CacheBench, name: str, status: Status | None = None) -> list[bytes]:
    page = await bench.cache.fetch(TOKEN, Query(status), EventFilter(event_type=name))
    assert page.total == len(page.events)
    sequences = [sequence for sequence, _ in page.events]
    assert sequences == sorted(set(sequences), reverse=True)
    return [event.original for _, event in page.events]


async def test_a_rare_type_is_kept_whatever_else_floods() -> None:
    async with opened(per_type=2) as bench:
        offered(bench, VIEW, *range(300))
        await bench.settled()
        offered(bench, PURCHASE, 1)
        await bench.settled()
        assert [event.original for _, event in (await bench.cache.fetch(TOKEN, Query(limit=100))).events] == [
            VIEW % number for number in range(9, -1, -1)
        ]
        assert await of_type(bench, "purchase") == [PURCHASE % 1]
        assert (bench.ledger.stored, bench.ledger.limited) == (11, 290)
        offered(bench, PURCHASE, 2, 3)
        offered(bench, VIEW, *range(300, 600))
        await bench.settled()
        assert await of_type(bench, "purchase") == [PURCHASE % 2, PURCHASE % 1]
        assert (bench.ledger.stored, bench.ledger.limited) == (12, 591)


async def test_what_a_type_limits_is_no_reason_to_ask_the_storage() -> None:
    async with opened(per_type=2) as bench:
        offered(bench, PURCHASE, *range(20))
        await bench.settled()
        bench.storage.batches.clear()
        offered(bench, PURCHASE, *range(20, 40))
        assert bench.ledger.limited == 30
        assert bench.storage.batches == []
        bench.clock.advance(WINDOW_US)
        offered(bench, PURCHASE, 40)
        await bench.settled()
        assert await of_type(bench, "purchase") == [PURCHASE % 40, *(PURCHASE % n for n in range(9, 0, -1))]
        (batch,) = bench.storage.batches[-1:]
        assert [count.events for count in batch.extras["type:purchase"].unsent.limited_earlier] == [20]


async def test_events_of_types_with_a_cooldown_wait_together_for_all() -> None:
    async with opened(per_type=1, quota=Quota(1000, WINDOW_US)) as bench:
        offered(bench, VIEW, 0)
        offered(bench, PURCHASE, 0)
        await bench.settled()
        bench.storage.batches.clear()
        for number in range(1, 20):
            offered(bench, VIEW, number)
            offered(bench, PURCHASE, number)
        await bench.settled()
        (batch,) = bench.storage.batches
        assert len(batch.offers) == 38
        assert batch.extras == {}  # what these limited is told with the next flush
        assert bench.ledger.stored == 40


async def test_errors_and_skips_are_kept_by_type_with_their_status() -> None:
    async with opened(per_type=3) as bench:
        offered(bench, VIEW, *range(100))
        await bench.settled()
        for fields in ({"error": "broken"}, {"skip": "why"}, {}):
            bench.cache.offer([(TOKEN, Event.of(TOKEN, original=PURCHASE % 1, **fields))])
        await bench.settled()
        assert len(await of_type(bench, "purchase")) == 3
        for status in Status:
            assert await of_type(bench, "purchase", status) == [PURCHASE % 1], status


async def test_a_retry_offers_the_same_and_an_outage_gives_the_counts_back() -> None:
    async with opened(per_type=1) as bench:
        offered(bench, PURCHASE, 1)
        await bench.settled()
        offered(bench, PURCHASE, *range(2, 20))
        await bench.settled()
        bench.storage.lose_reply = True
        offered(bench, VIEW, 1)
        await bench.settled()
        assert await of_type(bench, "view") == [VIEW % 1]
        assert bench.ledger.balanced
        info = await bench.storage.extras(TOKEN, "type")
        assert {extra.name: extra.offered for extra in info} == {"type:purchase": 19, "type:view": 1}


async def test_the_storage_learns_of_every_event_that_a_type_was_offered() -> None:
    async with opened(per_type=2) as bench:
        for number in range(50):
            offered(bench, PURCHASE, number)
            if number % 7 == 0:
                bench.storage.faults = [StorageUnavailable("away", ambiguous=False)]
            await bench.settled()
            bench.clock.advance(MICROSECONDS)
        await bench.cache.fetch(TOKEN, Query())
        (info,) = await bench.storage.extras(TOKEN, "type")
        assert info.offered == 50


async def test_made_up_types_are_bounded_and_cost_no_event_its_place() -> None:
    async with opened(per_type=1, quota=Quota(5000, WINDOW_US)) as bench:
        for number in range(1000):
            offered(bench, b'{"event_type":"t' + str(number).encode() + b'","n":%d}', number)
        await bench.settled()
        assert bench.ledger.stored == 1000
        assert len(await bench.storage.extras(TOKEN, "type")) == MOST_TYPES
        offered(bench, PURCHASE, 1)
        bench.clock.advance(60 * MICROSECONDS)
        offered(bench, PURCHASE, 2)
        await bench.settled()
        infos = await bench.storage.extras(TOKEN, "type")
        assert len(infos) == MOST_TYPES
        assert infos[0].name == "type:purchase"


async def test_without_it_or_with_a_storage_that_cannot_there_are_no_extra_collections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with opened(per_type=0) as bench:
        offered(bench, VIEW, 1)
        await bench.settled()
        assert bench.storage.batches[0].extras == {}
    monkeypatch.setattr(MemoryStorage, "has_extras", False)
    with structlog.testing.capture_logs() as log:
        bench = CacheBench(per_type=5)
        await bench.cache.open()
        await bench.cache.close()
    assert [entry["event"] for entry in log] == [
        (
            "the storage keeps no extra collections: so there are no error groups, no events by type, no follows "
            "and no scopes"
        )
    ]
    async with opened(per_type=5) as bench:
        offered(bench, VIEW, 1)
        await bench.settled()
        assert bench.storage.batches[0].extras == {}
        assert await of_type(bench, "view") == [VIEW % 1]


async def test_clearing_with_a_reset_opens_the_types_again() -> None:
    async with opened(per_type=1) as bench:
        offered(bench, PURCHASE, *range(20))
        await bench.settled()
        await bench.cache.clear(TOKEN, reset=True)
        offered(bench, PURCHASE, 99)
        await bench.settled()
        page: Page = await bench.storage.fetch(TOKEN, Query(extra="type:purchase"))
        assert page.total == 1


def test_a_long_type_has_a_short_name_of_its_own() -> None:
    names = {type_collection("x" * 10_000 + end) for end in ("a", "b")}
    assert len(names) == 2
    assert all(len(name) < 150 for name in names)


def test_a_process_begins_few_collections_in_a_minute() -> None:
    cooldowns = ExtraCooldowns({"type": ExtraKind(Quota(1, 1), 3)})
    assert [not cooldowns.limit_locally(f"type:{number}", 1, number) for number in range(5)] == [True] * 3 + [False] * 2
    assert not cooldowns.limit_locally("type:0", 1, 5)
    minute_us = 60 * MICROSECONDS
    assert [not cooldowns.limit_locally(f"type:{number}", 1, minute_us) for number in range(3, 6)] == [
        True,
        False,
        False,
    ]
    assert [not cooldowns.limit_locally(f"type:{n}", 1, minute_us + 2) for n in range(6, 9)] == [True, True, False]


async def test_what_a_flood_of_several_types_limits_is_counted_for_each_collection_once() -> None:
    async with opened(per_type=2) as bench:
        offered(bench, VIEW, *range(20))
        offered(bench, PURCHASE, *range(20))
        await bench.settled()
        bench.storage.batches.clear()
        for second in range(3):
            bench.clock.advance(MICROSECONDS // 4)
            offered(bench, VIEW, *range(30))
            offered(bench, PURCHASE, *range(20))
            bench.cache.offer([(TOKEN, Event.of(TOKEN, original=VIEW % second))])
        await bench.cache.fetch(TOKEN, Query())
        limited = {
            "all": sum(count.events for batch in bench.storage.batches for count in batch.all.limited_earlier),
            **{
                name: sum(
                    count.events
                    for batch in bench.storage.batches
                    if name in batch.extras
                    for count in batch.extras[name].unsent.limited_earlier
                )
                for name in ("type:view", "type:purchase")
            },
        }
        assert limited == {"all": 3 * 51, "type:view": 3 * 31, "type:purchase": 3 * 20}
        assert {info.name: info.offered for info in await bench.cache.extras(TOKEN, "type")} == {
            "type:view": 20 + 3 * 31,
            "type:purchase": 20 + 3 * 20,
        }
        only_by_type = 2  # purchases, which `all` limited
        assert (await bench.cache.fetch(TOKEN, Query())).limited == bench.ledger.limited + only_by_type


def test_counts_of_several_cooldowns_are_added_by_second() -> None:
    cooldown = Cooldown()
    cooldown.count_limited(1_500_000, 2)
    cooldown.count_limited(3_000_000, 1)
    cooldown.add_counts([1_200_000, 5, 2_000_001, 7, 3_999_999, 1])
    assert cooldown.limited == [1_500_000, 7, 2_000_001, 7, 3_999_999, 2]


async def test_a_type_that_opens_earlier_than_all_gets_its_events() -> None:
    async with opened(per_type=1, quota=Quota(3, WINDOW_US)) as bench:
        offered(bench, PURCHASE, 0)
        await bench.settled()
        bench.clock.advance(WINDOW_US // 2)
        offered(bench, VIEW, *range(20))
        await bench.settled()
        offered(bench, PURCHASE, 1, 2, 3)
        await bench.settled()
        bench.clock.advance(WINDOW_US // 2 + 1)
        offered(bench, VIEW, 20)
        offered(bench, PURCHASE, 4)
        await bench.settled()
        assert (await bench.cache.fetch(TOKEN, Query(extra="type:purchase"))).events[0][1].original == PURCHASE % 4


def failed(number: int) -> tuple[Stream, Event]:
    word = "".join("abcdefghij"[int(digit)] for digit in str(number))
    return TOKEN, Event.of(TOKEN, original=b"{}", error=f"fault {word}")


async def test_a_batch_names_no_more_groups_than_a_stream_may_have() -> None:
    async with opened(error_groups=True, quota=Quota(1000, WINDOW_US)) as bench:
        receipt = await bench.cache.store([failed(number) for number in range(100)])
        bench.clock.advance(61 * MICROSECONDS)
        receipt = await bench.cache.store([failed(number) for number in range(50, 200)])
        assert receipt
        assert receipt.stored == 150
        assert max(len(batch.extras) for batch in bench.storage.batches) == MOST_GROUPS
        infos = await bench.cache.extras(TOKEN, GROUP)
        assert len(infos) == MOST_GROUPS
        assert bench.ledger.balanced


async def test_counts_of_more_collections_than_a_batch_may_name_go_with_several() -> None:
    async with opened(error_groups=True, quota=Quota(1000, WINDOW_US)) as bench:
        for minute in range(2):
            await bench.cache.store([failed(number) for number in range(100 * minute, 100 * minute + 100)])
            bench.clock.advance(MICROSECONDS * 61 * (1 - minute))
        for _ in range(5):
            bench.cache.offer([failed(number) for number in range(200)])
        bench.storage.batches.clear()
        await bench.cache.fetch(TOKEN, Query())
        assert max(len(batch.extras) for batch in bench.storage.batches) <= MOST_GROUPS
        assert bench.ledger.balanced
        infos = await bench.cache.extras(TOKEN, GROUP)
        assert len(infos) == MOST_GROUPS


async def test_what_a_source_brings_is_counted_whole_however_many_groups_there_are() -> None:
    async with opened(error_groups=True, quota=Quota(500, WINDOW_US)) as bench:
        await bench.cache.keep([failed(7)] * 50)
        await bench.cache.keep([failed(number) for number in range(1000, 1150)])
        await bench.cache.keep([failed(1149)] * 10)
        counts = {info.name: info.offered for info in await bench.cache.extras(TOKEN, GROUP)}
        assert len(counts) == MOST_GROUPS
        assert counts[group_collection(failed(1149)[1].error)] == 11
        page = await bench.cache.fetch(TOKEN, Query(Status.ERROR, limit=1000))
        assert page.total == 50 + 150 + 10
        assert bench.ledger.balanced
    async with opened(error_groups=True, quota=Quota(500, WINDOW_US)) as bench:
        await bench.cache.keep([failed(7)] * 50)
        assert [info.offered for info in await bench.cache.extras(TOKEN, GROUP)] == [50]


async def test_events_that_wait_during_a_reset_keep_their_collections() -> None:
    async with opened(per_type=2) as bench:
        offered(bench, PURCHASE, *range(20))
        await bench.settled()
        bench.cache.offer_originals(TOKEN, [VIEW % 1], scope="scope:run")
        bench.cache.queue.end_cooldowns(TOKEN)
        await bench.settled()
        assert (await bench.cache.fetch(TOKEN, Query(extra="type:view"))).total == 1
        assert (await bench.cache.fetch(TOKEN, Query(extra="scope:run"))).total == 1


async def test_a_collection_that_is_ended_gives_its_place_to_another() -> None:
    async with opened() as bench:
        for number in range(3 * MOST_SCOPES):
            scope = scope_collection(f"run {number}")
            assert bench.cache.queue.may_begin_extra(TOKEN, scope)
            bench.cache.offer_originals(TOKEN, [VIEW % number], scope=scope)
            assert (await bench.cache.fetch(TOKEN, Query(extra=scope))).total == 1
            assert await bench.cache.clear_extra([TOKEN], scope, reset=True) == 1
        for number in range(MOST_SCOPES):
            bench.cache.offer_originals(TOKEN, [VIEW % number], scope=scope_collection(f"kept {number}"))
        await bench.settled()
        assert not bench.cache.queue.may_begin_extra(TOKEN, scope_collection("one more"))
        assert bench.cache.queue.may_begin_extra(TOKEN, scope_collection("kept 1"))


async def test_without_a_limit_the_newest_events_of_a_type_are_kept() -> None:
    async with opened(per_type=3, quota=Quota.without_limit(100)) as bench:
        assert bench.cache.offer_originals(TOKEN, [VIEW % number for number in range(20)])
        await bench.settled()
        page = await bench.cache.fetch(TOKEN, Query(extra="type:view"))
        assert [event.original for _, event in page.events] == [VIEW % number for number in (19, 18, 17)]
        assert [info.offered for info in await bench.cache.extras(TOKEN, "type")] == [20]
        assert bench.ledger.stored == 20


@pytest.mark.parametrize(
    ("mask", "original"),
    [
        (Mask(hash=["**.event_type"], key="key"), b'{"event_type":"ann@example.com"}'),
        (Mask(drop=["type"]), b'{"type":"ann@example.com"}'),
        (Mask(ip=True), b'{"event_type":"10.1.2.3"}'),
        (Mask(drop=["properties"]), b'{"properties":{"kind":"ann@example.com"}}'),
    ],
)
async def test_no_masked_value_is_the_name_of_a_collection(mask: Mask, original: bytes) -> None:
    async with opened(per_type=2, mask=mask, type_path=("properties", "kind")) as bench:
        bench.cache.offer_originals(TOKEN, [original])
        bench.cache.offer([(TOKEN, Event.of(TOKEN, original=original))])
        await bench.cache.keep([(TOKEN, Event.of(TOKEN, original=original))])
        bench.cache.offer_originals(TOKEN, [VIEW % 1])
        await bench.settled()
        names = [info.name for info in await bench.cache.extras(TOKEN, "type")]
        assert names in ([], ["type:view"])


async def test_a_mask_that_comes_later_hides_types_from_then_on() -> None:
    async with opened(per_type=2) as bench:
        bench.cache.use_mask(Mask(drop=["event_type"]))
        bench.cache.offer_originals(TOKEN, [VIEW % 1])
        await bench.settled()
        assert await bench.cache.extras(TOKEN, "type") == []


@pytest.mark.parametrize("applied", [True, False])
async def test_counts_without_an_answer_are_sent_again_and_counted_once(applied: bool) -> None:
    async with opened(error_groups=True, quota=Quota(5, WINDOW_US), ack_timeout_seconds=0.02) as bench:
        await bench.cache.store([failed(1)] * 10)
        for _ in range(100):
            bench.cache.offer([failed(1)])
        if applied:
            bench.storage.lose_reply = True
        # The retries of the batch have no answer either.
        away = StorageUnavailable("no answer", ambiguous=True)
        bench.storage.faults = [*([None] if applied else []), *[away] * 50]
        bench.cache.queue._request_flush(bench.buffer())
        await until(lambda: bench.buffer().unconfirmed is not None)
        number = bench.storage.batches[-1].number

        bench.storage.faults = []
        await bench.cache.store([failed(1)])
        (info,) = await bench.cache.extras(TOKEN, GROUP)
        assert info.offered == 111
        assert (await bench.cache.fetch(TOKEN, Query())).limited == bench.ledger.limited
        numbers = [batch.number for batch in bench.storage.batches]
        assert numbers == sorted(numbers)
        assert numbers.count(number) > 1
        assert bench.buffer().unconfirmed is None
        assert bench.ledger.balanced


async def test_counts_that_are_too_old_for_the_storage_to_know_are_not_sent_again() -> None:
    async with opened(error_groups=True, quota=Quota(5, WINDOW_US), ack_timeout_seconds=0.02) as bench:
        await bench.cache.store([failed(1)] * 10)
        bench.cache.offer([failed(1)])
        bench.storage.faults = [StorageUnavailable("no answer", ambiguous=True)] * 50
        bench.cache.queue._request_flush(bench.buffer())
        await until(lambda: bench.buffer().unconfirmed is not None)
        bench.storage.faults = []
        bench.clock.advance(WRITER_HORIZON_US)
        await bench.cache.store([failed(1)])
        (info,) = await bench.cache.extras(TOKEN, GROUP)
        assert info.offered == 11
