"""Each Lua script, called directly: its arguments, its reply, and what it leaves in the keys."""

from collections.abc import Sequence
from typing import Any

import fakeredis
import pytest

from eventscache.sources.jitsu_redis.reader import mark_of
from eventscache.storage.redis.scripts import read_script
from tests.support.redis_server import RedisServer

NOW = 1_700_000_000_000_000
WINDOW = 60_000_000
KEYS = ["{t.x}:state", "{t.x}:all", "{t.x}:all:at", "{t.x}:error", "{t.x}:error:at"]
EXTRA_KEYS = [*KEYS, "{t.x}:extras", "{t.x}:extras:events"]


@pytest.fixture(params=["fakeredis", "real"])
def client(request: pytest.FixtureRequest):
    return fakeredis.FakeRedis() if request.param == "fakeredis" else request.getfixturevalue("real")


@pytest.fixture
def real(redis_servers: dict[str, RedisServer]):
    with redis_servers[max(redis_servers)].client(decode_responses=False) as client:
        client.flushall()
        yield client
        client.flushall()


def insert(client, letters: str, *payloads: bytes, now: object = NOW, number: int = 1, **changes: object) -> Any:
    arguments = {
        "size": 3, "window": WINDOW, "expiry": 600_000, "writer": "w", "keys": 5, "number": number,
        "all_surplus": 0, "error_surplus": 0, "all_limited_earlier": "", "error_limited_earlier": "",
    } | changes  # fmt: skip
    [reply] = client.eval(read_script("insert"), 5, *KEYS, now, *arguments.values(), letters, *payloads)
    assert reply.pop() == []
    return reply


def fetch(
    client, collection: str = "a", status: str = "", before="", after="", limit=100, containing=b"", now: object = NOW
) -> Any:
    keys = KEYS[:3] if collection == "a" else [KEYS[0], *KEYS[3:]]
    return client.eval(read_script("fetch"), 3, *keys, now, collection, status, before, after, limit, containing)


def test_insert_puts_each_event_into_its_lists_and_its_admission_beside_it(client) -> None:
    assert insert(client, "skeax", b"1", b"2", b"3", b"4", b"5", size=9) == [0, NOW, 4, 0, 2, 0, b"", 1]
    assert client.lrange(KEYS[1], 0, -1) == [b"4", b"3", b"2", b"1"]
    assert client.lrange(KEYS[2], 0, -1) == [
        b"%c%d:%d" % (kind, NOW, n) for kind, n in zip(b"eeks", (4, 3, 2, 1), strict=True)
    ]
    assert client.lrange(KEYS[3], 0, -1) == [b"5", b"3"]
    assert client.lrange(KEYS[4], 0, -1) == [b"e%d:5" % NOW, b"e%d:3" % NOW]
    state = client.hgetall(KEYS[0])
    assert state[b"clock"] == b"%d 0" % NOW
    assert state[b"seq"] == b"5"
    assert state[b"quota"] == b"9 60000000"
    assert state[b"all"] == b"%d %d 0" % (5 * WINDOW, NOW)
    assert state[b"error"] == b"%d %d 0" % (7 * WINDOW, NOW)
    assert state[b"renewed"] == b"%d 600000" % NOW
    assert state[b"w:w"] == b"1 %d 4 0 2 0" % NOW


def test_insert_counts_limited_events_by_second_for_a_minute(client) -> None:
    insert(client, "ssss", b"1", b"2", b"3", b"4", all_surplus=5, all_limited_earlier="2000000:7 61000000:9")
    state = client.hgetall(KEYS[0])
    second = NOW // 1_000_000
    assert state[b"r%d" % (second % 60)] == b"%d 8 0" % second
    assert state[b"r%d" % ((second - 2) % 60)] == b"%d 7 0" % (second - 2)
    assert sum(field.startswith(b"r") and field != b"renewed" for field in state) == 2
    insert(client, "s", b"5", number=2, now=NOW + 60_000_000 - 1, all_limited_earlier="0:100")
    # The events limited earlier left one token: the event itself is admitted.
    assert client.hget(KEYS[0], f"r{(second + 59) % 60}") == b"%d 100 0" % (second + 59)
    insert(client, "", number=3, now=NOW + 60_000_000, all_limited_earlier="0:1")
    assert client.hget(KEYS[0], f"r{second % 60}") == b"%d 1 0" % (second + 60)


