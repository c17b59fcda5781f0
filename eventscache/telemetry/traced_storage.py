"""A storage whose calls have spans."""

from collections.abc import Awaitable, Sequence
from typing import NoReturn, TypeVar

from opentelemetry.trace import Span

from eventscache.errors import StorageError, UnknownStream
from eventscache.storage.base import Storage
from eventscache.storage.checkpoints import Checkpoints
from eventscache.storage.messages import Admission, Batch, ExtraInfo, Page, Query, StreamInfo
from eventscache.storage.options import StorageOptions
from eventscache.stream import Namespace, Stream
from eventscache.telemetry.tracing import Tracing, fail

_T = TypeVar("_T")


class TracedStorage(Storage):
    """Does what another storage does. Calls for a request are parts of its trace, inserts have traces of their own."""

    def __init__(self, storage: Storage, tracing: Tracing) -> None:
        self._storage = storage
        self._tracing = tracing

    @classmethod
    def from_url(cls, url: str, options: StorageOptions) -> NoReturn:
        """Raise an error: it has no URLs of its own."""
        raise NotImplementedError

    async def open(self) -> None:
        """Open the storage."""
        await self._storage.open()

    async def close(self) -> None:
        """Close the storage."""
        await self._storage.close()

    async def ping(self) -> None:
        """Ask the storage."""
        await self._read("ping", self._storage.ping())

    async def ready(self) -> None:
        """Ask the storage."""
        await self._read("ready", self._storage.ready())

    @property
    def has_extras(self) -> bool:  # type: ignore[override]
        """Whether the storage keeps extra collections."""
        return self._storage.has_extras

    @property
    def open_breakers(self) -> int:
        """Those of the storage."""
        return self._storage.open_breakers

    @property
    def refusing(self) -> int:
        """Those of the storage."""
        return self._storage.refusing

    async def insert(self, batch: Batch) -> Admission:
        """Insert a batch."""
        span = self._tracing.insert_span("insert")
        return await (_spanned(span, self._storage.insert(batch)) if span else self._storage.insert(batch))

    async def insert_many(self, batches: Sequence[Batch]) -> list[Admission | StorageError]:
        """Insert batches. Its span says how many, and which error the first of them met."""
        span = self._tracing.insert_span("insert_many")
        if span is None:
            return await self._storage.insert_many(batches)
        span.set_attribute("db.operation.batch.size", len(batches))
        span.set_attribute("eventscache.events", sum(len(batch.offers) for batch in batches))
        return await _spanned(span, self._insert_many(span, batches))

    async def _insert_many(self, span: Span, batches: Sequence[Batch]) -> list[Admission | StorageError]:
        answers = await self._storage.insert_many(batches)
        errors = (each for each in answers if isinstance(each, StorageError) and not isinstance(each, UnknownStream))
        if error := next(errors, None):
            fail(span, error)
        return answers

    async def fetch(self, stream: Stream, query: Query) -> Page:
        """Read a page."""
        return await self._read("fetch", self._storage.fetch(stream, query))

    async def extras(self, stream: Stream, kind: str) -> list[ExtraInfo]:
        """Ask the storage."""
        return await self._read("extras", self._storage.extras(stream, kind))

    async def streams(self, namespace: Namespace, limit: int | None = None) -> list[StreamInfo]:
        """Return the known streams."""
        return await self._read("streams", self._storage.streams(namespace, limit))

    async def clear(self, stream: Stream, *, reset: bool = False) -> int:
        """Clear a stream."""
        return await self._read("clear", self._storage.clear(stream, reset=reset))

    async def clear_extra(self, stream: Stream, name: str, *, reset: bool = False) -> int:
        """Clear an extra collection."""
        return await self._read("clear_extra", self._storage.clear_extra(stream, name, reset=reset))

    async def clear_many(self, streams: Sequence[Stream], *, reset: bool = False) -> int:
        """Clear streams."""
        return await self._read("clear_many", self._storage.clear_many(streams, reset=reset))

    def checkpoints(self, source: str) -> Checkpoints:
        """Return those of the storage."""
        return self._storage.checkpoints(source)

    async def erase(self) -> None:
        """Erase the storage."""
        await self._storage.erase()

    async def trim(self, size: int) -> float:
        """Trim the storage."""
        return await self._storage.trim(size)

    async def _read(self, operation: str, call: Awaitable[_T]) -> _T:
        span = self._tracing.read_span(operation)
        return await (_spanned(span, call) if span else call)


async def _spanned(span: Span, call: Awaitable[_T]) -> _T:
    """Return what a call returns, and end its span."""
    try:
        return await call
    except UnknownStream:  # the answer to a question
        raise
    except BaseException as fault:
        fail(span, fault)
        raise
    finally:
        span.end()
