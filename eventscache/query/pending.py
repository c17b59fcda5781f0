"""What is still pending for an event: destinations that other events of its token reached."""

from collections.abc import Mapping, Set
from typing import NamedTuple

from eventscache.query.way import Way
from eventscache.stream import Status


class Reached(NamedTuple):
    """What is cached of a destination: the ids of its events, and the time of its oldest one if older ones are gone."""

    event_ids: Set[str]
    oldest_us: int | None = None


class Pending(NamedTuple):
    """A destination that has no entry of an event which was received at `since_us`.

    With `may_be_gone` it had one, perhaps: its cached events are all younger.
    """

    destination_id: str
    since_us: int | None
    may_be_gone: bool


def pending(way: Way, of_tokens: Mapping[str, Set[str]], destinations: Mapping[str, Reached]) -> list[Pending]:
    """Return what is pending for an event; `of_tokens` has the ids of the events of each token.

    Nothing is, if it was not received as an event that is to be delivered. Which destinations a token has is inferred:
    those with an event of the same token. One that never took an event, or whose events are gone, is not found.
    """
    delivered = [step for step in way.received if step.status is Status.SUCCESS]
    if not delivered:
        return []
    event_ids: set[str] = set()
    for step in delivered:
        event_ids |= of_tokens.get(step.stream.id, set())
    event_ids.discard(way.event_id)
    since_us = delivered[0].time_us
    return [
        Pending(
            destination_id,
            since_us,
            since_us is not None and reached.oldest_us is not None and reached.oldest_us > since_us,
        )
        for destination_id, reached in sorted(destinations.items())
        if destination_id not in way.destinations and not event_ids.isdisjoint(reached.event_ids)
    ]
