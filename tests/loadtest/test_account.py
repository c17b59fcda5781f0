"""Whether a ledger adds up."""

from eventscache.cache import EventsCache
from eventscache.loadtest.account import Account, Counts
from eventscache.loadtest.answer import Answer
from eventscache.loadtest.tally import Tally
from eventscache.loadtest.traffic import Request
from eventscache.metrics.prometheus import Metrics
from eventscache.metrics.snapshot import MetricsSnapshot
from eventscache.storage.memory import MemoryStorage


def counts(received: int, *, stored: int = 0, queued: int = 0, dropped: int = 0) -> Counts:
    return Counts(received, stored, 0, 0, queued, {"queue_full": dropped})


async def test_the_metrics_are_understood() -> None:
    cache = EventsCache(MemoryStorage())
    ledger = cache.ledger
    ledger.received, ledger.stored, ledger.limited, ledger.rejected, ledger.queued = 15_000_000, 2, 3, 4, 5
    ledger.dropped["unconfirmed"] = 6
    parsed = Counts.parse(Metrics(lambda: MetricsSnapshot.of(cache)).render().decode())
    assert parsed
    assert parsed[:5] == (15_000_000, 2, 3, 4, 5)
    assert parsed.since(counts(0))[5] == {"unconfirmed": 6}
    assert parsed.settled == 15
    assert Counts.parse("go_goroutines 7\n") is None


def test_what_was_offered_and_settled_adds_up() -> None:
    assert Account(10, 10, counts(10, stored=7, dropped=3), queued=0).faults == []
    assert Account(8, 12, counts(10, stored=10), queued=0).faults == []


def test_every_difference_is_told() -> None:
    cases = [
        (Account(10, 10, counts(9, stored=9), 0), "received 9 is less than the 10 offered"),
        (
            Account(8, 10, counts(11, stored=11), 0),
            "received 11 is more than the 8 to 10 offered: others may have sent",
        ),
        (Account(10, 10, counts(10, stored=8, queued=2), 2), "2 events are still queued"),
        (Account(10, 10, counts(10, stored=8), 0), "8 settled and 0 queued are not 10 received"),
        (Account(10, 10, counts(-5, stored=-5), 0), "the counters went back: the server was started anew"),
    ]
    for account, fault in cases:
        assert account.faults == [fault]


def test_an_answer_tells_how_many_events_were_received() -> None:
    ours = b'{"message":"","error":""%b}'
    cases = {
        Answer(200, b"", True): (5, 5),
        Answer(400, ours % b"", True): (1, 1),
        Answer(400, ours % b',"errors":[]', True): (5, 5),
        Answer(401, ours % b"", True): (1, 1),
        Answer(404, ours % b"", True): (0, 0),
        Answer(413, ours % b"", True): (1, 1),
        Answer(429, ours % b"", True): (5, 5),
        Answer(429, b'{"message":"m","error":"","code":"too_many_failed_logins"}', True): (1, 1),
        Answer(429, b"a proxy's", True): (0, 0),
        Answer(500, ours % b"", True): (0, 5),
        Answer(502, b"a proxy's", True): (0, 5),
        Answer(503, ours % b',"received":5', True): (5, 5),
    }
    for answer, expected in cases.items():
        tally = Tally()
        tally.answer(Request(b"", 5), answer, 0.001)
        assert (tally.least, tally.most) == expected, answer
    tally = Tally()
    tally.lose(Request(b"", 5), "timeout", 1.0)
    assert (tally.least, tally.most) == (0, 5)
