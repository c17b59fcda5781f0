"""A master behind Sentinels that dies or freezes: readers and writers see an outage, then the new master."""

import asyncio

import pytest

from tests.support.redis_sentinel import SentinelTrio
from tests.support.trial import SETTINGS, Try


@pytest.mark.parametrize("fault", ["dies", "freezes and comes back"])
async def test_a_failover_is_an_outage_that_ends_by_itself(
    on_trial: Try, sentinel_trio: SentinelTrio, fault: str
) -> None:
    async with on_trial(sentinel_trio.storage_url) as trial:
        break_master = sentinel_trio.kill_master if fault == "dies" else sentinel_trio.freeze_master
        old = await asyncio.to_thread(break_master)
        await trial.until_outage()
        await asyncio.to_thread(sentinel_trio.wait_for_failover, old)
        await trial.until_recovered()
        trial.lost_some(more=SETTINGS["size"])  # the new master may lack the last that the old one admitted
        if fault == "freezes and comes back":
            old.thaw()
            await asyncio.to_thread(sentinel_trio.wait_until_agreed)
            await trial.until_answered(200)
    assert trial.ledger.all_dropped
