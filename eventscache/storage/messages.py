"""What goes into a storage and comes out of it: plain values, the same for every backend."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from eventscache.clock import MICROSECONDS
from eventscache.errors import ConfigError
from eventscache.stream import Status, Stream

WRITER_HORIZON_US = 300 * MICROSECONDS
"""How long a storage remembers the last answer it gave to a writer, unless `MAX_WRITERS` others wrote since."""
MAX_WRITERS = 100
"""Of how many writers of a stream it does: the ones heard last."""
LIMITED_SECONDS = 60
"""How far back `Page.limited` counts."""
_MAX_EXACT = 2**52  # scripts inside a storage may know no integers but doubles


class Quota(msgspec.Struct, frozen=True):
    """A collection keeps `size` events and admits at most `size` in any `window_us` microseconds."""

    size: int
    window_us: int

    def __post_init__(self) -> None:
        if self.size < 1 or self.window_us < 1:
            raise ConfigError("a quota needs a size and a time window of at least 1")
        if self.size * self.window_us > _MAX_EXACT:
            raise ConfigError(f"size times time window in microseconds is over 2^52: {self.size * self.window_us}")


class LimitedCount(NamedTuple):
    """That many events were refused by a lease, `age_us` microseconds before the call."""

    age_us: int
    events: int


class Unsent(msgspec.Struct, frozen=True):
    """What a batch brings to one collection besides its payloads.

    `surplus` events are offered at the same instant, after the payloads, as a mere count: with `size` payloads
    before them none can be admitted. `limited_earlier` refusals were refused earlier, by a lease.
    """

    surplus: int = 0
    limited_earlier: tuple[LimitedCount, ...] = ()


class Offer(msgspec.Struct, frozen=True, gc=False):
    """A packed event, opaque to the storage, its status, and the collections that it is offered to."""

    event: bytes
    status: Status
    to_all: bool = True
    to_error: bool = False


class Batch(msgspec.Struct, frozen=True):
    """Events of one stream, offered at one instant, oldest first.

    `writer` names one process incarnation and `number` grows with each of its batches; the two make a batch
    idempotent. `may_evict` tells whether a new stream may push out the least recently active one.
    """

    stream: Stream
    quota: Quota
    writer: str
    number: int
    offers: Sequence[Offer] = ()
    all: Unsent = Unsent()
    error: Unsent = Unsent()
    may_evict: bool = True


class Decision(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The first `admitted` of the events offered to a collection were admitted; more may be in `retry_after_us`."""

    admitted: int
    retry_after_us: int


class Admission(msgspec.Struct, frozen=True):
    """The answer to a batch; a verdict is None where a collection was offered nothing and carried nothing.

    `at_us` is when it was judged, by the stream's time: no two admissions of a stream overlap, and those that are
    told apart by it took place in its order. `stale` means that a later batch of the same writer was seen: nothing
    was changed, and nothing is known of this one (`at_us` is 0). `other_quota` is the quota of the batch before, if
    it was another: two sidecars are configured apart.
    """

    at_us: int = 0
    all: Decision | None = None
    error: Decision | None = None
    stale: bool = False
    other_quota: Quota | None = None

    def placed(self, offers: Iterable[Offer]) -> Iterator[tuple[bool, bool]]:
        """Yield for each offer of the batch whether `all` and whether `error` admitted it: the first ones did."""
        all_left = self.all.admitted if self.all else 0
        error_left = self.error.admitted if self.error else 0
        for offer in offers:
            in_all, in_error = offer.to_all and all_left > 0, offer.to_error and error_left > 0
            all_left -= in_all
            error_left -= in_error
            yield in_all, in_error


UNLIMITED = 2**31
"""As `Query.limit`: more events than a stream ever has."""


class Query(NamedTuple):
    """Which events a reader wants: status `error` reads the error collection, all else the other one.

    `before` and `after` are exclusive sequence numbers; `limit` is at least 0.
    """

    status: Status | None = None
    before: int | None = None
    after: int | None = None
    limit: int = 100

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
    """`entries`, newest first, out of `total` that have the status asked for; `limited` in the last minute.

    `unreadable` entries of this look were left out, because something else wrote over them.
    """

    entries: list[Entry]
    total: int
    limited: int
    unreadable: int = 0


class StreamInfo(NamedTuple):
    """A known stream, and the time of the last batch for it by the storage's clock: not held back, as a stream's is.

    `total` events are in the collection of all, `errors` in the other one.
    """

    stream: Stream
    last_active_us: int
    total: int
    errors: int
