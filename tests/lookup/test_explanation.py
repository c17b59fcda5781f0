"""Why an event is not in the cache: what an answer says of what the record knows."""

import json
import time

import pytest

from eventscache.cache import EventsCache
from eventscache.clock import MICROSECONDS
from eventscache.errors import StorageUnavailable
from eventscache.event import Event
from eventscache.extras.follows import FOLLOW, FieldCondition, Follow
from eventscache.extras.scopes import SCOPE
from eventscache.lookup.explanation import Explainer, Explanation
from eventscache.storage.messages import Query
from eventscache.stream import Namespace, Stream
from eventscache.timestamp import parse_time
from tests.support.cache_bench import QUOTA, TOKEN, CacheBench, opened

ID = "00000000-0000-4000-8000-000000000001"
ORIGINAL = json.dumps({"event_id": ID}).encode()


async def explain(cache: EventsCache, event_id: str = ID) -> Explanation:
    explanation = await Explainer(cache).explain(event_id)
    assert explanation
    return explanation


async def offer(bench: CacheBench, *originals: bytes, stream: Stream = TOKEN) -> None:
    bench.cache.offer_originals(stream, originals)
    await bench.settled()


async def test_a_limited_event_is_told_with_how_long_its_stream_is_limited() -> None:
    async with opened() as bench:
        await offer(bench, *[b"{}"] * 2 * QUOTA.size)
        left_us = bench.cache.queue.limited_for_us(TOKEN, failed=False)
        before_us = time.time_ns() // 1000
        await offer(bench, ORIGINAL)
        bench.clock.advance(left_us - 1500)
        (outcome,) = (await explain(bench.cache)).outcomes
        assert (outcome.outcome, outcome.reason, outcome.namespace, outcome.id) == (
            "limited",
            "cooldown",
            "token",
            "key",
        )
        assert outcome.limited_for_ms == 2
        assert abs(parse_time(outcome.at) + left_us - 1500 - before_us) < 60 * MICROSECONDS
        bench.clock.advance(1500)
        (outcome,) = (await explain(bench.cache)).outcomes
        assert outcome.limited_for_ms is None


async def test_a_stored_event_was_pushed_out_if_its_stream_is_full() -> None:
    async with opened() as bench:
        await offer(bench, ORIGINAL)
        bench.clock.advance(QUOTA.window_us)
        bench.storage.now_us = bench.clock()
        await offer(bench, *[b"{}"] * QUOTA.size)
        page = await bench.cache.fetch(TOKEN, Query())
        assert all(event.original == b"{}" for _, event in page.events)
        (outcome,) = (await explain(bench.cache)).outcomes
        assert (outcome.outcome, outcome.reason) == ("stored", "pushed_out")
        assert outcome.message.endswith(f"and its oldest event is of {page.events[-1][1].timestamp}")


async def test_a_stored_event_was_removed_if_its_stream_has_room() -> None:
    async with opened() as bench:
        await offer(bench, ORIGINAL)
        await bench.cache.clear(TOKEN)
        (outcome,) = (await explain(bench.cache)).outcomes
        assert (outcome.outcome, outcome.reason) == ("stored", "removed")


async def test_it_is_not_told_what_became_of_a_stored_event_while_the_storage_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with opened() as bench:
        await offer(bench, ORIGINAL)

        async def fail(*_: object) -> None:
            raise StorageUnavailable("away")

        monkeypatch.setattr(bench.storage, "fetch", fail)
        (outcome,) = (await explain(bench.cache)).outcomes
        assert (outcome.outcome, outcome.reason) == ("stored", "unknown")


async def test_few_streams_are_asked_for_an_event_that_many_have_stored() -> None:
    async with opened() as bench:
        for number in range(30):
            await offer(bench, ORIGINAL, stream=Stream(Namespace.TOKEN, str(number)))
        outcomes = (await explain(bench.cache)).outcomes
        assert [outcome.id for outcome in outcomes] == [str(number) for number in range(29, -1, -1)] or len(
            outcomes
        ) == 30
        assert sum(outcome.reason == "unknown" for outcome in outcomes) == 20


