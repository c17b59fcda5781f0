"""The streams of one prefix in the file's two tables. Every method runs inside a transaction of its caller."""

import sqlite3
from contextlib import suppress
from typing import NamedTuple

from eventscache.errors import TooManyStreams
from eventscache.storage.messages import Entry, Page, Query, StreamInfo
from eventscache.storage.stream_state import Applied, StreamState
from eventscache.stream import Namespace, Status, Stream

_ALL, _ERROR = "all", "error"
_MAX_INTEGER = 2**63 - 1
_MAX_NUMBER = 2**53  # no sequence number or time that was ever written here is larger
_AT_A_TIME = 50  # streams in one piece of trimming


class Known(NamedTuple):
    """A stream that has a row."""

    key: int
    state: StreamState


class Streams:
    """Finds, saves and drops the streams of one prefix, and their events."""

    def __init__(self, connection: sqlite3.Connection, prefix: str) -> None:
        self._connection = connection
        self._sql = connection.execute
        self._prefix = prefix

    def find(self, stream: Stream, now_us: int) -> Known | None:
        """Return a stream that is known and not expired."""
        row = self._sql(
            "SELECT key, state FROM streams WHERE prefix = ? AND namespace = ? AND id = ? AND expires_us > ?",
            (self._prefix, stream.namespace, _stored(stream.id), now_us),
        ).fetchone()
        return Known(row[0], self._state(*row)) if row else None

    def _state(self, key: int, saved: bytes) -> StreamState:
        try:
            return StreamState.load(saved)
        except ValueError:  # something else overwrote it: the numbers continue, and nothing is limited by it
            newest = "ifnull(max({0}) FILTER (WHERE typeof({0}) = 'integer' AND {0} BETWEEN 0 AND ?2), 0)".format
            numbers = f"SELECT {newest('sequence')}, {newest('admitted_us')} FROM events WHERE stream = ?1"  # noqa: S608
            return StreamState(*self._sql(numbers, (key, _MAX_NUMBER)).fetchone())

    def save(self, stream: Stream, state: StreamState, active_us: int, expires_us: int) -> int:
        """Save a stream as the one that was active last, and return its key."""
        (key,) = self._sql(
            "INSERT INTO streams (prefix, namespace, id, active_us, expires_us, state, turn)"
            " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ifnull(max(turn), 0) + 1 FROM streams WHERE prefix = ?1 AND namespace = ?2"
            " ON CONFLICT (prefix, namespace, id) DO UPDATE SET turn = excluded.turn,"
            " active_us = excluded.active_us, expires_us = excluded.expires_us, state = excluded.state RETURNING key",
            (self._prefix, stream.namespace, _stored(stream.id), active_us, expires_us, state.dump()),
        ).fetchone()
        return int(key)

    def drop_orphans(self, key: int) -> None:
        """Drop the events of an earlier stream with this key, which something else deleted without its events."""
        self._sql("DELETE FROM events WHERE stream = ?", (key,))

    def make_room(self, stream: Stream, now_us: int, max_streams: int, *, trusted: bool) -> None:
        """Make room for a new stream: drop its expired self, and evict the least recently active streams.

        Raises `TooManyStreams` if these are not expired and the new one is not trusted.
        """
        where = (self._prefix, stream.namespace)
        self._sql("DELETE FROM streams WHERE prefix = ? AND namespace = ? AND id = ?", (*where, _stored(stream.id)))
        (count,) = self._sql("SELECT count(*) FROM streams WHERE prefix = ? AND namespace = ?", where).fetchone()
        oldest = self._sql(
            "SELECT key, expires_us FROM streams WHERE prefix = ? AND namespace = ? ORDER BY turn LIMIT ?",
            (*where, max(0, count - max_streams + 1)),
        )
        for key, expires_us in oldest.fetchall():
            if expires_us > now_us and not trusted:
                raise TooManyStreams(f"there are {count} streams, and no more are allowed")
            self._sql("DELETE FROM streams WHERE key = ?", (key,))

    def add(self, key: int, applied: Applied, size: int) -> None:
        """Add the entries that a stream's collections admitted, and drop all but the newest `size` of these."""
        for collection, admitted in ((_ALL, applied.all), (_ERROR, applied.error)):
            if admitted:
                rows = [(key, collection, *entry) for entry in admitted]
                self._connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", rows)
                self._trim_collection(key, collection, size)

    def _trim_collection(self, key: int, collection: str, size: int) -> None:
        self._sql(
            "DELETE FROM events WHERE stream = ?1 AND collection = ?2 AND sequence <= (SELECT sequence FROM events"
            " WHERE stream = ?1 AND collection = ?2 ORDER BY sequence DESC LIMIT 1 OFFSET ?3)",
            (key, collection, size),
        )

    def page(self, known: Known, query: Query, now_us: int) -> Page:
        """Return the page of a stream that a query asks for."""
        errors = query.status is Status.ERROR
        limiter = known.state.error if errors else known.state.all
        where = "FROM events WHERE stream = ?1 AND collection = ?2 AND (?3 IS NULL OR status = ?3)"
        values = (known.key, _ERROR if errors else _ALL, None if errors else query.status)
        (total,) = self._sql(f"SELECT count(*) {where}", values).fetchone()
        rows = self._sql(
            f"SELECT sequence, admitted_us, status, event {where}"
            " AND sequence > ?4 AND sequence < ?5 AND (?7 = x'' OR instr(event, ?7)) ORDER BY sequence DESC LIMIT ?6",
            (
                *values,
                min(-1 if query.after is None else query.after, _MAX_INTEGER),
                min(_MAX_INTEGER if query.before is None else query.before, _MAX_INTEGER),
                min(query.limit, _MAX_INTEGER),
                query.containing,
            ),
        ).fetchall()
        entries = [Entry(row[0], row[1], Status(row[2]), row[3]) for row in rows if _readable(row)]
        return Page(entries, total, limiter.limited(known.state.clock.peek(now_us)), len(rows) - len(entries))

    def infos(self, namespace: Namespace, now_us: int, limit: int) -> list[StreamInfo]:
        """Return the known streams, most recently active first."""
        count = "(SELECT count(*) FROM events WHERE stream = key AND collection = '{}')".format
        rows = self._sql(
            f"SELECT id, active_us, {count(_ALL)}, {count(_ERROR)} FROM streams"  # noqa: S608
            " WHERE prefix = ? AND namespace = ? AND expires_us > ? ORDER BY turn DESC LIMIT ?",
            (self._prefix, namespace, now_us, limit),
        )
        infos = []
        for stored, *counts in rows:
            with suppress(UnicodeDecodeError):  # written by something else
                infos.append(StreamInfo(Stream(namespace, _id(stored)), *counts))
        return infos

    def clear(self, known: Known) -> int:
        """Remove a stream's events, and save its state as it is now; return how many events there were."""
        count = self._sql("SELECT count(DISTINCT sequence) FROM events WHERE stream = ?", (known.key,)).fetchone()[0]
        self._sql("DELETE FROM events WHERE stream = ?", (known.key,))
        self._sql("UPDATE streams SET state = ? WHERE key = ?", (known.state.dump(), known.key))
        return int(count)

    def erase(self) -> None:
        """Remove all streams."""
        self._sql("DELETE FROM streams WHERE prefix = ?", (self._prefix,))

    def trim(self, size: int, after: int) -> int | None:
        """Trim some streams, beginning after the key `after`; return the key to continue after, None at the end."""
        some = "SELECT key FROM streams WHERE prefix = ? AND key > ? ORDER BY key LIMIT ?"
        keys = [key for (key,) in self._sql(some, (self._prefix, after, _AT_A_TIME))]
        for key in keys:
            self._trim_collection(key, _ALL, size)
            self._trim_collection(key, _ERROR, size)
        return keys[-1] if keys else None

    def drop_expired(self, now_us: int) -> int | None:
        """Drop some expired streams, and return when the next one expires, or has expired; None if there is none."""
        self._sql(
            "DELETE FROM streams WHERE key IN (SELECT key FROM streams WHERE prefix = ? AND expires_us <= ? LIMIT ?)",
            (self._prefix, now_us, _AT_A_TIME),
        )
        next_us: int | None
        (next_us,) = self._sql("SELECT min(expires_us) FROM streams WHERE prefix = ?", (self._prefix,)).fetchone()
        return next_us


def _stored(stream_id: str) -> str | bytes:
    """Return an id as a column can hold it: a text, or a blob if the text cannot be encoded."""
    try:
        stream_id.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return stream_id.encode("utf-8", "surrogatepass")
    return stream_id


def _id(stored: str | bytes) -> str:
    return stored if isinstance(stored, str) else stored.decode("utf-8", "surrogatepass")


def _readable(row: tuple[object, ...]) -> bool:
    return isinstance(row[1], int) and row[2] in set(Status) and isinstance(row[3], bytes)
