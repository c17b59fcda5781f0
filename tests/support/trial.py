"""A sidecar under load while something fails: what has to hold meanwhile, and afterwards of every event."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from eventscache.config.settings import Settings
from eventscache.loadtest.ledger import LedgerCounts
from eventscache.metrics.parsing import parse_metrics
from eventscache.stream import Namespace, Stream
from tests.support.numbered_load import NumberedLoad
from tests.support.recording_redis import Deed, RecordingRedis, check_windows, now_us
from tests.support.sidecar import CACHE, Sidecar, Start

GENEROUS_SECONDS = 60
RATE = 450
STREAMS = (Stream(Namespace.TOKEN, "web"), Stream(Namespace.TOKEN, "shop"), Stream(Namespace.DESTINATION, "pg"))
# A third of the load is limited, so that windows are full; a fault is given up soon, so that events are dropped.
SETTINGS: dict[str, Any] = {
    "size": 100,
    "window_seconds": 1,
    "storage_timeout_ms": 200,
    "ack_timeout_ms": 600,
    "queue_bytes": 4 * 1024 * 1024,
    "per_type": 5,  # so that extra collections are tried as well
}
# For faults that are no outage: a slow machine must not look like one.
PATIENT = {"storage_timeout_ms": 60_000, "ack_timeout_ms": 60_000}
TAKEN: frozenset[int] = frozenset({HTTPStatus.OK, HTTPStatus.ACCEPTED})
LOST = frozenset({"storage_unavailable", "unconfirmed"})
_STEP = 60
_Page = Sequence[dict[str, Any]]
_NUMBER = re.compile(rb'"n":(\d+)')


class Trial:
    """One sidecar, the load that it gets, and a reader; a test breaks something meanwhile.

    Everything is asked over HTTP, so the sidecar may be a process of its own. With a recording `storage` all is known
    that was stored, and compared with what is there.
    """

    def __init__(
        self,
        address: str,
        session: aiohttp.ClientSession,
        settings: Settings,
        *,
        streams: Sequence[Stream] = STREAMS,
        rate: float = RATE,
        storage: RecordingRedis | None = None,
        sidecar: Sidecar | None = None,
    ) -> None:
        self.address = address
        self.load = NumberedLoad(address, streams, rate=rate)
        self.reads: dict[int, int] = {}
        self.ledger = LedgerCounts()  # at the end
        self.sidecar = sidecar
        self._settings = settings
        self._session = session
        self._storage = storage
        self._streams = streams
        self._reader: asyncio.Task[None] | None = None
        # When a Redis began that knows nothing of what was before, for each stream and in microseconds.
        self._incarnations = {stream: [0] for stream in streams}
        self._whole = True
        self._more = self._others = 0

    # What a test waits for.

    async def until(self, condition: Callable[[], Awaitable[object]], what: str) -> None:
        """Return once a condition holds; raise what went wrong meanwhile with the load or the reader."""
        try:
            async with asyncio.timeout(GENEROUS_SECONDS):
                while not await condition():
                    self._raise_if_failed()
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"not within {GENEROUS_SECONDS} s: {what}") from None

    async def until_stored(self, more: int = _STEP) -> None:
        """Return once so many more events are stored."""
        goal = (await self.counts()).stored + more

        async def stored() -> bool:
            return (await self.counts()).stored >= goal

        await self.until(stored, f"{more} more events are stored")

    async def until_answered(self, more: int = _STEP) -> None:
        """Return once so many more requests of the load were answered."""
        goal = self.load.counts.answered + more

        async def answered() -> bool:
            return self.load.counts.answered >= goal

        await self.until(answered, f"{more} more requests are answered")

    async def until_dropped(self, more: int = 1) -> None:
        """Return once so many more events were dropped: the storage was given up."""
        goal = (await self.counts()).all_dropped + more

        async def dropped() -> bool:
            return (await self.counts()).all_dropped >= goal

        await self.until(dropped, f"{more} more events are dropped")

    async def until_ready(self, expected: int = HTTPStatus.OK) -> None:
        """Return once `/readyz` gives a status."""

        async def is_so() -> bool:
            return (await self.get("/readyz"))[0] == expected

        await self.until(is_so, f"/readyz gives {expected}")

    async def until_not_ready(self) -> None:
        await self.until_ready(HTTPStatus.SERVICE_UNAVAILABLE)

    async def until_outage(self) -> None:
        """Return once the sidecar says that the storage is away, and has given up events."""
        await self.until_dropped()
        await self.until_not_ready()
        await self.until_answered()

    async def until_read(self, status: int, more: int = 3) -> None:
        """Return once so many more reads had an answer with a status."""
        goal = self.reads.get(status, 0) + more

        async def read() -> bool:
            if self._reader is None:
                await self.page(self._streams[0])
            return self.reads.get(status, 0) >= goal

        await self.until(read, f"{more} more reads give {status}")

    async def until_recovered(self) -> None:
        """Return once it is ready, and stores and reads again."""
        await self.until_ready()
        await self.until_stored()
        await self.until_read(HTTPStatus.OK)

    # What a test tells.

    def forgot(self, *streams: Stream) -> None:
        """Note that the storage just lost all it had, of some streams or of all: other admissions count from here."""
        for stream in streams or self._streams:
            self._incarnations[stream].append(now_us())

    def lost_some(self, more: int = 0) -> None:
        """Note that the storage may lack events that it stored: its contents are not compared one by one.

        `more` events than the quota may be in a window.
        """
        self._whole, self._more = False, more

    def others_sent(self, events: int) -> None:
        """Note that so many events came beside the load."""
        self._others += events

    # What is asked.

    async def get(self, path: str) -> tuple[int, bytes]:
        async with self._session.get(self.address + path) as answer:
            return answer.status, await answer.read()

    async def counts(self) -> LedgerCounts:
        """Return the ledger, which adds up at every moment."""
        status, text = await self.get("/metrics")
        assert status == HTTPStatus.OK
        counts = LedgerCounts.parse(text.decode())
        assert counts
        assert counts.received == counts.settled + counts.queued
        return counts

    async def is_idle(self) -> bool:
        return not (await self.counts()).queued

    async def metric(self, name: str, label: str = "") -> float:
        return parse_metrics((await self.get("/metrics"))[1].decode())[name][label]

    async def page(self, stream: Stream, status: str = "") -> list[dict[str, Any]] | None:
        """Return the events of a stream, checked; None if the answer is a 503."""
        path = f"{CACHE}?namespace={stream.namespace}&ids={quote(stream.id)}&limit=1000"
        code, body = await self.get(path + (f"&status={status}" if status else ""))
        self.reads[code] = self.reads.get(code, 0) + 1
        if code == HTTPStatus.SERVICE_UNAVAILABLE:
            assert json.loads(body)["code"] == "storage_unavailable", body
            return None
        assert code == HTTPStatus.OK, body
        events: list[dict[str, Any]] = json.loads(body)["events"]
        self._check_page(stream, events)
        return events

    async def _page_at_last(self, stream: Stream, status: str = "") -> list[dict[str, Any]]:
        """Return the events of a stream once they can be read: a slow machine may need several tries."""
        pages: list[list[dict[str, Any]]] = []

        async def is_read() -> bool:
            page = await self.page(stream, status)
            if page is not None:
                pages.append(page)
            return page is not None

        await self.until(is_read, f"{stream} is read")
        return pages[0]

    def _check_page(self, stream: Stream, events: Sequence[dict[str, Any]]) -> None:
        """Newest first, none twice, none that was never sent, no more than the size."""
        sequences = [event["seq"] for event in events]
        assert sequences == sorted({*sequences}, reverse=True)
        times = [event["timestamp"] for event in events]
        assert times == sorted(times, reverse=True)
        numbers = [event["original"]["n"] for event in events]
        assert len({*numbers}) == len(numbers) <= self._settings.size
        assert all(number < self.load.requests.sent for number in numbers)
        assert {self.load.requests.stream_of(number) for number in numbers} <= {stream}

    async def _read_on(self) -> None:
        nth = 0
        while True:
            nth += 1
            await self.page(self._streams[nth % len(self._streams)], "error" if nth % 7 == 0 else "")
            assert (await self.get("/livez"))[0] == HTTPStatus.OK
            assert (await self.get("/readyz"))[0] in {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE}
            assert await self.metric("eventscache_queue_bytes") <= self._settings.queue_bytes
            assert self.sidecar is None or self.sidecar.server.connections <= self._settings.max_connections
            await asyncio.sleep(0.01)

    def _raise_if_failed(self) -> None:
        self.load.raise_if_failed()
        if self._reader and self._reader.done():
            self._reader.result()

    # From beginning to end.

    def start(self) -> None:
        self.load.start()
        self._reader = asyncio.create_task(self._read_on())

    async def finish(self, *, dropped: frozenset[str] = LOST, statuses: frozenset[int] = TAKEN) -> LedgerCounts:
        """End the load, wait until nothing is queued, and check what became of every event; return the ledger.

        `dropped` are the reasons that events may be dropped for, `statuses` the answers that the load may get.
        """
        await self.load.stop()
        await self.stop_reading()
        await self.until(self.is_idle, "nothing is queued")
        return await self.check(dropped, statuses)

    async def stop_reading(self) -> None:
        """End the reader; raise what went wrong with it, or with the load."""
        self._raise_if_failed()
        if self._reader:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
            self._reader = None

    async def abandon(self) -> None:
        if self._reader:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        await self.load.abandon()

    async def check(self, dropped: frozenset[str] = LOST, statuses: frozenset[int] = TAKEN) -> LedgerCounts:
        """No client had an error, every event is accounted for, and what is stored is there once, newest first."""
        sent, ledger = self.load.counts, await self.counts()
        assert {*sent.statuses} <= statuses, sent.statuses
        assert sent.unanswered == {}
        assert {*self.reads} <= {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE}
        assert sent.answered == sent.least == sent.most == self.load.requests.sent
        assert ledger.received == sent.answered + self._others
        assert ledger.settled == ledger.received
        assert ledger.rejected == 0
        assert {reason for reason, count in ledger.dropped.items() if count} <= dropped
        for stream in self._streams:
            everything, errors = await self._page_at_last(stream), await self._page_at_last(stream, "error")
            assert everything
            if self._storage:
                self._check_stored(self._deeds_of(stream), everything, errors, ledger.dropped.get("unconfirmed", 0))
            await self._check_groups(stream, ledger)
        if self._storage:
            # Some that are told as unconfirmed are there: their counts went again, and the answer is known by that.
            placed = len(_placed(self._storage.deeds.values()))
            assert ledger.stored <= placed <= ledger.stored + ledger.dropped.get("unconfirmed", 0)
        return ledger

    async def _check_groups(self, stream: Stream, ledger: LedgerCounts) -> None:
        """Each error is counted once by its group, also if it was limited; those that were dropped may be missing."""
        if stream.namespace is not Namespace.DESTINATION or not self._whole or len(self._incarnations[stream]) > 1:
            return
        status, body = await self.get(f"/api/v1/errors?ids={quote(stream.id)}")
        assert status == HTTPStatus.OK, body
        counted = sum(group["count"] for group in json.loads(body)["groups"])
        sent = self.load.requests.errors_of(stream)
        assert sent - ledger.all_dropped <= counted <= sent

    def _deeds_of(self, stream: Stream) -> list[Deed]:
        assert self._storage
        return [deed for deed in self._storage.deeds.values() if deed.batch.stream == stream]

    def _check_stored(self, deeds: list[Deed], everything: _Page, errors: _Page, unconfirmed: int) -> None:
        """What was stored was stored once, within the quota, and the last of it is there; so nothing else is."""
        placed = _placed(deeds)
        assert len({*placed}) == len(placed)
        quota = self._settings.quota
        begins = self._incarnations[deeds[0].batch.stream]
        for begin, end in zip(begins, [*begins[1:], now_us()], strict=True):
            check_windows((deed for deed in deeds if begin <= deed.admission.at_us < end), quota, self._more)
        if not self._whole:
            return
        latest = [deed for deed in deeds if deed.admission.at_us >= begins[-1]]
        last_number = max(event["seq"] for event in (*everything, *errors))
        numbered = _placed(latest)
        listed = {*_placed(latest, "all"), *_placed(latest, "error")}  # the others are in the list of their type alone
        last_listed = max(number for number, event in enumerate(numbered, 1) if event in listed)
        assert last_listed <= last_number <= len(numbered) + unconfirmed
        if not unconfirmed:
            for page, kind in ((everything, "all"), (errors, "error")):
                expected = _placed(latest, kind)[: -quota.size - 1 : -1]
                assert [event["original"]["n"] for event in page] == expected


def _placed(deeds: Iterable[Deed], kind: str = "any") -> list[int]:
    """Return the numbers of the events that a collection admitted, or any of them, the oldest first."""
    return [
        int(found[1])
        for deed in deeds
        for in_extras in [deed.admission.in_extras(deed.batch)]
        for index, (offer, (in_all, in_error)) in enumerate(
            zip(deed.batch.offers, deed.admission.placed(deed.batch.offers), strict=True)
        )
        if {"any": in_all or in_error or index in in_extras, "all": in_all, "error": in_error}[kind]
        if (found := _NUMBER.search(offer.event))
    ]


def recording(url: str, settings: Settings) -> RecordingRedis:
    storage = RecordingRedis.from_url(url, settings.storage_options)
    storage.deeds, storage.tries = {}, {}
    return storage


Try = Callable[..., Any]


@asynccontextmanager
async def under_load(trial: Trial) -> AsyncIterator[Trial]:
    """Run a trial's load until the end of the block, and check nothing."""
    trial.start()
    try:
        await trial.until_recovered()
        yield trial
    finally:
        await trial.abandon()


@pytest.fixture
async def on_trial(start: Start) -> Try:
    """Try a sidecar over a Redis: healthy, then as the block has it, then healthy again; every event is checked."""

    @asynccontextmanager
    async def try_it(
        url: str,
        *,
        streams: Sequence[Stream] = STREAMS,
        rate: float = RATE,
        dropped: frozenset[str] = LOST,
        statuses: frozenset[int] = TAKEN,
        **changes: Any,
    ) -> AsyncIterator[Trial]:
        settings = Settings(**{**SETTINGS, **changes})
        storage = recording(url, settings)
        sidecar = await start(storage, **{**SETTINGS, **changes})
        async with aiohttp.ClientSession() as session:
            trial = Trial(
                sidecar.address, session, settings, streams=streams, rate=rate, storage=storage, sidecar=sidecar
            )
            async with under_load(trial):
                yield trial
                await trial.until_recovered()
                trial.ledger = await trial.finish(dropped=dropped, statuses=statuses)

    return try_it
