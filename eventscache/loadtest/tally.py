"""What was offered, and what was answered."""

from collections import Counter

from eventscache.loadtest.answer import Answer
from eventscache.loadtest.latency import Latency
from eventscache.loadtest.traffic import Request

_ACCEPTED = range(200, 300)
_SERVER_FAULTS = 500
_OUR_ERROR = b'"error":""'  # in every error of the sidecar, and hardly in one of a proxy
_WHOLE_BODY = {401, 403, 413, 415}


class Tally:
    """Counts requests and events.

    `least` and `most` are how many events the sidecar must have received: they differ by what nobody answered.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.statuses: Counter[int] = Counter()
        self.unanswered: Counter[str] = Counter()
        self.unsent = 0
        self.unconnected = 0
        self.events = 0
        self.errors = 0
        self.malformed = 0
        self.least = 0
        self.most = 0
        self.latency = Latency()

    @property
    def answers(self) -> int:
        """How many requests were answered."""
        return self.statuses.total()

    @property
    def accepted(self) -> int:
        """How many were answered with a 2xx."""
        return sum(count for status, count in self.statuses.items() if status in _ACCEPTED)

    @property
    def failures(self) -> int:
        """How many were not, though they were no malformed ones on purpose, and how many nobody answered."""
        refused = self.answers - self.accepted
        return max(0, refused - min(self.malformed, self.statuses[400])) + self.unanswered.total()

    def send(self, request: Request) -> None:
        """Count a request that is sent."""
        self.sent += 1
        self.events += request.events
        self.errors += request.errors
        self.malformed += request.malformed

    def answer(self, request: Request, answer: Answer, seconds: float) -> None:
        """Count an answer, and by it the events that were received."""
        self.statuses[answer.status] += 1
        self.latency.record(seconds)
        if answer.status in _ACCEPTED:
            self.least += request.events
            self.most += request.events
        else:
            least, most = _received(request.events, answer)
            self.least += least
            self.most += most

    def lose(self, request: Request, reason: str, seconds: float) -> None:
        """Count a request that nobody answered in that time."""
        self.unanswered[reason] += 1
        self.latency.record(seconds)
        self.most += request.events

    def hold_back(self, seconds: float) -> None:
        """Count a request that was due for so long, and never sent."""
        self.unsent += 1
        self.latency.record(seconds)


def _received(events: int, answer: Answer) -> tuple[int, int]:
    """Return how many events the sidecar counts at least and at most, by an answer that is no 2xx."""
    if _OUR_ERROR not in answer.body:  # a proxy's: it may have passed the request on, and lost the answer
        return 0, events if answer.status >= _SERVER_FAULTS else 0
    if answer.status == 400:  # noqa: PLR2004
        each = events if b'"errors":[' in answer.body else 1  # each record was bad, or the whole body is no JSON
        return each, each
    if answer.status in _WHOLE_BODY or answer.too_many_failures:
        return 1, 1
    if answer.status == 429 or b'"received":' in answer.body:  # noqa: PLR2004
        return events, events
    return 0, events if answer.status >= _SERVER_FAULTS else 0
