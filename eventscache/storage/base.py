"""The storage contract: what the cache asks of a backend, and what a backend promises."""

import abc
import asyncio
from collections.abc import Sequence
from typing import ClassVar, Self

from eventscache.errors import StorageError
from eventscache.storage.checkpoints import Checkpoints, LocalCheckpoints
from eventscache.storage.messages import Admission, Batch, ExtraInfo, Page, Query, StreamInfo
from eventscache.storage.options import StorageOptions
from eventscache.stream import Namespace, Stream


class Storage(abc.ABC):
    """A place for streams. One instance serves one event loop; several instances may serve the same data.

    Time is the storage's own clock in whole microseconds and never runs backwards for a stream. The rules of a stream
    are in `eventscache.storage.stream_state`, which a backend may use.

    Errors: every method raises `StorageUnavailable` while the storage does not answer or cannot be used (away, full,
    read-only, not permitted: it passes, or an operator repairs it without touching the data), best as `StorageRefused`
    if the storage itself said so; and `StorageError` if trying again does not help (data that is damaged or of another
    application). No exception of a driver gets out.

    A cancelled call was carried out completely or not at all. No method is called before `open` or after `close`;
    calls in progress at `close` are finished.

    Data that something else overwrote is left out and counted (`Page.unreadable`); a stream's state that is lost or
    damaged begins anew, after the newest number and time that are left.
    """

    multiprocess: ClassVar[bool] = True
    """Whether storages of several processes, opened with the same URL, serve the same data."""

    has_extras: bool = False
    """Whether it keeps extra collections. If not, no batch and no query names one."""

    @classmethod
    @abc.abstractmethod
    def from_url(cls, url: str, options: StorageOptions) -> Self:
        """Return a closed storage without contacting anything; raise `ConfigError` if the URL cannot be used."""

    async def open(self) -> None:  # noqa: B027 - a storage may have nothing to acquire
        """Acquire resources. A backend that is away is no error here, but at the first call."""

    async def close(self) -> None:  # noqa: B027
        """Release all resources; safe to call twice."""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @abc.abstractmethod
    async def ping(self) -> None:
        """Return if the storage can be read."""

    async def ready(self) -> None:
        """Return if the storage can be read and written, without writing to find out; by default, if it can be read."""
        await self.ping()

    @property
    def open_breakers(self) -> int:
        """How many servers behind it are not called now, because they failed; by default 0."""
        return 0

    @property
    def refusing(self) -> int:
        """How many servers behind it answer, but take no events now; by default 0."""
        return 0

    @abc.abstractmethod
    async def insert(self, batch: Batch) -> Admission:
        """Decide which events of a batch are admitted, and store those: one atomic step, all of it or nothing.

        Counts the events that were limited earlier, decides for each collection by itself, gives each event that one of
        them admitted the next number of the stream, stores it in front, trims the collections that admitted something
        to their `size`, counts the limited events, renews the expiry. The same writer and number again get the first
        answer, `retry_after_us` less the time since, and change nothing, activity and expiry included. Raises
        `TooManyStreams` and `UnknownStream` as described at `Batch`; an expired stream always makes room, and is new.
        """

    async def insert_many(self, batches: Sequence[Batch]) -> list[Admission | StorageError]:
        """Insert batches of different streams, each atomic by itself; return an answer or an error for each.

        A storage behind a network can save time by sending them together.
        """
        return [await self._insert_one(batch) for batch in batches]

    async def _insert_one(self, batch: Batch) -> Admission | StorageError:
        try:
            return await self.insert(batch)
        except StorageError as error:
            return error

    @abc.abstractmethod
    async def fetch(self, stream: Stream, query: Query) -> Page:
        """Return a page of a stream, read in one atomic step; an unknown stream is an empty page and leaves no trace.

        Numbers in a query may be larger than any sequence number.
        """

    async def extras(self, stream: Stream, kind: str) -> list[ExtraInfo]:  # noqa: ARG002
        """Return the extra collections of a kind that a stream has, the most recently active first."""
        return []

    async def clear_extra(self, stream: Stream, name: str, *, reset: bool = False) -> int:  # noqa: ARG002
        """Remove the events of an extra collection, and no others; return how many there were.

        It counts what it is offered from 0 again. Its limiter keeps its state unless `reset`.
        """
        return 0

    @abc.abstractmethod
    async def streams(self, namespace: Namespace, limit: int | None = None) -> list[StreamInfo]:
        """Return the known streams, most recently active first, at most `limit` and at most `max_streams`.

        If hundreds more than `limit` were active within seconds, a storage may choose some of them.
        """

    @abc.abstractmethod
    async def clear(self, stream: Stream, *, reset: bool = False) -> int:
        """Remove the events and return how many there were. The limiters keep their state unless `reset`.

        Sequence numbers continue either way. Data that something else wrote over the stream's is removed too.
        """

    async def clear_many(self, streams: Sequence[Stream], *, reset: bool = False) -> int:
        """Clear streams, each as `clear` does, and return how many events there were in all.

        After an error some are cleared, and the call may be repeated. A storage behind a network can save time by
        sending them together.
        """
        cleared = 0
        for stream in streams:
            cleared += await self.clear(stream, reset=reset)
            await asyncio.sleep(0)  # a storage that never waits would let no other task run
        return cleared

    def checkpoints(self, source: str) -> Checkpoints:  # noqa: ARG002
        """Return where a source keeps its lease and how far it has read.

        By default that is the memory of this process: a storage that is shared keeps it beside the events, so that one
        process at a time brings each event.
        """
        return LocalCheckpoints()

    @abc.abstractmethod
    async def erase(self) -> None:
        """Remove everything under the prefix, limiters included. No one may write meanwhile."""

    @abc.abstractmethod
    async def trim(self, size: int) -> float:
        """Trim streams to a lowered `size` and drop expired ones; do a bounded amount of work per call.

        One pass over all streams is enough for a size: it is the caller's quota, which changes only with the process,
        and `insert` trims the streams that are written to. The admission logs stay. Returns the seconds until there
        may be work again: 0 while there is more; infinity for never, after which it is not called again.
        """
