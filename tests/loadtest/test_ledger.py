"""Whether the ledger of the tested server adds up."""

from eventscache.cache import EventsCache
from eventscache.loadtest.ledger import LedgerCheck, LedgerCounts
from eventscache.loadtest.request_counts import RequestCounts
from eventscache.loadtest.requests import Request
from eventscache.loadtest.response import Response
from eventscache.metrics.definitions import Process
from eventscache.metrics.prometheus import Metrics
from eventscache.metrics.snapshot import MetricsSnapshot
from eventscache.storage.memory import MemoryStorage


def counts(received: int, *, stored: int = 0, queued: int = 0, dropped: int = 0) -> LedgerCounts:
    return LedgerCounts(received, stored, 0, 0, queued, {"queue_full": dropped})


async def test_the_counts_are_read_from_the_metrics() -> None:
    cache = EventsCache(MemoryStorage())
    ledger = cache.ledger
    ledger.received, ledger.stored, ledger.limited, ledger.rejected, ledger.queued = 15_000_000, 2, 3, 4, 5
    ledger.dropped["unconfirmed"] = 6
    parsed = LedgerCounts.parse(Metrics(lambda: MetricsSnapshot.of(Process(cache))).render().decode())
    assert parsed
    assert parsed[:5] == (15_000_000, 2, 3, 4, 5)
    assert parsed.since(counts(0))[5] == {"unconfirmed": 6}
    assert parsed.settled == 15
    assert LedgerCounts.parse("go_goroutines 7\n") is None


def test_a_ledger_with_all_that_was_sent_adds_up() -> None:
    assert LedgerCheck(10, 10, counts(10, stored=7, dropped=3), queued=0).faults == []
    assert LedgerCheck(8, 12, counts(10, stored=10), queued=0).faults == []


def test_every_difference_is_a_fault() -> None:
    cases = [
        (LedgerCheck(10, 10, counts(9, stored=9), 0), "received 9 is less than the 10 offered"),
        (
            LedgerCheck(8, 10, counts(11, stored=11), 0),
            "received 11 is more than the 8 to 10 offered: others may have sent",
        ),
        (LedgerCheck(10, 10, counts(10, stored=8, queued=2), 2), "2 events are still queued"),
        (LedgerCheck(10, 10, counts(10, stored=8), 0), "8 settled and 0 queued are not 10 received"),
        (LedgerCheck(10, 10, counts(-5, stored=-5), 0), "the counters went back: the server was restarted"),
    ]
    for check, fault in cases:
        assert check.faults == [fault]


def test_a_response_bounds_how_many_events_were_received() -> None:
    ours = b'{"message":"","error":""%b}'
    cases = {
        Response(200, b"", True): (5, 5),
        Response(400, ours % b"", True): (1, 1),
        Response(400, ours % b',"errors":[]', True): (5, 5),
        Response(401, ours % b"", True): (1, 1),
        Response(404, ours % b"", True): (0, 0),
        Response(413, ours % b"", True): (1, 1),
        Response(429, ours % b"", True): (5, 5),
        Response(429, b'{"message":"m","error":"","code":"too_many_failed_logins"}', True): (1, 1),
        Response(429, b"a proxy's", True): (0, 0),
        Response(500, ours % b"", True): (0, 5),
        Response(502, b"a proxy's", True): (0, 5),
        Response(503, ours % b',"received":5', True): (5, 5),
    }
    for response, expected in cases.items():
        requests = RequestCounts()
        requests.count_response(Request(b"", 5), response, 0.001)
        assert (requests.least, requests.most) == expected, response
    requests = RequestCounts()
    requests.count_failure(Request(b"", 5), "timeout", 1.0)
    assert (requests.least, requests.most) == (0, 5)
