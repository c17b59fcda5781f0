"""A failover of Jitsu's Redis: what the new master has is brought, and nothing twice."""

import asyncio

from tests.support.cache_bench import GENEROUS_SECONDS
from tests.support.jitsu_lists import JitsuLists, numbers
from tests.support.redis_sentinel import SentinelTrio
from tests.support.sidecar import Start


async def test_a_failover_loses_nothing_that_the_new_master_has(start: Start, sentinel_trio: SentinelTrio) -> None:
    old = sentinel_trio.master()
    hosts = ",".join(f"{host}:{port}" for host, port in sentinel_trio.addresses)
    secret = f"?sentinel_password={sentinel_trio.sentinels[0].password}" if sentinel_trio.sentinels[0].password else ""
    url = f"sentinel://{sentinel_trio.name}:{old.password}@{hosts}/0{secret}"
    sidecar = await start(sources=(("jitsu_redis", url),), size=10_000, window_seconds=1)
    counts = sidecar.server.sources.counts["jitsu_redis"]

    async def seen(count: int) -> list[int]:
        async with asyncio.timeout(3 * GENEROUS_SECONDS):
            while len(events := await sidecar.events("ids=pg&limit=1000")) < count:
                await asyncio.sleep(0.01)
        return numbers(events)

    jitsu = JitsuLists(old)
    for n in range(20):
        jitsu.destination(original={"n": n})
    assert await seen(20) == [*range(20)]
    old.ask("WAIT", 1, 10_000)
    await asyncio.to_thread(sentinel_trio.kill_master)
    new = await asyncio.to_thread(sentinel_trio.wait_for_failover, old)
    after = JitsuLists(new)
    after._times = jitsu._times
    for n in range(20, 30):
        after.destination(original={"n": n})
    assert await seen(30) == [*range(30)]
    assert counts.errors["gap"] == 0
