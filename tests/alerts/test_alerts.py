"""The whole of it: one process of all watches a storage, and a webhook gets each message once."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from eventscache.alerts.alerts import Alerts
from eventscache.alerts.rules import Rule, Rules
from eventscache.clock import MICROSECONDS
from eventscache.errors import StorageRefused, StorageUnavailable
from eventscache.storage.base import Storage
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import StreamInfo
from eventscache.storage.options import StorageOptions
from eventscache.storage.plugins import storage_from_url
from eventscache.stream import Namespace
from eventscache.testing import ManualClock
from tests.support.alert_bench import SteppedClock, Writer
from tests.support.cache_bench import until
from tests.support.redis_server import RedisServer
from tests.support.sidecar import Log
from tests.support.webhook_server import WebhookServer

SILENT = Rules(silent_minutes=3)


class Away(MemoryStorage):
    """A storage that can be away, or refuse."""

    fault: StorageUnavailable | None = None

    async def ready(self) -> None:
        if self.fault:
            raise self.fault

    async def streams(self, namespace: Namespace, limit: int | None = None) -> list[StreamInfo]:
        if self.fault and not isinstance(self.fault, StorageRefused):  # which can be read
            raise self.fault
        return await super().streams(namespace, limit)


class Bench(Writer):
    """Some processes that watch one storage."""

    def __init__(self, storage: Storage, manual: ManualClock, server: WebhookServer) -> None:
        super().__init__(storage)
        self.clock = SteppedClock(manual)
        self.server = server
        self.started: list[Alerts] = []

    def start(self, rules: Rules = SILENT, storage: Storage | None = None) -> Alerts:
        alerts = Alerts(storage or self.storage, self.server.url, rules, clock=self.clock)
        alerts.start()
        self.started.append(alerts)
        return alerts

    async def stop(self) -> None:
        for alerts in self.started:
            await alerts.stop()


@pytest.fixture
async def server() -> AsyncIterator[WebhookServer]:
    async with WebhookServer() as started:
        yield started


@pytest.fixture
async def bench(server: WebhookServer) -> AsyncIterator[Bench]:
    manual = ManualClock()
    made = Bench(Away(StorageOptions(now=manual)), manual, server)
    yield made
    await made.stop()


async def test_a_new_group_reaches_the_webhook(bench: Bench, log: Log) -> None:
    alerts = bench.start()
    await bench.clock.advance(10)
    await bench.write(errors=1, group="a", error="no such column <x>")
    await bench.clock.advance(10)
    await until(lambda: alerts.counts.sent[Rule.NEW_ERROR_GROUP] == 1)
    (text,) = bench.server.texts
    assert text.splitlines() == [
        "*New kind of error at destination* `shop`",
        "1 error so far, the first at 2023-11-14 22:13:30 UTC",
        "```no such column &lt;x&gt;```",
    ]
    assert log.lines == []


async def test_an_outage_of_the_storage_tells_of_no_silence(bench: Bench, log: Log) -> None:
    storage = bench.storage
    assert isinstance(storage, Away)
    alerts = bench.start()
    await bench.clock.advance(10)
    await bench.write(good=1)
    await bench.clock.advance(100)
    for fault in (StorageUnavailable("away"), StorageRefused("full")):
        storage.fault = fault
        await bench.clock.advance(200)
        storage.fault = None
        await bench.clock.advance(160)
        assert alerts.counts.sent.total() == 0
    await bench.clock.advance(40)
    await until(lambda: alerts.counts.sent[Rule.SILENT] == 1)
    assert log.faults == []


async def test_a_webhook_that_never_answers_delays_no_look(bench: Bench) -> None:
    bench.server.answers = lambda _: None
    alerts = bench.start()
    await bench.clock.advance(10)
    for group in "abc":
        await bench.write(errors=1, group=group)
        await bench.clock.advance(10)
    assert len(alerts._outbox._waiting) == 3
    await alerts.stop()
    assert alerts.counts.failed[Rule.NEW_ERROR_GROUP] == 3


async def test_a_bug_is_logged_once_and_the_next_look_comes(
    bench: Bench, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> list[StreamInfo]:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(Away, "streams", broken)
        alerts = bench.start()
        await bench.clock.advance(60)
    assert [entry["event"] for entry in log._ours] == ["alerts failed, trying again"]
    await bench.clock.advance(20)
    await bench.write(errors=1, group="a")
    await bench.clock.advance(20)
    await until(lambda: alerts.counts.sent[Rule.NEW_ERROR_GROUP] == 1)


async def test_a_storage_without_extra_collections_is_told_in_one_line(
    bench: Bench, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Away, "has_extras", False)
    bench.start()
    bench.start(Rules(new_error_group=False))
    await bench.clock.advance(30)
    (line,) = log.lines
    assert "eventscache.alerts.new_error_group has no effect" in line


async def test_many_events_of_one_minute_are_an_error_share(bench: Bench) -> None:
    alerts = bench.start(Rules(error_share=0.1))
    await bench.clock.advance(10)
    await bench.write(good=20, errors=10)
    await bench.clock.advance(10)
    await until(lambda: alerts.counts.sent[Rule.ERROR_SHARE] == 1)
    assert bench.server.texts == [
        "*Many errors at destination* `shop`\n10 of 30 events of the last minute failed (33.3%)"
    ]


@pytest.fixture
async def redis_bench(redis_server: RedisServer, server: WebhookServer) -> AsyncIterator[Bench]:
    manual = ManualClock()
    options = StorageOptions(prefix=f"eventscache:alerts-{id(manual)}", now=manual, timeout_seconds=20)
    async with (
        storage_from_url(redis_server.storage_url, options) as storage,
        storage_from_url(redis_server.storage_url, options) as other,
    ):
        made = Bench(storage, manual, server)
        made.start()
        made.start(storage=other)
        yield made
        await made.stop()
        await storage.erase()


async def looked(bench: Bench, looked_us: int) -> None:
    """Let time pass until what was there at a time was seen, whichever process looks."""
    checkpoints = bench.storage.checkpoints("eventscache.alerts")
    async with asyncio.timeout(20):
        while int((await checkpoints.load()).get(b"looked_us", b"0")) < looked_us:
            await bench.clock.advance(1)


async def look_of(bench: Bench) -> None:
    """Let at least one whole look begin and end."""
    await looked(bench, bench.clock.unix_us() + 11 * MICROSECONDS)


async def test_two_processes_on_one_redis_send_one_message(redis_bench: Bench) -> None:
    bench = redis_bench
    await bench.write(good=1)
    await looked(bench, bench.clock.unix_us())
    await bench.write(errors=1, group="a")
    await look_of(bench)
    await until(lambda: len(bench.server.bodies) == 1)
    await look_of(bench)
    assert sum(alerts.counts.sent.total() for alerts in bench.started) == 1
    assert len(bench.server.bodies) == 1


async def test_a_process_that_takes_over_goes_on_and_sends_nothing_twice(redis_bench: Bench) -> None:
    bench = redis_bench
    await bench.write(good=1)
    await looked(bench, bench.clock.unix_us())
    await bench.write(errors=1, group="a")
    await look_of(bench)
    await until(lambda: len(bench.server.bodies) == 1)
    (first,) = [alerts for alerts in bench.started if alerts.counts.sent.total()]
    (second,) = [alerts for alerts in bench.started if alerts is not first]
    await first.stop()
    await bench.write(errors=1, group="a")
    await bench.write(errors=1, group="b", error="another")
    await look_of(bench)
    await until(lambda: second.counts.sent[Rule.NEW_ERROR_GROUP] == 1)
    await look_of(bench)
    assert [text.splitlines()[-1] for text in bench.server.texts] == ["```boom```", "```another```"]
