"""The traffic of the shop: steady, with quiet times, and with bursts that the limiter limits."""

import json
import uuid
from collections.abc import Iterator
from random import Random

from eventscache.demo.originals import APP, BILLING, SHOP, Original, Originals
from eventscache.demo.outcomes import Outcomes
from eventscache.event import Event
from eventscache.stream import Namespace, Stream
from eventscache.timestamp import format_time

Record = tuple[Stream, Event]

CYCLE_SECONDS = 120
_QUIET = range(70, 90)
_BURST = range(98, 102)
_QUIET_SHARE = 0.08
_BURST_PER_SECOND = 70.0
_PER_SECOND = {SHOP: 0.55, APP: 0.3, BILLING: 0.1}
_MALFORMED_SHARE = 0.02
_PROCESSING_US = 40_000
_MICROSECONDS = 1_000_000


class ShopTraffic:
    """The records of one span of time after the other, the same for the same seed."""

    def __init__(self, seed: int, start_us: int) -> None:
        self._random = Random(seed)  # noqa: S311 - nothing here is secret
        self._originals = Originals(self._random)
        self._outcomes = Outcomes(self._random)
        self._start_us = start_us
        self._due_us = {token: start_us + self._pause_us(token, start_us) for token in _PER_SECOND}

    def records_until(self, end_us: int) -> Iterator[tuple[int, list[Record]]]:
        """Yield the time of each event before `end_us`, in order, with the records of the event and of its results."""
        while True:
            token, due_us = min(self._due_us.items(), key=lambda item: item[1])
            if due_us >= end_us:
                return
            self._due_us[token] = due_us + self._pause_us(token, due_us)
            yield due_us, [*self._records(token, due_us)]

    def _pause_us(self, token: str, time_us: int) -> int:
        """Return the time to the next event, drawn second by second from the rate of each second."""
        waited_us = 0
        while True:
            rate = self._rate(token, time_us + waited_us)
            pause_us = int(self._random.expovariate(rate) * _MICROSECONDS)
            if pause_us < _MICROSECONDS:
                return waited_us + max(1, pause_us)
            waited_us += _MICROSECONDS

    def _rate(self, token: str, time_us: int) -> float:
        second = (time_us - self._start_us) // _MICROSECONDS % CYCLE_SECONDS
        if second in _QUIET:
            return _PER_SECOND[token] * _QUIET_SHARE
        if token == APP and second in _BURST:
            return _BURST_PER_SECOND
        return _PER_SECOND[token]

    def _records(self, token: str, time_us: int) -> Iterator[Record]:
        original = self._original(token, time_us)
        text = _json(original)
        source = Stream(Namespace.TOKEN, token)
        if token != BILLING and self._random.random() < _MALFORMED_SHARE:
            cut = text[: self._random.randint(20, len(text) // 2)].decode(errors="ignore")
            reason = "error parsing HTTP body: unexpected EOF"
            yield self._record(source, time_us, malformed=cut, error=reason)
            return
        yield self._record(source, time_us, original=text)
        for destination, given, outcome in self._outcomes.of(original):
            yield self._record(
                Stream(Namespace.DESTINATION, destination),
                time_us + _PROCESSING_US,
                original=_json(given),
                success=_json(outcome.success) if outcome.success else b"",
                error=outcome.error,
                skip=outcome.skip,
            )

    def _original(self, token: str, time_us: int) -> Original:
        if token == SHOP:
            return self._originals.shop_event(time_us)
        return self._originals.app_event(time_us) if token == APP else self._originals.billing_event(time_us)

    def _record(self, stream: Stream, time_us: int, **fields: str | bytes) -> Record:
        uid = uuid.UUID(int=self._random.getrandbits(128), version=4)
        return stream, Event.of(stream, timestamp=format_time(time_us), uid=str(uid), **fields)


def _json(value: dict[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