def test_insert_decides_on_each_of_several_streams_alone(client) -> None:
    def insert_all(number: int, now: int = NOW) -> Any:
        keys = [key.replace("t.x", f"t.{name}") for name in "abc" for key in KEYS]
        batches = [
            (number, 0, 0, "", "", "ss", b"a1", b"a2"),
            (number, 2, 0, "5:1", "", ""),
            (number, 0, 0, "", "", "ee", b"c1", b"c2"),
        ]
        arguments = [now, 3, WINDOW, 600_000, "w", 5, *(part for batch in batches for part in batch)]
        replies = client.eval(read_script("insert"), len(keys), *keys, *arguments)
        return [reply[:-1] if isinstance(reply, list) else reply for reply in replies]

    assert insert_all(1) == [
        [0, NOW, 2, 0, -1, 0, b"", 1],
        [0, NOW, 1, 20_000_000 - 5, -1, 0, b"", 1],
        [0, NOW, 2, 0, 2, 0, b"", 1],
    ]
    assert client.lrange("{t.a}:all", 0, -1) == [b"a2", b"a1"]
    assert client.exists("{t.b}:all") == 0
    assert client.lrange("{t.c}:error", 0, -1) == [b"c2", b"c1"]
    assert [reply[0] for reply in insert_all(1)] == [1, 1, 1]
    assert client.llen("{t.a}:all") == 2

    # A stream that something else wrote over is reported and left as it is; the others are not affected.
    client.delete("{t.b}:state")
    client.set("{t.b}:state", "not ours")
    before = client.get("{t.b}:state")
    first, second, third = insert_all(2, NOW + WINDOW)
    assert second == 0
    assert first[2] == third[2] == third[4] == 2
    assert client.get("{t.b}:state") == before


def test_insert_uses_the_servers_clock_if_it_gets_no_time(client) -> None:
    insert(client, "s", b"x", now="")
    admission = client.lindex(KEYS[2], 0)
    seconds, microseconds = client.time()
    assert 0 <= seconds * 1_000_000 + microseconds - int(admission[1:].split(b":")[0]) < 60_000_000


def test_insert_repeats_the_answer_to_a_batch_and_calls_an_older_one_stale(client) -> None:
    first = insert(client, "ssss", b"1", b"2", b"3", b"4", number=5)
    assert first == [0, NOW, 3, WINDOW, -1, 0, b"", 1]
    before = {key: client.dump(key) for key in KEYS} if not isinstance(client, fakeredis.FakeRedis) else None
    assert insert(client, "ssss", b"1", b"2", b"3", b"4", number=5, now=NOW + 10) == [
        1,
        NOW,
        3,
        WINDOW - 10,
        -1,
        0,
        b"",
        0,
    ]
    assert insert(client, "s", b"1", number=4, now=NOW + 20) == [2, 0, -1, 0, -1, 0, b"", 0]
    if before:
        assert {key: client.dump(key) for key in KEYS} == before


def test_insert_stores_more_events_than_luas_stack_holds(client) -> None:
    values = [b"%d" % n for n in range(9000)]
    reply = insert(client, "e" * 9000, *values, size=8500)
    assert reply[2] == reply[4] == 8500
    assert client.lrange(KEYS[1], 0, -1) == values[8499::-1]
    assert client.llen(KEYS[4]) == 8500


def test_insert_of_no_events_changes_no_bucket(client) -> None:
    assert insert(client, "") == [0, NOW, -1, 0, -1, 0, b"", 1]
    assert set(client.hgetall(KEYS[0])) == {b"clock", b"seq", b"quota", b"renewed", b"w:w"}


def test_insert_returns_the_last_quota_if_it_was_another(client) -> None:
    insert(client, "s", b"1")
    assert insert(client, "s", b"2", size=5, number=2)[6] == b"3 60000000"
    assert insert(client, "s", b"3", size=5, number=3)[6] == b""


def test_insert_works_with_garbage_in_its_state(client) -> None:
    insert(client, "s", b"1")
    client.hset(KEYS[0], mapping={"clock": "x", "all": "y", "r1": "z", "renewed": "q", "w:w": "v"})
    client.lset(KEYS[2], 0, "garbage")
    assert insert(client, "s", b"2", number=2)[:3] == [0, NOW, 1]
    assert insert(client, "s", b"2", number=2)[:3] == [1, NOW, 1]
    assert fetch(client)[0::2][:2] == [2, 1]


