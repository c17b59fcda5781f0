"""The requests of a load test, the same ones for the same plan."""

import math
import random
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import NamedTuple, Protocol
from urllib.parse import quote

from eventscache.loadtest.events import made_up_events, read_events
from eventscache.loadtest.plan import LoadPlan
from eventscache.stream import Namespace

_BODIES = 997  # a prime, so that for any number of streams each stream gets all bodies
_MOST_BYTES = 64 * 1024 * 1024
_MALFORMED = b'{"event_type":"pageview","user":{"anonymous_id":'
_ERROR = b'"Unsupported column [local_tz_offset] type changing from: INT64 to: STRING"'


class Request(NamedTuple):
    """The bytes of a request, the number of events and of errors among them, and whether its body is no JSON."""

    data: bytes
    events: int
    errors: int = 0
    malformed: bool = False


class RequestSource(Protocol):
    """Where a load generator takes its requests from."""

    def next(self) -> Request:
        """Return the next request."""


class _Body(NamedTuple):
    tail: bytes  # of the request: the Content-Length header and the body
    events: int
    errors: int


class RequestMaker:
    """Makes requests with a `path` before the routes and a `Host` header. Raises `ConfigError`."""

    def __init__(self, plan: LoadPlan, host: str, path: str = "") -> None:
        self._heads = [_head(plan, host, path, stream) for stream in plan.streams]
        self._bodies = _bodies(plan, read_events(plan.file) if plan.file else None)
        self._malformed = _Body(_tail(_MALFORMED), 1, 0)
        self._malformed_share = plan.malformed
        self._random = random.Random(plan.seed)  # noqa: S311 - repeatable, and no secret
        self._made = 0

    def next(self) -> Request:
        """Return the next request."""
        number, self._made = self._made, self._made + 1
        head = self._heads[number % len(self._heads)]
        if self._malformed_share and self._random.random() < self._malformed_share:
            return Request(head + self._malformed.tail, 1, malformed=True)
        tail, events, errors = self._bodies[number % len(self._bodies)]
        return Request(head + tail, events, errors)


def _head(plan: LoadPlan, host: str, path: str, stream: str) -> bytes:
    secret = f"X-Auth-Token: {stream}\r\n"
    if plan.namespace is Namespace.TOKEN:
        route = "/api/v1/event" if plan.batch == 1 else "/api/v1/events"
    else:
        route = f"/api/v1/events/cache?namespace=destination&id={quote(stream, safe='')}&ack={plan.ack or 'queued'}"
        # An ingest token belongs in the first header, an admin token in the second.
        secret = "".join(f"X-Auth-Token: {token}\r\nAuthorization: Bearer {token}\r\n" for token in plan.tokens)
    return (
        f"POST {path}{route} HTTP/1.1\r\nHost: {host}\r\n{secret}"
        "User-Agent: eventscache-bench\r\nContent-Type: application/json\r\n"
    ).encode()


def _tail(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def _bodies(plan: LoadPlan, originals: Sequence[bytes] | None) -> list[_Body]:
    """Return the bodies that are sent in turn: from a file in its order, or made up."""
    if originals is None:
        most = max(1, min(_BODIES, _MOST_BYTES // (plan.event_bytes * plan.batch)))
        count = most * plan.batch
        events: Iterator[bytes] = made_up_events(count, plan.event_bytes, plan.seed)
    else:
        # The last batch is filled up with the first events, so that it is as large as the others.
        count = math.ceil(len(originals) / plan.batch) * plan.batch
        events = cycle(originals)
    failed = [place < round(count * plan.errors) for place in range(count)]
    random.Random(plan.seed).shuffle(failed)  # noqa: S311 - repeatable, and no secret
    return [
        _body(plan, list(islice(events, plan.batch)), failed[n : n + plan.batch]) for n in range(0, count, plan.batch)
    ]


def _body(plan: LoadPlan, originals: list[bytes], failed: list[bool]) -> _Body:
    elements = originals
    if plan.namespace is Namespace.DESTINATION:
        elements = [
            b'{"original":%b,"error":%b}' % (original, _ERROR) if fails else b'{"original":%b}' % original
            for original, fails in zip(originals, failed, strict=True)
        ]
    body = elements[0] if plan.batch == 1 else b"[" + b",".join(elements) + b"]"
    return _Body(_tail(body), plan.batch, sum(failed))
