"""A writer for tests: one run of one process, which writes to one stream."""

import itertools
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from eventscache.clock import MICROSECONDS
from eventscache.errors import StorageError
from eventscache.storage.base import Storage
from eventscache.storage.messages import Admission, Batch, Extra, Offer, Page, Query, Quota, Unsent
from eventscache.stream import Stream

DEFAULT_QUOTA = Quota(size=10, window_us=60 * MICROSECONDS)


class Writer:
    """Numbers the batches of one stream as a process does, and inserts them."""

    def __init__(self, storage: Storage, stream: Stream, quota: Quota = DEFAULT_QUOTA) -> None:
        self.storage = storage
        self.stream = stream
        self.quota = quota
        self._name = secrets.token_hex(8)
        self._numbers = itertools.count(1)

    def batch(
        self,
        offers: Iterable[Offer] = (),
        *,
        all: Unsent = Unsent(),
        error: Unsent = Unsent(),
        trusted: bool = True,
        may_begin: bool = True,
        extras: Mapping[str, Extra] | None = None,
    ) -> Batch:
        """Return the next batch."""
        return Batch(
            self.stream,
            self.quota,
            self._name,
            next(self._numbers),
            tuple(offers),
            all,
            error,
            trusted,
            may_begin,
            extras or {},
        )

    async def insert(self, offers: Iterable[Offer] = (), **batch: Any) -> Admission:
        """Insert the next batch; the keywords are those of `batch`."""
        return await self.storage.insert(self.batch(offers, **batch))

    async def fetch(self, **query: Any) -> Page:
        """Fetch the stream; the keywords are the fields of a `Query`."""
        return await self.storage.fetch(self.stream, Query(**query))


def admission_of(answer: Admission | StorageError) -> Admission:
    """Return an answer of `insert_many`, or raise it if it is an error."""
    if isinstance(answer, StorageError):
        raise answer
    return answer