def test_fetch_reads_the_events_that_match(client) -> None:
    insert(client, "sskksks", *(b"%d" % n for n in range(1, 8)), size=9)
    assert fetch(client) == [
        7,
        0,
        0,
        *(x for n in range(7, 0, -1) for x in (b"%c%d:%d" % (b"sskksks"[n - 1], NOW, n), b"%d" % n)),
    ]
    assert fetch(client, status="s")[4::2] == [b"7", b"5", b"2", b"1"]
    assert fetch(client, status="k", limit=2)[4::2] == [b"6", b"4"]
    assert fetch(client, status="k", limit=2)[0] == 3
    assert fetch(client, before=6, after=2)[4::2] == [b"5", b"4", b"3"]
    assert fetch(client, limit=0) == [7, 0, 0]
    assert fetch(client, collection="e") == [0, 0, 0]


def test_fetch_reads_the_events_that_contain_bytes(client) -> None:
    count = 250  # more than are in memory at a time
    insert(client, "sk" * (count // 2), *(b"<%d>" % n for n in range(1, count + 1)), size=count)
    assert fetch(client, containing=b"<%d>" % count)[4::2] == [b"<250>"]
    assert fetch(client, containing=b"<1>") == [count, 0, 0, b"s%d:1" % NOW, b"<1>"]
    assert len(fetch(client, containing=b">", limit=1000)[4::2]) == count
    assert fetch(client, containing=b"9>", limit=2)[4::2] == [b"<249>", b"<239>"]
    assert fetch(client, containing=b"9>", limit=0) == [count, 0, 0]
    assert fetch(client, containing=b"0>", status="k", before=31)[4::2] == [b"<30>", b"<20>", b"<10>"]
    assert fetch(client, containing=b"0>", status="k", before=31)[0] == count // 2
    assert fetch(client, containing=b"%d") == [count, 0, 0]
    assert fetch(client, containing=b".") == [count, 0, 0]


def test_clear_counts_each_event_once_and_leaves_the_admission_logs(client) -> None:
    insert(client, "sex", b"1", b"2", b"3")
    assert client.eval(read_script("clear"), 7, *EXTRA_KEYS, 0) == 3
    assert [client.llen(key) for key in KEYS[1:]] == [0, 2, 0, 2]
    assert client.eval(read_script("clear"), 7, *EXTRA_KEYS, 1) == 0
    assert [client.llen(key) for key in KEYS[1:]] == [0, 0, 0, 0]
    assert set(client.hgetall(KEYS[0])) == {b"clock", b"seq", b"quota", b"w:w"}


def test_register_names_the_streams_that_can_be_evicted(client) -> None:
    def register(name: str, now: int, may_evict: int = 1, may_begin: int = 1) -> Any:
        [result], *named = client.eval(
            read_script("register"), 1, "streams", now, 2, 10_000, may_evict, may_begin, 5, name
        )
        return result, *named

    def unregister(name: str, score: int, last_active: int = 0) -> Any:
        return client.eval(read_script("unregister"), 1, "streams", name, score, last_active)

    assert register("a", NOW, may_begin=0) == (-2, 0, [])
    assert client.exists("streams") == 0
    assert register("a", NOW) == (1, 0, [])
    assert register("b", NOW + 1) == (1, 0, [])
    assert register("a", NOW + 2, may_begin=0) == (0, 0, [])
    assert register("c", NOW + 3, may_evict=0) == (-1, 0, [])
    result, excess, idlest = register("c", NOW + 3)
    assert (result, excess) == (1, 1)
    assert [(member, int(float(score))) for member, score in zip(idlest[::2], idlest[1::2], strict=True)] == [
        (b"b", NOW + 1),
        (b"a", NOW + 2),
    ]
    # It is known until it is unregistered, and stays if it was registered again, or was active after all.
    assert client.zcard("streams") == 3
    assert unregister("b", NOW) == 0
    assert unregister("b", NOW + 1, NOW + 9) == 0
    assert client.zrange("streams", 0, -1) == [b"a", b"c", b"b"]
    assert unregister("a", NOW + 2) == 1
    assert client.zrange("streams", 0, -1) == [b"c", b"b"]
    assert 0 < client.pttl("streams") <= 10_000
    # Expired streams do not count.
    assert register("d", NOW + 10_000_010, may_evict=0) == (1, 0, [])
    assert client.zrange("streams", 0, -1) == [b"d"]


def test_register_registers_several_streams_at_once(client) -> None:
    def register(*names: str, now: int = NOW, may_evict: int = 0) -> Any:
        return client.eval(read_script("register"), 1, "streams", now, 2, 10_000, may_evict, 1, 5, *names)

    assert register("a", "b", "c", "a") == [[1, 1, -1, 0], 0, []]
    assert client.zrange("streams", 0, -1) == [b"a", b"b"]
    assert register("c", "b", now=NOW + 1) == [[-1, 0], 0, []]
    assert client.zscore("streams", "b") == NOW + 1
    results, excess, idlest = register("c", "d", "b", now=NOW + 2, may_evict=1)
    assert (results, excess, idlest[::2]) == ([1, 1, 0], 2, [b"a", b"b"])


def test_evict_deletes_a_stream_unless_it_was_active_since(client) -> None:
    insert(client, "e", b"1")
    assert client.eval(read_script("evict"), 5, *KEYS, NOW - 1) == NOW
    assert client.exists(*KEYS) == 5
    assert client.eval(read_script("evict"), 5, *KEYS, NOW) == 0
    assert client.exists(*KEYS) == 0
    client.set(KEYS[0], "not ours")
    assert client.eval(read_script("evict"), 5, *KEYS, NOW) == 0
    assert client.exists(*KEYS) == 0


def test_lease_is_given_renewed_and_given_back(client) -> None:
    def lease(owner: str, milliseconds: int) -> Any:
        return client.eval(read_script("lease"), 1, "lease", owner, milliseconds)

    assert lease("a", 60_000) == 1
    assert lease("b", 60_000) == 0
    assert lease("b", 0) == 0
    assert client.hgetall("lease") == {b"owner": b"a"}
    assert 0 < client.pttl("lease") <= 60_000
    assert lease("a", 90_000) == 1
    assert 60_000 < client.pttl("lease") <= 90_000
    assert lease("a", 0) == 1
    assert client.exists("lease") == 0
    client.set("lease", "something else")
    assert lease("b", 60_000) == 1


def test_checkpoint_changes_nothing_without_the_lease(client) -> None:
    def save(owner: str, *pairs: object) -> Any:
        return client.eval(read_script("checkpoint"), 2, "lease", "checkpoints", owner, 60_000, *pairs)

    assert save("a", "x", "1") == 0
    client.hset("lease", "owner", "a")
    assert save("b", "x", "1") == 0
    assert client.exists("checkpoints") == 0
    client.set("checkpoints", "something else")
    assert save("a", "x", "1", "y", "2") == 1
    assert save("a", "x", "", "z", b"\0") == 1
    assert client.hgetall("checkpoints") == {b"y": b"2", b"z": b"\0"}
    assert 0 < client.pttl("checkpoints") <= 60_000


JITSU_LIST = b"events_cache:token#x"


def new_entries(
    client, *marks: str, full: int = 10**6, most: int = 10**5, read: int = 10**7, keys=(JITSU_LIST,)
) -> Any:
    return client.eval(read_script("new_entries"), len(keys), *keys, full, most, read, *marks)


def marks_of(*entries: bytes) -> str:
    return "".join(mark_of(entry, JITSU_LIST) for entry in entries)


def test_new_entries_are_those_in_front_of_the_first_known_one_and_the_oldest_come_first(real) -> None:
    assert new_entries(real, "") == [0]
    real.rpush(JITSU_LIST, b"e3", b"e2", b"e1")
    assert new_entries(real, "") == [0, [1, 1, 0, b"e1", b"e2", b"e3"]]
    assert new_entries(real, marks_of(b"e3")) == [0]
    assert new_entries(real, marks_of(b"e2", b"e1")) == [0, [1, 1, 0, b"e3"]]
    assert new_entries(real, marks_of(b"lost", b"e1")) == [0, [1, 1, 0, b"e2", b"e3"]]
    assert new_entries(real, marks_of(b"lost")) == [0, [1, 0, 0, b"e1", b"e2", b"e3"]]


def test_new_entries_are_bounded_and_the_next_ones_come_with_the_next_call(real) -> None:
    entries = [b"x" * 1000 + b"%04d" % number for number in range(120)]
    real.lpush(JITSU_LIST, *entries)
    [following, [_, found, left, *some]] = new_entries(real, "", full=30_000)
    assert (following, found) == (0, 1)
    assert some == entries[: len(some)]
    assert left == 120 - len(some)
    assert 19 <= len(some) <= 21
    [_, [_, _, left, *more]] = new_entries(real, marks_of(some[-1]))
    assert (left, some + more) == (0, entries)
    # A full reply says with which list to go on.
    real.lpush("events_cache:token#y", b"other")
    both = (JITSU_LIST, b"events_cache:token#y")
    assert new_entries(real, "", "", full=10, keys=both)[0] == 2
    real.delete("events_cache:token#y")


def test_new_entries_that_are_too_long_are_named_and_keys_of_another_type_are_told(real) -> None:
    real.lpush(JITSU_LIST, b"a", b"x" * 1001, b"b")
    [_, [_, _, _, *entries]] = new_entries(real, "", most=1000)
    assert entries == [b"a", [1001, mark_of(b"x" * 1001, JITSU_LIST).encode()], b"b"]
    real.delete(JITSU_LIST)
    real.set(JITSU_LIST, "x")
    assert new_entries(real, "") == [0, [1, -1]]


def test_new_entries_of_which_too_much_would_be_read_are_told(real) -> None:
    other = b"events_cache:token#y"
    real.lpush(JITSU_LIST, b"known", *[b"%d" % number + b"x" * 10_000 for number in range(20)])
    real.lpush(other, b"a")
    assert new_entries(real, marks_of(b"known"), "", read=50_000, keys=(JITSU_LIST, other)) == [2, [1, -2]]
    assert new_entries(real, "", read=50_000, keys=(other,)) == [0, [1, 1, 0, b"a"]]
    # A list that comes after others has a call of its own, and of the first one as much is returned as may be read.
    real.delete(JITSU_LIST)
    real.lpush(JITSU_LIST, *[b"x" * 10_000 + b"%02d" % number for number in range(20)])
    [following, [_, found, left, *entries]] = new_entries(real, "", full=10**9, read=50_000)
    assert (following, found, left + len(entries)) == (0, 1, 20)
    assert 5 <= len(entries) <= 7
    real.delete(other)


def insert_with_extras(
    client, letters: str, *payloads: bytes, number: int, extras: Sequence[tuple[object, ...]]
) -> Any:
    """Insert events, of which extra collections get some: (name, size, most, surplus, limited earlier, indexes)."""
    arguments = [NOW, 3, WINDOW, 600_000, "w", 7, number, 0, 0, "", "", letters, *payloads, len(extras)]
    for name, size, *others in extras:
        arguments += (name, size, WINDOW, *others)
    [reply] = client.eval(read_script("insert"), 7, *EXTRA_KEYS, *arguments)
    return reply


def fetch_extra(client, name: str, status: str = "", before="", after="", limit=100, containing=b"") -> Any:
    script = read_script("fetch_extra")
    return client.eval(script, 2, *EXTRA_KEYS[5:], name, status, before, after, limit, containing)


def test_insert_keeps_the_last_events_of_extra_collections_and_fetch_extra_reads_them(client) -> None:
    extras = [("type:a", 2, 9, 0, "", "1 2"), ("type:b", 2, 9, 0, "5:7", "3")]
    reply = insert_with_extras(client, "snx", b"1", b"2", b"3", number=1, extras=extras)
    assert reply == [0, NOW, 1, 0, 1, 0, b"", 1, [2, WINDOW, 1, WINDOW // 2 - 5]]
    assert insert_with_extras(client, "snx", b"1", b"2", b"3", number=1, extras=extras)[0] == 1
    assert fetch_extra(client, "type:a") == [2, 0, 0, b"s%d:2" % NOW, b"2", b"s%d:1" % NOW, b"1"]
    assert fetch_extra(client, "type:b") == [1, 0, 0, b"e%d:3" % NOW, b"3"]
    assert fetch_extra(client, "type:a", before=2, limit=1) == [2, 0, 0, b"s%d:1" % NOW, b"1"]
    assert fetch_extra(client, "type:a", status="e") == [0, 0, 0]
    assert fetch_extra(client, "type:a", containing=b"1") == [2, 0, 0, b"s%d:1" % NOW, b"1"]
    assert fetch_extra(client, "type:c") == [0, 0, 0]
    state = client.hgetall("{t.x}:extras")
    assert state[b"type:a"] == b"0 %d 2 %d %d 2 0 2 1 1" % (NOW, NOW, NOW)
    assert state[b"type:b"].split()[2] == b"8"
    assert {client.pttl(key) > 500_000 for key in EXTRA_KEYS[5:]} == {True}


def test_a_new_extra_collection_takes_the_place_of_the_least_recently_active_one_of_its_kind(client) -> None:
    for number, name in enumerate(("type:a", "group:a", "type:b", "type:c"), 1):
        insert_with_extras(client, "n", b"%d" % number, number=number, extras=[(name, 1, 2, 0, "", "1")])
    assert sorted(client.hkeys("{t.x}:extras")) == [b"group:a", b"type:b", b"type:c"]
    assert sorted(client.hgetall("{t.x}:extras:events").values()) == sorted(
        [b"2", b"3", b"4", *(b"s%d:%d" % (NOW, number) for number in (2, 3, 4))]
    )


def test_insert_and_fetch_extra_work_with_garbage_in_extra_collections(client) -> None:
    client.hset("{t.x}:extras", mapping={"type:a": "garbage", "type:b": "1 2 3 4 5 6 7 8 9 8"})
    client.hset("{t.x}:extras:events", mapping={"8etype:b": "x", "garbage": "y"})
    assert fetch_extra(client, "type:a") == [0, 0, 0]
    assert fetch_extra(client, "type:b")[0] == 0
    reply = insert_with_extras(client, "n", b"1", number=1, extras=[("type:a", 1, 2, 0, "", "1")])
    assert reply[-1] == [1, WINDOW]
    assert fetch_extra(client, "type:a")[3:] == [b"s%d:1" % NOW, b"1"]

    client.delete("{t.x}:extras:events")
    client.set("{t.x}:extras:events", "not ours")
    state = client.hgetall(KEYS[0])
    with pytest.raises(Exception, match="WRONGTYPE"):
        insert_with_extras(client, "s", b"2", number=2, extras=[("type:a", 1, 2, 0, "", "1")])
    assert client.hgetall(KEYS[0]) == state
    assert client.llen(KEYS[1]) == 0
    assert fetch_extra(client, "type:a")[2] > 0


def clear_extra(client: Any, name: str, reset: int = 0) -> int:
    return int(client.eval(read_script("clear_extra"), 2, *EXTRA_KEYS[5:], name, reset))


def test_clear_extra_removes_the_events_of_one_extra_collection(client) -> None:
    extras = [(name, 2, 9, 0, "", "1 2") for name in ("type:a", "type:b")]
    insert_with_extras(client, "ss", b"1", b"2", number=1, extras=extras)
    before = client.hgetall("{t.x}:extras:events")

    assert [clear_extra(client, name) for name in ("type:a", "type:a", "type:c")] == [2, 0, 0]
    left = client.hgetall("{t.x}:extras:events")
    assert before.keys() - left.keys() == {b"1etype:a", b"2etype:a"}
    assert client.hget("{t.x}:extras", "type:a") == b"0 %d 0 0 0 0 0 2 1 3" % NOW
    assert fetch_extra(client, "type:b")[0] == 2

    assert clear_extra(client, "type:b", reset=1) == 2
    assert client.hkeys("{t.x}:extras") == [b"type:a"]
    assert sorted(client.hkeys("{t.x}:extras:events")) == [b"1atype:a", b"2atype:a"]


def test_clear_extra_works_with_garbage(client) -> None:
    client.set("{t.x}:extras:events", "not ours")
    client.hset("{t.x}:extras", "type:a", "garbage")
    assert clear_extra(client, "type:a") == 0
    assert client.exists("{t.x}:extras:events", "{t.x}:extras") == 0


def test_clear_removes_the_events_of_extra_collections_and_leaves_their_limiters(client) -> None:
    of_a = [("type:a", 1, 9, 0, "", "1")]
    insert_with_extras(client, "n", b"1", number=1, extras=of_a)
    assert client.eval(read_script("clear"), 7, *EXTRA_KEYS, 0) == 1
    assert fetch_extra(client, "type:a") == [0, 0, 0]
    assert insert_with_extras(client, "n", b"2", number=2, extras=of_a)[-1] == [0, WINDOW]
    assert client.eval(read_script("clear"), 7, *EXTRA_KEYS, 1) == 0
    assert client.exists(*EXTRA_KEYS[5:]) == 0
    assert insert_with_extras(client, "n", b"3", number=3, extras=of_a)[-1] == [1, WINDOW]
