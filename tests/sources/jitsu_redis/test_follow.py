"""Jitsu's Redis, followed: each entry once, whatever happens on either side."""

import asyncio
from typing import Any

import pytest

from eventscache.sources.follower import Follower
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.options import StorageOptions
from tests.support.cache_bench import GENEROUS_SECONDS
from tests.support.jitsu_lists import JitsuLists, numbers, text_of
from tests.support.redis_server import RedisServer
from tests.support.sidecar import Log, Sidecar, Start

ROOMY = {"size": 10_000, "window_seconds": 1}


@pytest.fixture
def jitsu(tcp_redis: RedisServer) -> JitsuLists:
    return JitsuLists(tcp_redis)


@pytest.fixture
def follow(start: Start, tcp_redis: RedisServer) -> Any:
    """Start a sidecar that follows `tcp_redis`."""

    async def start_following(storage: Any = "memory://", **settings: Any) -> Sidecar:
        sources = (("jitsu_redis", settings.pop("url", tcp_redis.url)),)
        return await start(storage, **{**ROOMY, "sources": sources, **settings})

    return start_following


def counts(sidecar: Sidecar) -> Any:
    return sidecar.server.sources.counts["jitsu_redis"]


async def brought(sidecar: Sidecar, entries: int) -> None:
    """Return once so many entries were brought, and no more."""
    async with asyncio.timeout(GENEROUS_SECONDS):
        while counts(sidecar).entries < entries:
            await asyncio.sleep(0.01)
    assert counts(sidecar).entries == entries


async def seen(sidecar: Sidecar, query: str, count: int) -> list[dict[str, Any]]:
    """Return the events of a query once there are so many."""
    async with asyncio.timeout(GENEROUS_SECONDS):
        while len(events := await sidecar.events(f"{query}&limit=10000")) < count:
            await asyncio.sleep(0.01)
    assert len(events) == count
    return events


async def test_every_kind_of_entry_is_returned_as_jitsu_returns_it(follow: Any, jitsu: JitsuLists) -> None:
    original = {"api_key": "js.x", "n": 1, "page": "<a & b>", "text": "\u2028é😀"}
    success = {"destination_id": "pg", "table": "events", "record": [{"field": "n", "type": "bigint", "value": 1}]}
    jitsu.token(original=original)
    jitsu.token("lonely", original={"n": 2}, skip="No destination is configured")
    jitsu.token(malformed='{"half":', error="error parsing HTTP body: unexpected EOF")
    jitsu.destination(original=original, success=success)
    jitsu.destination(original=original, error="disk full")
    jitsu.destination("hook", original=original, skip="skipped by a template")
    sidecar = await follow()
    malformed, taken = await seen(sidecar, "namespace=token&ids=key", 2)
    assert taken["original"] == original
    assert taken["timestamp"] == "2026-11-18T11:06:40.000000Z"
    assert len(taken["uid"]) == 36
    assert (malformed["malformed"], malformed["error"]) == ('{"half":', "error parsing HTTP body: unexpected EOF")
    failed, stored = await seen(sidecar, "ids=pg", 2)
    assert (stored["success"], failed["error"]) == (success, "disk full")
    assert stored["uid"] != failed["uid"]
    assert [event["error"] for event in await seen(sidecar, "ids=pg&status=error", 1)] == ["disk full"]
    assert (await seen(sidecar, "ids=hook", 1))[0]["skip"] == "skipped by a template"
    assert (await seen(sidecar, "namespace=token&ids=lonely", 1))[0]["skip"] == "No destination is configured"
    raw = await sidecar.get("/api/v1/events/cache?ids=pg")
    assert text_of(original).encode() in raw.body  # byte for byte, as Jitsu wrote it
    assert counts(sidecar).entries == 6
    assert counts(sidecar).following
    assert counts(sidecar).errors.total() == 0


async def test_each_entry_is_brought_once_and_in_its_order_while_lists_are_written_and_trimmed(
    follow: Any, jitsu: JitsuLists
) -> None:
    sidecar = await follow()
    for n in range(600):
        jitsu.destination(original={"n": n})
        if n % 40 == 39:
            await asyncio.sleep(0)
            jitsu.trim()
            if n % 80 == 79:  # a list may be longer than its size, but it is read before it is trimmed twice
                await brought(sidecar, n + 1)
    await brought(sidecar, 600)
    assert numbers(await seen(sidecar, "ids=pg", 600)) == [*range(600)]


