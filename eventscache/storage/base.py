"""The storage contract: what a backend is asked, and what it promises."""

import abc
from collections.abc import Sequence
from typing import ClassVar, Self

from eventscache.errors import StorageError
from eventscache.storage.messages import Admission, Batch, Page, Query, StreamInfo
from eventscache.storage.options import StorageOptions
from eventscache.stream import Namespace, Stream


class Storage(abc.ABC):
    """A place for streams. One instance serves one event loop; several may serve the same data.

    Time is the storage's own clock in whole microseconds and never runs backwards for a stream. The rules of a
    stream are in `eventscache.storage.stream_state`, which a backend may use.

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
        was refused, renews the expiry. The same writer and number again get the first answer, `retry_after_us` less the
        time gone, and change nothing, activity and expiry included. Raises `TooManyStreams` as `Batch.may_evict`
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
