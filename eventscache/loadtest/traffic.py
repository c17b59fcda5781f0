"""The requests of a load test: the same ones for the same plan."""

import math
import random
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from eventscache.errors import ConfigError
from eventscache.loadtest.plan import Plan
from eventscache.stream import Namespace

_BODIES = 997  # a prime, so that no number of streams makes a stream meet the same bodies again and again
_MOST_BYTES = 64 * 1024 * 1024
_MALFORMED = b'{"event_type":"pageview","user":{"anonymous_id":'
_ERROR = b'"Unsupported column [local_tz_offset] type changing from: INT64 to: STRING"'
_LETTERS = "abcdefghijklmnopqrstuvwxyz     "


class Request(NamedTuple):
    """The bytes of a request, and what is in it: events, or no JSON at all."""

    data: bytes
    events: int
    errors: int = 0
    malformed: bool = False


class _Body(NamedTuple):
    tail: bytes  # of the request, from the length of the body on
    events: int
    errors: int


class Traffic:
    """Makes requests to a `path` in front of the routes, for the `host` of the target. Raises `ConfigError`."""

    def __init__(self, plan: Plan, host: str, path: str = "") -> None:
        self._heads = [_head(plan, host, path, stream) for stream in plan.streams]
        self._bodies = _bodies(plan, _read(plan.file) if plan.file else None)
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


def _head(plan: Plan, host: str, path: str, stream: str) -> bytes:
    secret = f"X-Auth-Token: {stream}\r\n"
    if plan.namespace is Namespace.TOKEN:
        route = "/api/v1/event" if plan.batch == 1 else "/api/v1/events"
    else:
        route = f"/api/v1/events/cache?namespace=destination&id={quote(stream, safe='')}&ack={plan.ack or 'queued'}"
        # An ingest token belongs into the one header, an admin token into the other.
        secret = "".join(f"X-Auth-Token: {token}\r\nAuthorization: Bearer {token}\r\n" for token in plan.tokens)
    return (
        f"POST {path}{route} HTTP/1.1\r\nHost: {host}\r\n{secret}"
        "User-Agent: eventscache-bench\r\nContent-Type: application/json\r\n"
    ).encode()


def _tail(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def _bodies(plan: Plan, originals: Sequence[bytes] | None) -> list[_Body]:
    """Return bodies that are sent in turn: those of a file in its order, or made up."""
    if originals is None:
        most = max(1, min(_BODIES, _MOST_BYTES // (plan.event_bytes * plan.batch)))
        count = most * plan.batch
        events: Iterator[bytes] = made_up_events(count, plan.event_bytes, plan.seed)
    else:
        # The last batch goes on with the first events, to be as large as the others.
        count = math.ceil(len(originals) / plan.batch) * plan.batch
        events = cycle(originals)
    failed = [place < round(count * plan.errors) for place in range(count)]
    random.Random(plan.seed).shuffle(failed)  # noqa: S311 - as above
    return [
        _body(plan, list(islice(events, plan.batch)), failed[n : n + plan.batch]) for n in range(0, count, plan.batch)
    ]


def _body(plan: Plan, originals: list[bytes], failed: list[bool]) -> _Body:
    elements = originals
    if plan.namespace is Namespace.DESTINATION:
        elements = [
            b'{"original":%b,"error":%b}' % (original, _ERROR) if fails else b'{"original":%b}' % original
            for original, fails in zip(originals, failed, strict=True)
        ]
    body = elements[0] if plan.batch == 1 else b"[" + b",".join(elements) + b"]"
    return _Body(_tail(body), plan.batch, sum(failed))


def made_up_events(count: int, size: int, seed: int) -> Iterator[bytes]:
    """Yield events as a page would send them, of exactly that many bytes; the smallest has 11."""
    chance = random.Random(seed)  # noqa: S311 - as above
    text = "".join(chance.choices(_LETTERS, k=2 * size))
    for _ in range(count):
        page, user = chance.randrange(1000), chance.randrange(36**6)
        event = (
            f'{{"event_type":"{chance.choice(("pageview", "click", "conversion"))}","src":"jitsu",'
            f'"url":"https://example.com/page/{page}","user":{{"anonymous_id":"{user:09x}"}},'
            '"utc_time":"2026-01-01T00:00:00.000000Z","local_tz_offset":-180,"user_language":"en-US","text":"'
        )
        if len(event) + 2 > size:
            event = '{"text":"'
        start, length = chance.randrange(size), size - len(event) - 2
        yield f'{event}{text[start : start + length]}"}}'.encode()


def _read(file: Path) -> list[bytes]:
    """Return the events of a JSON array or of lines of JSON, byte for byte."""
    try:
        data = file.read_bytes().strip()
    except OSError as fault:
        raise ConfigError(f"--file: {file} cannot be read: {fault.strerror}") from None
    try:
        if data.startswith(b"["):
            events = [bytes(event) for event in msgspec.json.decode(data, type=list[msgspec.Raw])]
        else:
            events = [line for line in data.split(b"\n") if line.strip()]
        for event in events:
            msgspec.json.decode(event, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise ConfigError(f"--file: {file} is neither a JSON array of objects nor an object a line: {fault}") from None
    if not events:
        raise ConfigError(f"--file: {file} holds no events")
    return events
