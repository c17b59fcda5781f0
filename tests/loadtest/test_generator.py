"""Load tests against a server that answers, stalls, breaks off and goes away."""

import io
import json
from typing import Any

import pytest
from rich.console import Console

from eventscache.loadtest.plan import LoadPlan
from eventscache.loadtest.progress import ProgressTable
from eventscache.loadtest.report import Report
from eventscache.loadtest.request_counts import RequestCounts
from eventscache.loadtest.run import run
from eventscache.loadtest.target import Target, TargetError
from tests.support.stub_server import OK, Stub, answer

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}"


def as_json(report: Report) -> dict[str, Any]:
    return dict(json.loads(report.to_json()))


async def loaded(stub: Stub, **options: Any) -> dict[str, Any]:
    """Return the report as JSON holds it."""
    return as_json(await reported(stub, **options))


async def reported(stub: Stub, **options: Any) -> Report:
    options = {"connections": 3, "requests": 12, "settle_seconds": 0.0, **options}
    return await run(LoadPlan(**options), Target(stub.url))


@pytest.mark.parametrize("rate", [None, 1000.0])
@pytest.mark.parametrize("data", [OK, CHUNKED, UNTIL_CLOSED, answer(200, b"{}", b"Connection: close")])
async def test_every_form_of_a_response_is_read(data: bytes, rate: float | None) -> None:
    async with Stub(lambda _: data) as stub:
        report = await loaded(stub, rate=rate)
    assert report["requests"]["statuses"] == {"200": 12}
    assert report["requests"]["unanswered"] == {}
    assert report["ledger"]["good"]
    assert len(stub.bodies) == report["requests"]["sent"] == 12


@pytest.mark.parametrize("rate", [None, 1000.0])
@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "connection lost"), (b"SSH-2.0\r\n", "not HTTP"), (None, "timeout")]
)
async def test_a_request_without_a_response_is_counted_and_sent_once(
    data: bytes | None, reason: str, rate: float | None
) -> None:
    async with Stub(lambda number: data if number in {3, 7} else OK) as stub:
        report = await loaded(stub, rate=rate, timeout_seconds=0.3)
    assert report["requests"]["unanswered"] == {reason: 2}
    assert report["requests"]["statuses"] == {"200": 10}
    assert report["ledger"]["offered"] == {"least": 10, "most": 12}
    assert report["ledger"]["good"]
    assert len(stub.bodies) == 12


async def test_responses_are_counted_by_status() -> None:
    ours = b'{"message":"","error":""}'
    replies = [OK, answer(429, ours), answer(503, b"a proxy's"), answer(401, ours)]
    async with Stub(lambda number: replies[number % 4]) as stub:
        report = await loaded(stub, connections=1)
    assert report["requests"]["statuses"] == {"200": 3, "401": 3, "429": 3, "503": 3}
    assert report["ledger"]["offered"] == {"least": 9, "most": 12}


@pytest.mark.parametrize("status", [301, 401, 403, 404, 405, 415])
async def test_a_load_that_is_rejected_from_the_start_ends_with_the_reason(status: int) -> None:
    async with Stub(lambda _: answer(status, b'{"message":"no,\\nno","error":""}')) as stub:
        with pytest.raises(TargetError, match=rf"127.0.0.1:\d+ rejects requests with status {status}: no,\\nno$"):
            await loaded(stub, requests=1000)
    assert len(stub.bodies) < 10


async def test_a_stall_counts_in_the_latency_of_requests_due_meanwhile() -> None:
    """One connection, and one request that gets no response: the next ones wait as long as it does."""
    async with Stub(lambda number: None if number == 0 else OK) as stub:
        report = await loaded(stub, connections=1, rate=1000.0, requests=101, timeout_seconds=0.3)
    requests = report["requests"]
    assert requests["answered"] == 100
    assert requests["unanswered"] == {"timeout": 1}
    assert report["latency_ms"]["p50"] > 100, "all of them were due in the first third of the stall"


async def test_requests_that_could_not_be_sent_are_counted() -> None:
    async with Stub(lambda _: None) as stub:
        report = await loaded(stub, connections=1, rate=1000.0, requests=50, timeout_seconds=0.2)
    requests = report["requests"]
    assert requests["sent"] + requests["unsent"] == 50
    assert requests["unsent"] > 0
    assert report["ledger"]["offered"]["least"] == 0


async def test_a_server_that_goes_away_ends_the_load() -> None:
    stub = Stub()

    def leave(number: int) -> bytes:
        if number == 5:
            stub.leave()
        return OK

    stub.answers = leave
    async with stub:
        report = await reported(stub, requests=1_000_000, timeout_seconds=0.3)
    assert as_json(report)["ledger"] is None
    assert not report.good
    assert "gave up: no connection" in report.to_text()
    assert "the metrics could not be read any more" in report.to_text()


async def test_a_ledger_with_events_of_others_differs_unless_shared() -> None:
    class SharedTarget(Target):
        scrapes = 0

        async def counts(self, session: Any) -> Any:
            counts = await super().counts(session)
            self.scrapes += 1
            if self.scrapes == 1:
                async with session.post(f"{self.url}/api/v1/event", data=b"{}"):
                    pass
            return counts

    for shared in (False, True):
        async with Stub() as stub:
            report = await run(LoadPlan(requests=5, shared=shared), SharedTarget(stub.url))
        assert report.good is shared
        text = "received 6 is more than the 5 offered: others may have sent"
        assert f"{'note, as others send too' if shared else 'DIFFERS'}: {text}" in report.to_text()


async def test_the_progress_table_shows_what_is_known() -> None:
    requests = RequestCounts()
    output = io.StringIO()
    with ProgressTable("http://h", requests, Console(file=output, force_terminal=True, width=200)) as table:
        requests.latency.record(0.012)
        table.show(None)
    for name in ("http://h", "answers/s", "p50 ms", "p99.9 ms", "stored", "limited", "dropped", "errors", "12.0"):
        assert name in output.getvalue()


async def test_a_load_with_progress_ends_like_another() -> None:
    async with Stub() as stub:
        report = await run(LoadPlan(requests=5), Target(stub.url), live=True)
    assert report.good
