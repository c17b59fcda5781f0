"""A load test from beginning to end: the ledger before, the load, the ledger after."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from time import monotonic

import aiohttp

from eventscache.loadtest.account import Account, Counts
from eventscache.loadtest.load import Load
from eventscache.loadtest.plan import Plan
from eventscache.loadtest.report import Report
from eventscache.loadtest.screen import Screen
from eventscache.loadtest.target import Target, TargetError
from eventscache.loadtest.traffic import Traffic

_POLL_SECONDS = 0.05
_SHOW_SECONDS = 0.5


async def run(plan: Plan, target: Target, *, live: bool = False) -> Report:
    """Load the target as planned, shown live if wanted; SIGINT and SIGTERM end it early. Raises `TargetError`."""
    # A connection for each look: with several workers, the figures are to come from whoever has the newest.
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        before = await target.counts(session)
        traffic = await asyncio.to_thread(Traffic, plan, target.header, target.path)
        load = Load(plan, target, traffic)
        with _stopping_early(load):
            showing = asyncio.create_task(_show(load, target, session, before)) if live else None
            try:
                await load.run()
            finally:
                if showing:
                    showing.cancel()
                    await asyncio.gather(showing, return_exceptions=True)
        account = await _settle(plan, target, session, load, before)
    return Report(plan, target.url, load, account)


@contextlib.contextmanager
def _stopping_early(load: Load) -> Iterator[None]:
    loop, signals = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)

    def stop() -> None:
        load.note = "ended early"
        load.stop()
        for number in signals:  # whoever asks again does not want to wait for answers
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


async def _show(load: Load, target: Target, session: aiohttp.ClientSession, before: Counts) -> None:
    with Screen(target.url, load.tally) as screen:
        while True:
            counts = None
            with contextlib.suppress(TargetError):
                counts = (await target.counts(session)).since(before)
            screen.show(counts)
            await asyncio.sleep(_SHOW_SECONDS)


async def _settle(
    plan: Plan, target: Target, session: aiohttp.ClientSession, load: Load, before: Counts
) -> Account | None:
    """Return the account when it adds up, or at the deadline as it is: queues drain, and workers tell with a delay."""
    deadline = monotonic() + plan.settle_seconds
    account = None
    while True:
        with contextlib.suppress(TargetError):
            after = await target.counts(session)
            account = Account(load.tally.least, load.tally.most, after.since(before), after.queued)
        if account and (not account.faults or (account.hopeless and not account.queued)):
            return account
        if monotonic() > deadline:
            return account
        await asyncio.sleep(_POLL_SECONDS)