async def test_ids_are_found_by_themselves_whenever_they_begin(follow: Any, jitsu: JitsuLists) -> None:
    sidecar = await follow()
    await asyncio.sleep(0)
    for number in range(50):
        jitsu.token(f"key {number}: ü/#{number}", original={"n": number})
    await brought(sidecar, 50)
    streams = (await sidecar.get("/api/v1/streams?namespace=token")).json["streams"]
    assert {stream["id"] for stream in streams} == {f"key {number}: ü/#{number}" for number in range(50)}


async def test_a_long_list_is_read_in_parts_and_complete(follow: Any, jitsu: JitsuLists) -> None:
    pad = "x" * 20_000
    for n in range(300):
        jitsu.destination(original={"n": n, "pad": pad})
    sidecar = await follow()
    assert numbers(await seen(sidecar, "ids=pg", 300)) == [*range(300)]


async def test_of_a_list_longer_than_size_the_newest_are_brought_and_the_others_count_as_limited(
    follow: Any, jitsu: JitsuLists
) -> None:
    for n in range(150):
        jitsu.destination(original={"n": n})
    sidecar = await follow(size=100, window_seconds=60)
    await brought(sidecar, 150)
    assert numbers(await seen(sidecar, "ids=pg", 100)) == [*range(50, 150)]
    assert (sidecar.cache.ledger.limited, sidecar.cache.ledger.balanced) == (50, True)


async def test_an_error_that_is_in_one_list_only_is_shown_where_it_is(follow: Any, jitsu: JitsuLists) -> None:
    sidecar = await follow()
    jitsu.destination(original={"n": 1}, error="in both")
    jitsu.destination(original={"n": 2}, error="of all", copies="all")
    jitsu.destination(original={"n": 3}, error="of errors", copies="error")
    jitsu.token(malformed="x", error="of errors", copies="error")
    await brought(sidecar, 4)
    assert numbers(await seen(sidecar, "ids=pg", 2)) == [1, 2]
    assert numbers(await seen(sidecar, "ids=pg&status=error", 3)) == [1, 2, 3]
    assert len(await seen(sidecar, "namespace=token&ids=key&status=error", 1)) == 1


async def test_the_same_error_again_is_another_event(follow: Any, jitsu: JitsuLists) -> None:
    sidecar = await follow()
    for _ in range(3):  # as a webhook that is tried again
        jitsu.destination(original={"n": 1}, error="no route to host")
    await seen(sidecar, "ids=pg&status=error", 3)
    await seen(sidecar, "ids=pg", 3)
    jitsu.destination(original={"n": 2})
    await brought(sidecar, 4)


async def test_an_id_may_end_like_a_list_of_errors(follow: Any, jitsu: JitsuLists) -> None:
    jitsu.token("odd:error", original={"n": 1})
    jitsu.token("odd:error", original={"n": 2}, error="failed")
    jitsu.token("odd", original={"n": 3}, error="failed")
    jitsu.destination("d:error", original={"n": 4})
    sidecar = await follow()
    assert numbers(await seen(sidecar, "namespace=token&ids=odd:error", 2)) == [1, 2]
    assert numbers(await seen(sidecar, "namespace=token&ids=odd", 1)) == [3]
    assert numbers(await seen(sidecar, "ids=d:error", 1)) == [4]


async def test_what_cannot_be_read_is_counted_and_logged_once_and_stops_nothing(
    follow: Any, jitsu: JitsuLists, tcp_redis: RedisServer, log: Log
) -> None:
    original = text_of({"original": '{"half":', "token_id": "odd"})
    for entry in ("no json", "{}", "[1]", original, '{"original":1}', '{"original":"[]","token_id":"odd"}', b"\xff"):
        tcp_redis.ask("LPUSH", "events_cache:token#odd", entry)
    tcp_redis.ask("LPUSH", "events_cache:token#large", text_of({"original": text_of({"x": "x" * 50_000_000})}))
    tcp_redis.ask("SET", "events_cache:token#text", "x")
    tcp_redis.ask("HSET", "events_cache:token#hash", "a", "b")
    for key in (b"events_cache:", b"events_cache:token", b"events_cache:other#x", b"events_cache:token#\xff"):
        tcp_redis.ask("LPUSH", key, "x")
    tcp_redis.ask("LPUSH", "events_cache:token#" + "x" * 5000, "x")
    tcp_redis.ask("SADD", "sources_index:project#p", "x")
    jitsu.token("odd", original={"n": 1})
    jitsu.token("large", original={"n": 2})
    sidecar = await follow()
    await brought(sidecar, 2)
    assert numbers(await seen(sidecar, "namespace=token&ids=odd", 1)) == [1]
    assert numbers(await seen(sidecar, "namespace=token&ids=large", 1)) == [2]
    jitsu.token("odd", original={"n": 3})
    await brought(sidecar, 3)
    assert counts(sidecar).errors == {"unreadable": 9, "too_large": 1, "unknown": 5}
    warnings = [line for line in log.lines if "'source': 'jitsu_redis'" in line and "warning" in line]
    assert len(warnings) == 4
    assert log.faults == []


