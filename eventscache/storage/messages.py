"""The values that go into a storage and come out of it, the same for every backend."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Self

import msgspec

from eventscache.clock import MICROSECONDS
from eventscache.errors import ConfigError
from eventscache.stream import Status, Stream

WRITER_HORIZON_US = 300 * MICROSECONDS
"""How long a storage remembers its last answer to a writer, unless `MAX_WRITERS` others wrote to the stream since."""
MAX_WRITERS = 100
"""For how many writers of a stream a storage remembers its last answer: those that wrote last."""
LIMITED_SECONDS = 60
"""How far back `Page.limited` counts, in seconds."""
PERIOD_US = 300 * MICROSECONDS
"""How long a period is in which an extra collection counts what it is offered (`ExtraInfo.recent`)."""
_MAX_EXACT = 2**52  # scripts inside a storage may have doubles as their only numbers


class Quota(msgspec.Struct, frozen=True):
    """A collection keeps `size` events and admits at most `size` in any `window_us` microseconds."""

    size: int
    window_us: int

    def __post_init__(self) -> None:
        if self.size < 1 or self.window_us < 1:
            raise ConfigError("a quota needs a size and a time window of at least 1")
        if self.size * self.window_us > _MAX_EXACT:
            raise ConfigError(f"size times time window in microseconds is over 2^52: {self.size * self.window_us}")

    @classmethod
    def at_most(cls, size: int, window_us: int) -> Self:
        """Return the quota of a size, or of a smaller one where the time window is too long for that."""
        return cls(min(size, _MAX_EXACT // window_us), window_us)

    @classmethod
    def without_limit(cls, size: int) -> Self:
        """Return a quota that limits nothing: a batch of `size` events is admitted whole, and so is the next one."""
        return cls(size, 1)

    @property
    def limits(self) -> bool:
        """Whether this quota limits anything."""
        return self.window_us > 1


class LimitedCount(NamedTuple):
    """How many events a cooldown limited in one process, `age_us` microseconds before the call."""

    age_us: int
    events: int


class Unsent(msgspec.Struct, frozen=True):
    """Events that reach one collection as counts, without payloads.

    `surplus` events are offered at the same instant, after the payloads: with `size` payloads before them none can
    be admitted. `limited_earlier` counts events that a cooldown limited before the batch was sent.
    """

    surplus: int = 0
    limited_earlier: tuple[LimitedCount, ...] = ()


class Offer(msgspec.Struct, frozen=True, gc=False):
    """A packed event, which is opaque to the storage, its status, and the collections that it is offered to."""

    event: bytes
    status: Status
    to_all: bool = True
    to_error: bool = False


class Extra(msgspec.Struct, frozen=True):
    """What a batch brings for an extra collection: one besides `all` and `error`, such as that of one event type.

    `offered` are the indexes of those offers of the batch that it is offered, ascending; with none, and none limited
    earlier, there is nothing to decide, and nothing changes. A stream has at most `most` extra collections of a kind,
    which is the part of their names before the first colon: a new one takes the place of the least recently active
    one. So a batch has at most `most` of a kind. One that the stream does not have begins only if it is offered some
    now: counts alone are forgotten.
    """

    quota: Quota
    most: int
    offered: Sequence[int] = ()
    unsent: Unsent = Unsent()


class Batch(msgspec.Struct, frozen=True):
    """Events of one stream, offered at one instant, oldest first; `extras` are for extra collections, by name.

    `writer` names one run of one process, and `number` grows with each of its batches: the two make a batch
    idempotent, like Kafka's producer id and sequence.

    A batch is `trusted` if somebody known vouches for its stream, and so is a stream from its first trusted batch on.
    If there are `max_streams` already, a trusted new stream evicts the least recently active one, and another one
    raises `TooManyStreams`. A storage that is bounded in bytes evicts streams that are not trusted before those that
    are, and none that is trusted for one that is not. A new stream raises `UnknownStream` unless the batch `may_begin`
    one.
    """

    stream: Stream
    quota: Quota
    writer: str
    number: int
    offers: Sequence[Offer] = ()
    all: Unsent = Unsent()
    error: Unsent = Unsent()
    trusted: bool = True
    may_begin: bool = True
    extras: Mapping[str, Extra] = {}


class Decision(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The limiter admitted the first `admitted` of the events offered, and may admit more in `retry_after_us`."""

    admitted: int
    retry_after_us: int