async def test_a_dropped_event_is_told_with_the_reason_of_the_metrics() -> None:
    async with opened(queue_bytes=1) as bench:
        await offer(bench, ORIGINAL)
        (outcome,) = (await explain(bench.cache)).outcomes
        assert (outcome.outcome, outcome.reason) == ("dropped", "queue_full")
        assert "eventscache.queue_bytes" in outcome.message


async def test_of_an_event_that_was_never_seen_it_is_told_since_when_and_what_was_missed() -> None:
    async with opened(record_bytes=10_000) as bench:
        explanation = await explain(bench.cache)
        assert (explanation.outcomes, explanation.missed, explanation.waiting) == ([], [], 0)
        began = parse_time(explanation.since or "")
        await offer(bench, *[b"{}"] * QUOTA.size)
        for _ in range(50):
            await offer(bench, b"{}", b"{}")
        explanation = await explain(bench.cache)
        limited, stored = explanation.missed
        assert (limited.outcome, stored.outcome) == ("limited", "stored")
        assert 50 < limited.events < 100
        assert stored.events == QUOTA.size
        assert abs(parse_time(explanation.since or "") - began) < 60 * MICROSECONDS


async def test_events_that_wait_are_counted() -> None:
    async with opened() as bench:
        bench.cache.offer_originals(TOKEN, [ORIGINAL])
        explanation = await explain(bench.cache)
        assert (explanation.outcomes, explanation.waiting) == ([], 1)


async def test_nothing_is_told_without_a_record() -> None:
    async with opened(record_bytes=0) as bench:
        assert await Explainer(bench.cache).explain(ID) is None


async def test_an_answer_holds_nothing_of_an_event() -> None:
    async with opened(queue_bytes=1) as bench:
        secret = json.dumps({"event_id": ID, "email": "ann@example.com"})
        await offer(bench, secret.encode())
        bench.cache.offer([(TOKEN, Event(malformed=secret[:-1], error="ann@example.com"))])
        explanation = await explain(bench.cache)
        assert len(explanation.outcomes) == 2
        assert "ann@example.com" not in str(explanation)


async def test_an_event_that_only_its_type_keeps_is_said_to_be_there() -> None:
    async with opened(per_type=2, quota=QUOTA) as bench:
        await offer(bench, *[b"{}"] * QUOTA.size)
        await offer(bench, b'{"event_type":"view","event_id":"' + ID.encode() + b'"}')
        (outcome,) = (await explain(bench.cache)).outcomes
        assert (outcome.outcome, outcome.reason) == ("stored", "kept_by_type")


async def test_an_event_that_only_its_scope_or_a_follow_keeps_is_said_to_be_there() -> None:
    follow = Follow("f", "", 2**52, fields=(FieldCondition(("who",), "ann"),))
    originals = {SCOPE: ORIGINAL, FOLLOW: ORIGINAL[:-1] + b',"who":"ann"}'}
    for kind, original in originals.items():
        async with opened() as bench:
            bench.cache.use_follows([follow])
            await offer(bench, *[b"{}"] * QUOTA.size)
            bench.cache.offer_originals(TOKEN, [original], scope="scope:run" if kind == SCOPE else "")
            await bench.settled()
            (outcome,) = (await explain(bench.cache)).outcomes
            assert (outcome.outcome, outcome.reason) == ("stored", f"kept_by_{kind}")
            assert f"{kind}=" in outcome.message


async def test_an_event_that_only_the_group_of_its_error_keeps_is_said_to_be_there() -> None:
    async with opened(error_groups=True) as bench:
        bench.offer(QUOTA.size, error="x")
        bench.cache.offer([(TOKEN, Event.of(TOKEN, original=ORIGINAL, error="another fault"))])
        await bench.settled()
        (outcome,) = (await explain(bench.cache)).outcomes
        assert (outcome.outcome, outcome.reason) == ("stored", "kept_by_group")