async def test_a_redis_that_is_away_at_first_is_followed_once_it_is_there(
    follow: Any, jitsu: JitsuLists, tcp_redis: RedisServer, log: Log
) -> None:
    tcp_redis.kill()
    sidecar = await follow()
    async with asyncio.timeout(GENEROUS_SECONDS):
        while counts(sidecar).errors["unavailable"] < 2:
            await asyncio.sleep(0.01)
    assert not counts(sidecar).following
    await asyncio.to_thread(tcp_redis.start)
    jitsu.token(original={"n": 1})
    await brought(sidecar, 1)
    assert sum("source not followed" in line for line in log.lines) == 1
    assert sum("'source followed'" in line for line in log.lines) == 1


async def test_entries_that_the_storage_does_not_take_are_brought_when_it_does(
    follow: Any, jitsu: JitsuLists, redis_server: RedisServer
) -> None:
    sidecar = await follow(
        redis_server.storage_url, prefix="eventscache:away", storage_timeout_ms=200, ack_timeout_ms=400
    )
    jitsu.destination(original={"n": 1})
    await brought(sidecar, 1)
    redis_server.freeze()
    try:
        for n in range(2, 20):
            jitsu.destination(original={"n": n})
        async with asyncio.timeout(GENEROUS_SECONDS):
            while counts(sidecar).following:
                await asyncio.sleep(0.01)
    finally:
        redis_server.thaw()
    async with asyncio.timeout(GENEROUS_SECONDS):
        while (await sidecar.get("/readyz")).status != 200 or not counts(sidecar).following:
            await asyncio.sleep(0.01)
    assert numbers(await seen(sidecar, "ids=pg", 19)) == [*range(1, 20)]


async def test_a_stream_that_the_storage_cannot_take_delays_no_other(
    follow: Any, jitsu: JitsuLists, redis_server: RedisServer
) -> None:
    prefix = "eventscache:damaged"
    sidecar = await follow(redis_server.storage_url, prefix=prefix)
    redis_server.ask("SET", f"{prefix}:v1:{{d.bad}}:all", "something else")
    redis_server.ask("SET", f"{prefix}:v1:{{d.bad}}:state", "something else")
    for n in range(3):
        jitsu.destination("bad", original={"n": n})
        jitsu.destination("good", original={"n": n})
    assert numbers(await seen(sidecar, "ids=good", 3)) == [0, 1, 2]


async def test_a_restart_brings_what_is_new_and_nothing_twice(
    start: Start, follow: Any, jitsu: JitsuLists, redis_server: RedisServer
) -> None:
    prefix = "eventscache:restart"
    first = await follow(redis_server.storage_url, prefix=prefix)
    for n in range(10):
        jitsu.destination(original={"n": n}, **({"error": "x"} if n % 3 == 0 else {}))
    await brought(first, 10)
    await seen(first, "ids=pg", 10)
    await first.server.sources.stop()
    for n in range(10, 15):
        jitsu.destination(original={"n": n}, **({"error": "x"} if n % 3 == 0 else {}))
    # Cleared events do not come back.
    await first.ask("DELETE", "/api/v1/events/cache?ids=pg")
    second = await follow(redis_server.storage_url, prefix=prefix)
    await brought(second, 5)
    assert numbers(await seen(second, "ids=pg", 5)) == [*range(10, 15)]
    assert numbers(await seen(second, "ids=pg&status=error", 1)) == [12]


