"""Counts of requests, responses and events."""

from collections import Counter

from eventscache.loadtest.latency import LatencyHistogram
from eventscache.loadtest.requests import Request
from eventscache.loadtest.response import Response

_ACCEPTED = range(200, 300)
_SERVER_FAULTS = 500
_SIDECAR_ERROR = b'"error":""'  # in every error response of the sidecar, hardly in one of a proxy
_WHOLE_BODY = {401, 403, 413, 415}


class RequestCounts:
    """Counts of requests and events.

    `least` and `most` bound the events that the sidecar must have received: they differ by requests without a response.
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
        self.latency = LatencyHistogram()

    @property
    def answered(self) -> int:
        """How many requests got a response."""
        return self.statuses.total()

    @property
    def accepted(self) -> int:
        """How many of them got a 2xx."""
        return sum(count for status, count in self.statuses.items() if status in _ACCEPTED)

    @property
    def failures(self) -> int:
        """How many got another status or no response, without those that were malformed on purpose."""
        failed = self.answered - self.accepted
        return max(0, failed - min(self.malformed, self.statuses[400])) + self.unanswered.total()

    def count_sent(self, request: Request) -> None:
        """Count a request."""
        self.sent += 1
        self.events += request.events
        self.errors += request.errors
        self.malformed += request.malformed

    def count_response(self, request: Request, response: Response, seconds: float) -> None:
        """Count a response after that latency, and the events that the sidecar has received by it."""
        self.statuses[response.status] += 1
        self.latency.record(seconds)
        if response.status in _ACCEPTED:
            self.least += request.events
            self.most += request.events
        else:
            least, most = _received(request.events, response)
            self.least += least
            self.most += most

    def count_failure(self, request: Request, reason: str, seconds: float) -> None:
        """Count a request that got no response in that time."""
        self.unanswered[reason] += 1
        self.latency.record(seconds)
        self.most += request.events

    def count_unsent(self, seconds: float) -> None:
        """Count a request that was due for that time, and never sent."""
        self.unsent += 1
        self.latency.record(seconds)


def _received(events: int, response: Response) -> tuple[int, int]:
    """Return how many events the sidecar has received at least and at most, by a response that is no 2xx."""
    if _SIDECAR_ERROR not in response.body:  # a proxy's: it may have forwarded the request, and lost the response
        return 0, events if response.status >= _SERVER_FAULTS else 0
    if response.status == 400:  # noqa: PLR2004
        each = events if b'"errors":[' in response.body else 1  # each record was bad, or the whole body is no JSON
        return each, each
    if response.status in _WHOLE_BODY or response.too_many_failures:
        return 1, 1
    if response.status == 429 or b'"received":' in response.body:  # noqa: PLR2004
        return events, events
    return 0, events if response.status >= _SERVER_FAULTS else 0
