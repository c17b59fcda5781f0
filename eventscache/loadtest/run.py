"""A load test from beginning to end: the ledger before, the load, the ledger after."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from time import monotonic

import aiohttp

from eventscache.loadtest.generator import LoadGenerator
from eventscache.loadtest.ledger import LedgerCheck, LedgerCounts
from eventscache.loadtest.plan import LoadPlan
from eventscache.loadtest.progress import ProgressTable
from eventscache.loadtest.report import Report
from eventscache.loadtest.requests import RequestMaker
from eventscache.loadtest.target import Target, TargetError

_POLL_SECONDS = 0.05
_SHOW_SECONDS = 0.5


async def run(plan: LoadPlan, target: Target, *, live: bool = False) -> Report:
    """Run a load test; `live` shows its progress on the terminal. SIGINT and SIGTERM end it early.

    Raises `TargetError`.
    """
    # A new connection for each scrape: of several workers each has its own counts up to date, and those of others late.
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        before = await target.counts(session)
        maker = await asyncio.to_thread(RequestMaker, plan, target.host_header, target.path)
        generator = LoadGenerator(plan, target, maker)
        with _stopping_on_signals(generator):
            showing = asyncio.create_task(_show(generator, target, session, before)) if live else None
            try:
                await generator.run()
            finally:
                if showing:
                    showing.cancel()
                    await asyncio.gather(showing, return_exceptions=True)
        check = await _settle(plan, target, session, generator, before)
    return Report(plan, target.url, generator, check)


@contextlib.contextmanager
def _stopping_on_signals(generator: LoadGenerator) -> Iterator[None]:
    loop, signals = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)

    def stop() -> None:
        generator.note = "ended early"
        generator.stop()
        for number in signals:  # a second signal ends the process without waiting for responses
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


async def _show(generator: LoadGenerator, target: Target, session: aiohttp.ClientSession, before: LedgerCounts) -> None:
    with ProgressTable(target.url, generator.counts) as table:
        while True:
            counts = None
            with contextlib.suppress(TargetError):
                counts = (await target.counts(session)).since(before)
            table.show(counts)
            await asyncio.sleep(_SHOW_SECONDS)


async def _settle(
    plan: LoadPlan, target: Target, session: aiohttp.ClientSession, generator: LoadGenerator, before: LedgerCounts
) -> LedgerCheck | None:
    """Return the check when the ledger adds up, or as it is at the deadline; None if the server could not be scraped.

    It takes a while: queues drain, and workers publish their counts with a delay.
    """
    deadline = monotonic() + plan.settle_seconds
    check = None
    while True:
        with contextlib.suppress(TargetError):
            after = await target.counts(session)
            counts = generator.counts
            check = LedgerCheck(counts.least, counts.most, after.since(before), after.queued)
        if check and (not check.faults or (check.hopeless and not check.queued)):
            return check
        if monotonic() > deadline:
            return check
        await asyncio.sleep(_POLL_SECONDS)
