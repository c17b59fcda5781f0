"""Keys that something else writes over while a sidecar reads and writes them."""

import random

import pytest

from eventscache.storage.options import StorageOptions
from eventscache.storage.redis.keys import KINDS, Keys
from tests.support.redis_server import RedisServer
from tests.support.sidecar import Log
from tests.support.trial import PATIENT, STREAMS, Try

WRONG = {
    "garbage in front": ("LPUSH", b"\xff garbage"),
    "no JSON in front": ("LPUSH", b"{"),
    "a very long value in front": ("LPUSH", b"x" * 2**20),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_entries_that_cannot_be_read_are_left_out_and_counted(
    on_trial: Try, tcp_redis: RedisServer, log: Log, wrong: str
) -> None:
    dice = random.Random(1)
    keys = Keys(StorageOptions().prefix)
    async with on_trial(tcp_redis.storage_url, **PATIENT) as trial:
        trial.lost_some()
        for _ in range(20):
            command, value = WRONG[wrong]
            tcp_redis.ask(command, keys.key(dice.choice(STREAMS), dice.choice(["all", "error"])), value)
            await trial.until_answered(5)
            await trial.until_read(200)
        assert await trial.metric("eventscache_events_unreadable_total") > 0
    assert log.faults == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_key_of_another_type_costs_its_own_stream_alone(
    on_trial: Try, tcp_redis: RedisServer, kind: str
) -> None:
    broken, *others = STREAMS
    key = Keys(StorageOptions().prefix).key(broken, kind)
    async with on_trial(tcp_redis.storage_url, **PATIENT, dropped=frozenset({"storage_error"})) as trial:
        trial.lost_some(more=200)
        tcp_redis.ask("SET", key, "not ours")
        await trial.until_stored(100)
        await trial.until_ready()
        for stream in others:
            assert await trial.page(stream)
        tcp_redis.ask("DEL", key)