@pytest.mark.parametrize("saved", ["before", "never"])
async def test_another_process_goes_on_after_a_crash_and_brings_nothing_twice(
    follow: Any, jitsu: JitsuLists, redis_server: RedisServer, saved: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = f"eventscache:crash-{saved}"
    first = await follow(redis_server.storage_url, prefix=prefix)
    if saved == "before":
        jitsu.destination(original={"n": -1})
        await seen(first, "ids=pg", 1)
    feed = first.server.sources._sources[0][1]

    async def save_nothing(_: object) -> None:
        pass

    monkeypatch.setattr(feed, "save", save_nothing)
    for n in range(10):
        jitsu.destination(original={"n": n}, **({"error": "x"} if n % 3 == 0 else {}))
    before = 10 + (saved == "before")
    await brought(first, before)
    follower = first.server.sources._sources[0][0]
    assert isinstance(follower, Follower)
    # It ends between the storage's answer and the checkpoint, and gives nothing back.
    monkeypatch.setattr(feed.lease._checkpoints, "hold", _never_answers)
    task, follower._task = follower._task, None
    assert task
    task.cancel()
    second = await follow(redis_server.storage_url, prefix=prefix)
    for n in range(10, 13):
        jitsu.destination(original={"n": n})
    events = await seen(second, "ids=pg", before + 3)
    assert numbers(events)[-13:] == [*range(13)]
    assert numbers(await seen(second, "ids=pg&status=error", 4)) == [0, 3, 6, 9]


async def _never_answers(*_: object) -> bool:
    await asyncio.Event().wait()
    return False


async def test_one_process_follows_and_the_next_takes_over_when_it_stops(
    follow: Any, jitsu: JitsuLists, redis_server: RedisServer
) -> None:
    prefix = "eventscache:several"
    sidecars = [await follow(redis_server.storage_url, prefix=prefix) for _ in range(3)]
    jitsu.destination(original={"n": 0})
    await seen(sidecars[2], "ids=pg", 1)
    for n in range(1, 4):
        (leader,) = [sidecar for sidecar in sidecars if counts(sidecar).following]
        assert counts(leader).entries == 1
        if n == 3:
            break
        await leader.server.sources.stop()
        sidecars.remove(leader)
        jitsu.destination(original={"n": n})
        assert numbers(await seen(sidecars[0], "ids=pg", n + 1)) == [*range(n + 1)]


async def test_entries_lost_in_a_failover_do_not_bring_others_twice(
    follow: Any, jitsu: JitsuLists, tcp_redis: RedisServer
) -> None:
    sidecar = await follow()
    for n in range(50):
        jitsu.destination(original={"n": n})
    await brought(sidecar, 50)
    # The replica had not seen the last five.
    entries = tcp_redis.ask("LRANGE", "events_cache:destination#pg", 5, -1)
    assert isinstance(entries, list)
    with tcp_redis.client() as client:
        pipeline = client.pipeline(transaction=True)
        pipeline.delete("events_cache:destination#pg")
        pipeline.rpush("events_cache:destination#pg", *entries)
        pipeline.execute()
    jitsu.destination(original={"n": 50})
    await brought(sidecar, 51)
    assert numbers(await seen(sidecar, "ids=pg", 51)) == [*range(51)]
    assert counts(sidecar).errors.total() == 0


async def test_entries_that_were_trimmed_before_they_were_read_count_as_a_gap(
    follow: Any, jitsu: JitsuLists, tcp_redis: RedisServer
) -> None:
    sidecar = await follow()
    jitsu.destination(original={"n": 0})
    await brought(sidecar, 1)
    key = "events_cache:destination#pg"
    with tcp_redis.client() as client:
        pipeline = client.pipeline(transaction=True)
        for n in range(1, 6):
            pipeline.lpush(key, text_of({"original": text_of({"n": n}), "timestamp": f"2026-11-18T13:00:0{n}.000000Z"}))
        pipeline.ltrim(key, 0, 2)
        pipeline.execute()
    await brought(sidecar, 4)
    assert numbers(await seen(sidecar, "ids=pg", 4)) == [0, 3, 4, 5]
    assert counts(sidecar).errors == {"gap": 1}


async def test_a_list_that_expired_and_began_again_is_read_from_its_start(
    follow: Any, jitsu: JitsuLists, tcp_redis: RedisServer
) -> None:
    sidecar = await follow()
    jitsu.destination(original={"n": 0})
    await brought(sidecar, 1)
    tcp_redis.ask("DEL", "events_cache:destination#pg")
    jitsu.destination(original={"n": 1})
    jitsu.destination(original={"n": 2})
    await brought(sidecar, 3)
    assert numbers(await seen(sidecar, "ids=pg", 3)) == [0, 1, 2]


async def test_a_poll_takes_the_same_commands_whatever_the_number_of_ids(
    follow: Any, jitsu: JitsuLists, tcp_redis: RedisServer
) -> None:
    for number in range(300):
        jitsu.token(f"key{number}", original={"n": number})
    sidecar = await follow()
    await brought(sidecar, 300)

    def commands() -> dict[str, int]:
        with tcp_redis.client() as client:
            stats = client.info("commandstats")
        return {name.removeprefix("cmdstat_"): figures["calls"] for name, figures in stats.items()}

    tcp_redis.ask("CONFIG", "RESETSTAT")
    async with asyncio.timeout(GENEROUS_SECONDS):
        while commands().get("scan", 0) < 4:
            await asyncio.sleep(0.01)
    idle = commands()
    polls = idle.get("evalsha_ro", 0) + idle.get("evalsha", 0)
    assert abs(polls - idle["scan"]) <= 1
    assert set(idle) <= {"scan", "evalsha_ro", "evalsha", "lindex", "info", "hello", "config|resetstat", "config"}


async def test_events_wait_for_a_mask_as_others_do(follow: Any, jitsu: JitsuLists) -> None:
    jitsu.token(original={"n": 1, "email": "ann@example.com", "api_key": "js.secret"})
    sidecar = await follow(mask_drop=("email", "api_key"))
    (event,) = await seen(sidecar, "namespace=token&ids=key", 1)
    assert event["original"] == {"n": 1}
    assert event["masked"]


async def test_a_disabled_cache_follows_nothing(follow: Any, jitsu: JitsuLists) -> None:
    jitsu.token(original={"n": 1})
    sidecar = await follow(enabled=False)
    assert sidecar.server.sources.counts == {}


async def test_requests_of_the_configurator_get_what_jitsu_would_answer(follow: Any, jitsu: JitsuLists) -> None:
    for n in range(30):
        jitsu.destination("p.pg", original={"n": n}, **({"error": "x"} if n % 5 == 0 else {"success": {"table": "t"}}))
        jitsu.token("p.key", original={"n": n})
    sidecar = await follow(admin_tokens=("admin",), admin_token_in_query=True)
    await brought(sidecar, 60)
    base = "/api/v1/events/cache?token=admin&project_id=p"
    answer = await sidecar.get(f"{base}&limit=500&namespace=destination&ids=p.pg&status=")
    assert numbers(answer.json["events"]) == [*range(30)]
    assert answer.json["total_events"] == answer.json["response_events"] == 30
    errors = (await sidecar.get(f"{base}&limit=1&namespace=destination&ids=p.pg&status=error")).json
    assert (errors["total_events"], numbers(errors["events"])) == (6, [25])
    for limit in (5, 10):
        tokens = (await sidecar.get(f"{base}&limit={limit}&namespace=token&ids=p.key&status=")).json
        assert numbers(tokens["events"]) == [*range(30 - limit, 30)]


@pytest.mark.parametrize("times", [2, 3])
async def test_a_storage_shared_in_one_process_gives_the_lease_to_each(
    follow: Any, jitsu: JitsuLists, times: int
) -> None:
    jitsu.token(original={"n": 1})
    for _ in range(times):
        sidecar = await follow(MemoryStorage(StorageOptions()))
        await brought(sidecar, 1)


async def test_what_jitsu_has_admitted_is_not_limited_again(follow: Any, jitsu: JitsuLists) -> None:
    sidecar = await follow(size=100, window_seconds=60)
    for n in range(100):
        jitsu.destination(original={"n": n})
    await brought(sidecar, 100)
    for n in range(100, 200):
        jitsu.destination(original={"n": n})
    jitsu.trim()
    await brought(sidecar, 200)
    assert numbers(await seen(sidecar, "ids=pg", 100)) == [*range(100, 200)]
    assert (sidecar.cache.ledger.limited, sidecar.cache.ledger.balanced) == (0, True)


async def test_an_older_state_of_a_list_brings_nothing_that_was_brought_before(
    follow: Any, jitsu: JitsuLists, tcp_redis: RedisServer
) -> None:
    key = "events_cache:destination#pg"
    sidecar = await follow(size=100)
    for n in range(0, 4_000, 40):  # four seconds by Jitsu's clock
        jitsu.destination(original={"n": n})
        jitsu.pass_ms(39)
    await brought(sidecar, 100)
    snapshot = tcp_redis.ask("LRANGE", key, 0, -1)
    assert isinstance(snapshot, list)
    for n in range(4_000, 14_000, 40):
        jitsu.destination(original={"n": n})
        jitsu.pass_ms(39)
    await brought(sidecar, 350)
    jitsu.trim()
    with tcp_redis.client() as client:  # it starts again from an old snapshot
        pipeline = client.pipeline(transaction=True)
        pipeline.delete(key)
        pipeline.rpush(key, *snapshot)
        pipeline.execute()
    jitsu.destination(original={"n": 14_000})
    await brought(sidecar, 351)
    assert numbers(await seen(sidecar, "ids=pg", 100)) == [*range(14_000 - 99 * 40, 14_001, 40)]
    assert counts(sidecar).errors == {"gap": 1}


async def test_a_list_that_is_away_for_a_while_goes_on_where_it_was(
    follow: Any, jitsu: JitsuLists, tcp_redis: RedisServer
) -> None:
    sidecar = await follow(size=10)
    for n in range(30):
        jitsu.destination(original={"n": n})
    await brought(sidecar, 30)
    tcp_redis.ask("RENAME", "events_cache:destination#pg", "elsewhere")
    jitsu.token(original={"n": 0})
    for _ in range(5):  # some searches of all names
        scans = scanned(tcp_redis)
        async with asyncio.timeout(GENEROUS_SECONDS):
            while scanned(tcp_redis) == scans:
                await asyncio.sleep(0.01)
    tcp_redis.ask("RENAME", "elsewhere", "events_cache:destination#pg")
    jitsu.destination(original={"n": 30})
    await brought(sidecar, 32)
    assert numbers(await seen(sidecar, "ids=pg", 10)) == [*range(21, 31)]


def scanned(server: RedisServer) -> int:
    with server.client() as client:
        return int(client.info("commandstats").get("cmdstat_scan", {"calls": 0})["calls"])


async def test_errors_with_equal_words_are_paired_by_their_times(follow: Any, jitsu: JitsuLists) -> None:
    # The list of all entries has only the last of three equal errors; Jitsu has limited the others there.
    for copies in ("error", "error", "both"):
        jitsu.destination(original={"n": 1}, error="no route to host", copies=copies)
        jitsu.pass_ms(20_000)
    sidecar = await follow()
    await brought(sidecar, 3)
    assert len(await seen(sidecar, "ids=pg", 1)) == 1
    times = [event["timestamp"] for event in await seen(sidecar, "ids=pg&status=error", 3)]
    assert len({*times}) == 3
    # A copy of all entries, and twenty seconds later one of errors: two attempts.
    jitsu.destination(original={"n": 2}, error="again", copies="all")
    jitsu.pass_ms(20_000)
    jitsu.destination(original={"n": 2}, error="again", copies="error")
    await brought(sidecar, 5)


async def test_an_entry_of_a_destination_says_whose_it_is(follow: Any, jitsu: JitsuLists) -> None:
    jitsu.destination("x:error", original={"n": 1}, success={"table": "t"})
    jitsu.destination("x:error", original={"n": 2}, error="failed")
    sidecar = await follow()
    await brought(sidecar, 2)
    assert numbers(await seen(sidecar, "ids=x:error", 2)) == [1, 2]
    streams = (await sidecar.get("/api/v1/streams")).json["streams"]
    assert [stream["id"] for stream in streams] == ["x:error"]


async def test_entries_too_large_to_be_read_stop_no_other_list(
    follow: Any, jitsu: JitsuLists, tcp_redis: RedisServer, log: Log
) -> None:
    for _ in range(4):
        tcp_redis.ask("LPUSH", "events_cache:destination#huge", text_of({"original": text_of({"x": "x" * 30_000_000})}))
    jitsu.destination("other", original={"n": 1})
    sidecar = await follow()
    await brought(sidecar, 1)
    assert numbers(await seen(sidecar, "ids=other", 1)) == [1]
    jitsu.destination("other", original={"n": 2})
    await brought(sidecar, 2)
    assert set(counts(sidecar).errors) == {"too_large"}
    assert log.faults == []
