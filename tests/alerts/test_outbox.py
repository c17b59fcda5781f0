"""The way to the webhook: tried again for a while, bounded, and no delay for anybody else."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from eventscache.alerts.counts import AlertCounts
from eventscache.alerts.outbox import MOST_WAITING, PAUSES_SECONDS, Outbox
from eventscache.alerts.rules import Rule
from eventscache.alerts.webhook import NotTaken, Webhook
from eventscache.testing import ManualClock
from tests.support.alert_bench import SteppedClock
from tests.support.cache_bench import until
from tests.support.redis_server import free_port
from tests.support.sidecar import Log
from tests.support.webhook_server import WebhookServer

BODY = b'{"text":"hello"}'


class Bench:
    def __init__(self, url: str) -> None:
        self.clock = SteppedClock(ManualClock())
        self.counts = AlertCounts()
        self.outbox = Outbox(Webhook(url), self.counts, self.clock)
        self.outbox.start()

    def put(self) -> None:
        self.outbox.put(Rule.SILENT, BODY)

    @property
    def outcome(self) -> tuple[int, int]:
        return self.counts.sent[Rule.SILENT], self.counts.failed[Rule.SILENT]

    async def until(self, sent: int, failed: int) -> None:
        """Let pauses pass until so many were sent and given up."""

        async def move() -> None:
            while True:
                await self.clock.advance(1)

        moving = asyncio.create_task(move())
        try:
            await until(lambda: self.outcome == (sent, failed))
        finally:
            moving.cancel()


@pytest.fixture
async def server() -> AsyncIterator[WebhookServer]:
    async with WebhookServer() as started:
        yield started


async def test_a_message_is_posted_as_json(server: WebhookServer, log: Log) -> None:
    bench = Bench(server.url)
    bench.put()
    await until(lambda: bench.outcome == (1, 0))
    (request,) = server.requests
    assert (request.method, request.path_qs) == ("POST", "/services/s3cr3t?sig=s3cr3t")
    assert request.headers["Content-Type"] == "application/json"
    assert server.bodies == [{"text": "hello"}]
    await bench.outbox.stop()
    assert log.lines == []


async def test_errors_that_may_pass_are_tried_again_with_growing_pauses(server: WebhookServer, log: Log) -> None:
    server.answers = lambda number: (500, 429, 503, 200)[number]
    bench = Bench(server.url)
    bench.put()
    await bench.until(1, 0)
    assert len(server.bodies) == 4
    assert [*PAUSES_SECONDS] == sorted(PAUSES_SECONDS)
    assert [entry["event"] for entry in log._ours] == ["alert webhook fails", "alert webhook works again"]
    await bench.outbox.stop()


async def test_after_four_tries_a_message_is_given_up_and_the_next_one_has_its_turn(server: WebhookServer) -> None:
    server.answers = lambda number: 500 if number < 4 else 200
    bench = Bench(server.url)
    bench.put()
    bench.put()
    await bench.until(1, 1)
    assert len(server.bodies) == 5
    await bench.outbox.stop()


@pytest.mark.parametrize("status", [302, 308, 400, 403, 404, 410])
async def test_what_does_not_pass_is_not_tried_again_and_no_redirect_is_followed(
    server: WebhookServer, status: int
) -> None:
    server.answers = lambda _: status
    bench = Bench(server.url)
    bench.put()
    await until(lambda: bench.outcome == (0, 1))
    assert len(server.requests) == 1
    await bench.outbox.stop()


async def test_a_webhook_that_never_answers_is_left_at_the_end(server: WebhookServer, log: Log) -> None:
    server.answers = lambda _: None
    bench = Bench(server.url)
    for _ in range(MOST_WAITING + 3):
        bench.put()
    assert bench.outcome == (0, 3)
    await until(lambda: len(server.bodies) == 1)
    await bench.outbox.stop()
    assert bench.outcome == (0, MOST_WAITING + 3)
    assert len(server.bodies) == 1
    assert log.faults == []


async def test_no_answer_within_the_timeout_is_a_fault_that_may_pass(
    server: WebhookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventscache.alerts.webhook.TIMEOUT_SECONDS", 0.01)
    server.answers = lambda _: None
    webhook = Webhook(server.url)
    with pytest.raises(NotTaken, match=r"no answer within 0\.01 seconds") as fault:
        await webhook.post(BODY)
    assert fault.value.passes
    await webhook.close()


async def test_what_waits_is_sent_before_the_end(server: WebhookServer) -> None:
    bench = Bench(server.url)
    for _ in range(5):
        bench.put()
    await bench.outbox.stop()
    assert bench.outcome == (5, 0)
    await bench.outbox.stop()


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}/s3cr3t", "http://user:s3cr3t@127.0.0.1:{port}/?s3cr3t"])
async def test_no_fault_shows_the_address(address: str, log: Log) -> None:
    bench = Bench(address.format(port=free_port()))
    bench.put()
    await bench.until(0, 1)
    await bench.outbox.stop()
    (line,) = log.lines
    assert "alert webhook fails" in line
    assert "no connection (ClientConnectorError)" in line
    assert "s3cr3t" not in line
    assert "127.0.0.1" not in line