class Admission(msgspec.Struct, frozen=True):
    """The answer to a batch; a decision is None if its collection was offered nothing and had nothing limited earlier.

    `extras` has a decision for each extra collection of the batch, in its order, unless it is stale.

    `at_us` is the stream's time of the decisions. The batches of a stream are decided one after another;
    a later decision never has an earlier time. `stale` means that a later batch of the same writer was
    applied already: nothing was changed, and nothing is known about this one (`at_us` is 0). `other_quota` is the
    quota of the previous batch if it differs: two sidecars have different settings.
    """

    at_us: int = 0
    all: Decision | None = None
    error: Decision | None = None
    stale: bool = False
    other_quota: Quota | None = None
    extras: Mapping[str, Decision] = {}

    def placed(self, offers: Iterable[Offer]) -> Iterator[tuple[bool, bool]]:
        """Yield for each offer of the batch whether `all` and whether `error` admitted it: each admits the first."""
        all_left = self.all.admitted if self.all else 0
        error_left = self.error.admitted if self.error else 0
        for offer in offers:
            in_all, in_error = offer.to_all and all_left > 0, offer.to_error and error_left > 0
            all_left -= in_all
            error_left -= in_error
            yield in_all, in_error

    def in_extras(self, batch: Batch) -> dict[int, list[str]]:
        """Return by the index of an offer the extra collections that admitted it; each admits the first ones."""
        found: dict[int, list[str]] = {}
        for name, decision in self.extras.items():
            for index in batch.extras[name].offered[: decision.admitted]:
                found.setdefault(index, []).append(name)
        return found


def kind_of(extra: str) -> str:
    """Return the kind of an extra collection, from its name."""
    return extra.partition(":")[0]


UNLIMITED = 2**31
"""As `Query.limit`: more events than a stream ever has."""


class Query(NamedTuple):
    """Which events a reader wants: status `error` reads the collection `error`, everything else reads `all`.

    With the name of an `extra` collection that one is read, with any status; it counts no limited events.

    `before` and `after` are exclusive sequence numbers; `limit` is at least 0. `containing` asks for those events
    alone whose bytes hold these bytes somewhere. A storage may ignore it: then the page has other events too, up to
    the limit. So the reader looks at each event itself, and reads on after a page that is full.
    """

    status: Status | None = None
    before: int | None = None
    after: int | None = None
    limit: int = 100
    containing: bytes = b""
    extra: str = ""

    def spans(self, sequence: int) -> bool:
        """Whether a sequence number lies between `after` and `before`."""
        return (self.before is None or sequence < self.before) and (self.after is None or sequence > self.after)


class Entry(NamedTuple):
    """A cached event with its sequence number and the time it was admitted, in microseconds."""

    sequence: int
    admitted_us: int
    status: Status
    event: bytes


class Page(NamedTuple):
    """Some `entries`, newest first, of the `total` events with the status of the query, whatever they contain.

    `limited` events were limited in the last minute. `unreadable` entries of this page were left out, because
    something else overwrote them.
    """

    entries: list[Entry]
    total: int
    limited: int
    unreadable: int = 0


class ExtraInfo(NamedTuple):
    """An extra collection of a stream that was offered events since the stream was cleared.

    It holds `total` events; `offered` counts all, also those that it did not admit, from `first_us` to `last_us` by the
    stream's time. Time is divided into periods of `PERIOD_US`, which begin at its multiples: `recent` counts those of
    the period of `last_us`, `earlier` those of the period before it.
    """

    name: str
    total: int
    offered: int
    first_us: int
    last_us: int
    recent: int
    earlier: int


class StreamInfo(NamedTuple):
    """A known stream with `total` events in `all` and `errors` in `error`.

    `last_active_us` is the time of its last batch by the storage's clock, which may step back, unlike a stream's.
    """

    stream: Stream
    last_active_us: int
    total: int
    errors: int
