"""The way of an event: when it was received, and what became of it at each destination."""

from collections.abc import Iterable
from typing import NamedTuple

from eventscache.event import Event, Response
from eventscache.query.event_id import event_id
from eventscache.stream import Namespace, Status, Stream
from eventscache.timestamp import parse_time

_MOST_CHARACTERS = 1000  # of a text that says why; all of it is in the entry
_NEVER_US = 2**63


class Step(NamedTuple):
    """One entry on the way of an event; `time_us` is None if its timestamp cannot be read.

    It `has_result` if the destination told what it made of the event.
    """

    stream: Stream
    sequence: int
    event_id: str
    status: Status
    timestamp: str
    time_us: int | None
    uid: str
    error: str
    skip: str
    has_result: bool
    attempt: int | None
    response: Response | None

    @classmethod
    def of(cls, stream: Stream, sequence: int, event: Event) -> "Step":
        """Return an entry as a step, with the beginning of what it says."""
        response = event.response
        return cls(
            stream,
            sequence,
            event_id(event),
            event.status,
            event.timestamp,
            time_us(event),
            event.uid,
            _beginning(event.error),
            _beginning(event.skip),
            bool(event.success),
            event.attempt,
            response and Response(response.status, _beginning(response.body)),
        )

    @property
    def order(self) -> tuple[int, int]:
        """Where a step is among others of its stream: by time, a time that cannot be read last."""
        return _NEVER_US if self.time_us is None else self.time_us, self.sequence


def time_us(event: Event) -> int | None:
    """Return the time of an event in Unix microseconds; None if its timestamp cannot be read."""
    try:
        return parse_time(event.timestamp)
    except (ValueError, OverflowError):
        return None


def _beginning(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + " …"


class Way(NamedTuple):
    """The steps of one event, the first one first: as it was received, and by destination.

    `received` is empty if no token's entry is cached, and has several steps if the event was sent several times.
    """

    event_id: str
    received: list[Step]
    destinations: dict[str, list[Step]]

    @property
    def received_us(self) -> int | None:
        """When the event was received first; None if that is not known."""
        return self.received[0].time_us if self.received else None

    @property
    def began(self) -> tuple[int, int]:
        """Where a way is among others: by its first step."""
        return min(step.order for steps in (self.received, *self.destinations.values()) for step in steps)


def ways(steps: Iterable[Step]) -> list[Way]:
    """Join the steps of each event by its id, the newest event first. Steps without an id are ways of their own."""
    found: dict[object, Way] = {}
    for step in sorted(set(steps), key=lambda step: (step.order, step.stream)):
        way = found.setdefault(step.event_id or (step.stream, step.sequence), Way(step.event_id, [], {}))
        if step.stream.namespace is Namespace.TOKEN:
            way.received.append(step)
        else:
            way.destinations.setdefault(step.stream.id, []).append(step)
    return sorted(found.values(), key=lambda way: way.began, reverse=True)
