"""A Redis whose process dies, freezes, or still loads its data."""

import asyncio
import random
from pathlib import Path

import redis

from tests.support.redis_server import RedisServer, free_port, wait_until
from tests.support.trial import Try

MANY_KEYS = 2000
LOADED_SLOWLY = ("--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024")
ROUNDS = 12


async def test_a_redis_that_is_killed_and_started_again_costs_only_what_waited_for_it(
    on_trial: Try, tcp_redis: RedisServer
) -> None:
    async with on_trial(tcp_redis.storage_url) as trial:
        tcp_redis.kill()
        trial.forgot()
        await trial.until_outage()
        await trial.until_read(503)
        await asyncio.to_thread(tcp_redis.start)
    assert trial.ledger.all_dropped


async def test_a_redis_that_freezes_is_given_up_and_stores_nothing_twice_when_it_goes_on(
    on_trial: Try, tcp_redis: RedisServer
) -> None:
    async with on_trial(tcp_redis.storage_url) as trial:
        tcp_redis.freeze()
        await trial.until_outage()
        await trial.until_read(503)
        tcp_redis.thaw()
    assert trial.ledger.all_dropped


async def test_a_redis_that_freezes_for_less_than_the_deadline_costs_nothing(
    on_trial: Try, tcp_redis: RedisServer
) -> None:
    dice = random.Random(1)
    async with on_trial(tcp_redis.storage_url, ack_timeout_ms=60_000) as trial:
        for _ in range(ROUNDS):
            tcp_redis.freeze()
            await trial.until_answered(dice.randint(10, 200))  # for less than a try may take, and for longer
            tcp_redis.thaw()
            await trial.until_stored(10)
    assert not trial.ledger.all_dropped


async def test_a_redis_that_loads_its_data_is_waited_for(on_trial: Try, tcp_redis: RedisServer, tmp_path: Path) -> None:
    own = RedisServer(tcp_redis.binary, tmp_path, port=free_port())
    with own:
        with own.client() as client:
            client.mset({f"others:{number}": number for number in range(MANY_KEYS)})
            client.save()
        async with on_trial(own.storage_url) as trial:
            own.kill()
            trial.forgot()
            own.options += LOADED_SLOWLY
            starting = asyncio.create_task(asyncio.to_thread(own.start))
            await asyncio.to_thread(wait_until, lambda: loads(own), "it loads")
            await trial.until_not_ready()
            await trial.until_answered()
            assert loads(own)
            with own.client() as client:
                client.config_set("key-load-delay", 0)
            await starting


def loads(server: RedisServer) -> bool:
    try:
        server.ask("PING")
    except redis.exceptions.BusyLoadingError:
        return True
    return False
