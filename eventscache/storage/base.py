"""The storage contract: what a backend is asked, what it answers, and what it promises."""

import abc
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ClassVar, NamedTuple, Self

import msgspec

from eventscache.errors import ConfigError, StorageError
from eventscache.stream import Namespace, Status, Stream

MICROSECONDS = 1_000_000
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


def expiry_seconds(ttl_seconds: int, quota: Quota) -> int:
    """Return how long an idle stream is kept: never so short that a limiter or a writer's answer is lost too early.

    A storage may renew an expiry after an eighth of it has gone, hence the sevenths.
    """
    remembered = -(-2 * quota.window_us // MICROSECONDS) + WRITER_HORIZON_US // MICROSECONDS
    return max(ttl_seconds, -(-8 * remembered // 7))


class Refusal(NamedTuple):
    """That many events were refused by a lease, `age_us` microseconds before the call."""

    age_us: int
    events: int


class Share(msgspec.Struct, frozen=True):
    """What a batch brings to one collection besides its payloads.

    `surplus` events are offered at the same instant, after the payloads, as a mere count: with `size` payloads
    before them none can be admitted. `carried` refusals were refused earlier, by a lease.
    """

    surplus: int = 0
    carried: tuple[Refusal, ...] = ()


class Offer(msgspec.Struct, frozen=True, gc=False):
    """A packed event, opaque to the storage, its status, and the collections that it is offered to."""

    event: bytes
    status: Status
    to_all: bool = True
    to_error: bool = False


class Batch(msgspec.Struct, frozen=True):
    """Events of one stream, offered at one instant, oldest first.

    `writer` names one process incarnation and `number` grows with each of its batches; the two make a batch
    idempotent. `may_displace` tells whether a new stream may push out the least recently active one.
    """

    stream: Stream
    quota: Quota
    writer: str
    number: int
    offers: Sequence[Offer] = ()
    all: Share = Share()
    error: Share = Share()
    may_displace: bool = True


class Verdict(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The first `admitted` of the events offered to a collection were admitted; more may be in `retry_us`."""

    admitted: int
    retry_us: int


class Admission(msgspec.Struct, frozen=True):
    """The answer to a batch; a verdict is None where a collection was offered nothing and carried nothing.

    `at_us` is when it was judged, by the stream's time: no two admissions of a stream overlap, and those that are
    told apart by it took place in its order. `stale` means that a later batch of the same writer was seen: nothing
    was changed, and nothing is known of this one (`at_us` is 0). `other_quota` is the quota of the batch before, if
    it was another: two sidecars are configured apart.
    """

    at_us: int = 0
    all: Verdict | None = None
    error: Verdict | None = None
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


class StorageOptions(msgspec.Struct, frozen=True):
    """What every storage is configured with.

    `prefix` sets data apart that shares one place. `ttl_seconds` is for `expiry_seconds`. `max_streams` may be known
    per namespace; least recently active is the one inserted into longest ago, in the order of inserts. `now` replaces
    the storage's own clock (Unix time in whole microseconds) in tests. `memory_bytes` is for storages that live in
    this process. For those that do not, `timeout_seconds` bounds one try, `pool_size` is how many inserts come at
    once, and beyond `max_memory_percent` of a shared server's memory nothing is written, for the sake of whoever
    shares it.
    """

    prefix: str = "eventscache"
    ttl_seconds: int = 604_800
    max_streams: int = 10_000
    memory_bytes: int = 256 * 1024 * 1024
    timeout_seconds: float = 0.25
    pool_size: int = 10
    max_memory_percent: int = 90
    now: Callable[[], int] | None = None


class Storage(abc.ABC):
    """A place for streams. One instance serves one event loop; several may serve the same data.

    Time is the storage's own clock in whole microseconds and never runs backwards for a stream. The rules of a
    stream are in `eventscache.storage.judge`, which a backend may use.

    Every method raises `StorageUnavailable` if the storage does not answer or cannot be used for now (away, full,
    read-only, not permitted: what passes, or what an operator mends without touching the data), `StorageError` if
    trying again is no use (damaged, of another application), and no exception of a driver. A call that is cancelled
    has been carried out or not, but not by half. Nothing is called before `open` or after `close`; what is under way
    at `close` is finished.

    Whatever something else wrote over the data is left out and counted (`Page.unreadable`); a stream's state that is
    lost or damaged begins anew, after the newest number and time that are left.
    """

    multiprocess: ClassVar[bool] = True
    """Whether storages of several processes, opened with the same URL, serve the same data."""

    @classmethod
    @abc.abstractmethod
    def from_url(cls, url: str, options: StorageOptions) -> Self:
        """Return a closed storage; raise `ConfigError` if the URL is no good. Nothing is contacted yet."""

    async def open(self) -> None:  # noqa: B027 - a storage may have nothing to acquire
        """Acquire what is needed. A storage that is away is not an error here, but at the first call."""

    async def close(self) -> None:  # noqa: B027
        """Release everything; safe to call twice."""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @abc.abstractmethod
    async def ping(self) -> None:
        """Return if the storage can be read."""

    @abc.abstractmethod
    async def insert(self, batch: Batch) -> Admission:
        """Judge a batch and keep what is admitted, in one atomic step: all of it or nothing.

        Books the carried refusals, judges both collections, gives each event that one of them admits the next
        number of the stream, puts it in front, trims the collections that admitted something to `size`, counts what
        was refused, renews the expiry. The same writer and number again get the first answer, `retry_us` less the
        time gone, and change nothing, activity and expiry included. Raises `StreamsExhausted` as `Batch.may_displace`
        says; a stream that has expired always makes room.
        """

    async def insert_many(self, batches: Sequence[Batch]) -> list[Admission | StorageError]:
        """Insert batches of different streams, each atomic by itself; return an answer or a fault for each.

        A storage that is reached over a network can save time by sending them together.
        """
        return [await self._answer(batch) for batch in batches]

    async def _answer(self, batch: Batch) -> Admission | StorageError:
        try:
            return await self.insert(batch)
        except StorageError as fault:
            return fault

    @abc.abstractmethod
    async def fetch(self, stream: Stream, query: Query) -> Page:
        """Return one atomic look at a stream. An unknown stream is an empty page and leaves no trace.

        Numbers in a query may be larger than any sequence number ever is.
        """

    @abc.abstractmethod
    async def streams(self, namespace: Namespace, limit: int | None = None) -> list[StreamInfo]:
        """Return the known streams, most recently active first; no more than `limit` and `max_streams`.

        Where hundreds more than `limit` were active within seconds, a storage may choose some of these.
        """

    @abc.abstractmethod
    async def clear(self, stream: Stream, *, reset: bool = False) -> int:
        """Remove the events and return how many there were; the limiter forgets nothing, unless `reset`.

        Sequence numbers go on either way. What something else wrote over the stream's data is removed as well.
        """

    @abc.abstractmethod
    async def erase(self) -> None:
        """Remove whatever is kept under the prefix, limiters and all. Nobody may write meanwhile."""

    @abc.abstractmethod
    async def trim(self, size: int) -> float:
        """Cut streams to a lowered `size` and drop expired ones, a bounded piece of work per call.

        One pass over all streams is enough for a size: it is the caller's quota, which changes with the process, and
        streams that are written to are cut by `insert`. Stamps stay. Returns the seconds until there may be work
        again: 0 while there is more; infinity for never, after which it is not called any more.
        """
