"""`SqliteStorage`: the storage contract, in transactions on one file."""

import math
import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self
from urllib.parse import unquote

from eventscache.clock import MICROSECONDS
from eventscache.errors import ConfigError, UnknownStream
from eventscache.storage.base import Storage
from eventscache.storage.messages import Admission, Batch, Page, Query, StreamInfo
from eventscache.storage.options import StorageOptions, expiry_seconds
from eventscache.storage.stream_state import StreamState
from eventscache.stream import Namespace, Stream

from eventscache_sqlite.database import Database
from eventscache_sqlite.streams import Streams

_URL = re.compile(r"[^:]+:///[^?#]+")  # a text between the second slash and the third would be a host


def _unix_us() -> int:
    return time.time_ns() // 1000


class SqliteStorage(Storage):
    """Keeps streams in one SQLite file, for all processes of one machine that open it."""

    def __init__(self, path: Path, options: StorageOptions | None = None) -> None:
        self._options = options or StorageOptions()
        self._now: Callable[[], int] = self._options.now or _unix_us
        self._database = Database(path, self._options.timeout_seconds)
        self._trimmed_size: float = math.inf
        self._trimmed_after: int | None = None

    @classmethod
    def from_url(cls, url: str, options: StorageOptions) -> Self:
        """Return a closed storage for `sqlite:///relative.db` or `sqlite:////absolute/path.db`, percent-encoded."""
        path = unquote(url.partition(":///")[2])
        if not _URL.fullmatch(url) or "\0" in path:
            raise ConfigError("a SQLite file is sqlite:///relative.db or sqlite:////absolute/path.db")
        return cls(Path(path).absolute(), options)

    async def open(self) -> None:
        """See `Storage.open`."""
        self._database.open()

    async def close(self) -> None:
        """See `Storage.close`."""
        await self._database.close()

    async def ping(self) -> None:
        """Return if the file can be read."""
        await self._database.read(lambda connection: connection.execute("SELECT 1 FROM streams").fetchone())

    def _streams(self, connection: sqlite3.Connection) -> Streams:
        return Streams(connection, self._options.prefix)

    async def insert(self, batch: Batch) -> Admission:
        """See `Storage.insert`."""
        return await self._database.write(lambda connection: self._insert(self._streams(connection), batch))

    def _insert(self, streams: Streams, batch: Batch) -> Admission:
        now_us, options = self._now(), self._options
        known = streams.find(batch.stream, now_us)
        state = known.state if known else StreamState()
        if answer := state.replay(batch, now_us):
            return answer
        if not known:
            if not batch.may_begin:
                raise UnknownStream("the stream is new, and the batch may not begin one")
            streams.make_room(batch.stream, now_us, options.max_streams, trusted=batch.trusted)
        applied = state.apply(batch, now_us)
        expires_us = now_us + expiry_seconds(options.ttl_seconds, batch.quota) * MICROSECONDS
        key = streams.save(batch.stream, state, now_us, expires_us)
        if not known:
            streams.drop_orphans(key)
        streams.add(key, applied, batch.quota.size)
        return applied.admission

    async def fetch(self, stream: Stream, query: Query) -> Page:
        """See `Storage.fetch`."""

        def read_page(connection: sqlite3.Connection) -> Page:
            now_us, streams = self._now(), self._streams(connection)
            known = streams.find(stream, now_us)
            return streams.page(known, query, now_us) if known else Page([], 0, 0)

        return await self._database.read(read_page)

    async def streams(self, namespace: Namespace, limit: int | None = None) -> list[StreamInfo]:
        """See `Storage.streams`."""
        most = self._options.max_streams if limit is None else min(limit, self._options.max_streams)
        return await self._database.read(
            lambda connection: self._streams(connection).infos(namespace, self._now(), most)
        )

    async def clear(self, stream: Stream, *, reset: bool = False) -> int:
        """See `Storage.clear`."""

        def clear(connection: sqlite3.Connection) -> int:
            streams = self._streams(connection)
            known = streams.find(stream, self._now())
            if known and reset:
                known.state.reset()
            return streams.clear(known) if known else 0

        return await self._database.write(clear)

    async def erase(self) -> None:
        """See `Storage.erase`."""
        await self._database.write(lambda connection: self._streams(connection).erase())

    async def trim(self, size: int) -> float:
        """Trim every stream once for each lower size, and drop expired streams; some of each per call."""
        if size < self._trimmed_size:
            self._trimmed_size, self._trimmed_after = size, 0
        after = self._trimmed_after
        if after is not None:
            self._trimmed_after = await self._database.write(
                lambda connection: self._streams(connection).trim(size, after)
            )
        now_us = self._now()
        expires_us = await self._database.write(lambda connection: self._streams(connection).drop_expired(now_us))
        if self._trimmed_after is not None:
            return 0
        if expires_us is None:  # a stream that begins from now on lives at least that long
            return self._options.ttl_seconds
        return max(0, expires_us - now_us) / MICROSECONDS
