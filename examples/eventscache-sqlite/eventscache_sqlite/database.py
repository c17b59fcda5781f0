"""One SQLite file: its connection, the one thread that uses it, and its transactions."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from eventscache.errors import StorageError, StorageUnavailable

from eventscache_sqlite.faults import translate

_HEADER = (1702257505, 1)  # application and version of the schema, as schema.sql writes them into the file
_NEW = (0, 0)

T = TypeVar("T")


class Database:
    """Runs pieces of work, each in a transaction of its own and all in one thread.

    The thread makes cancelling safe: a caller may stop waiting, but its work goes on to its commit or its rollback, or
    was never begun. The first piece of work opens the file, and the next one after an error opens it again.
    """

    def __init__(self, path: Path, timeout_seconds: float) -> None:
        self._path = path
        self._timeout_seconds = timeout_seconds
        self._connection: sqlite3.Connection | None = None
        self._thread: ThreadPoolExecutor | None = None

    def open(self) -> None:
        """Start the thread."""
        self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="sqlite")

    async def close(self) -> None:
        """Finish the work that was submitted, close the file, end the thread."""
        thread, self._thread = self._thread, None
        if thread:
            closing = thread.submit(self._disconnect)
            thread.shutdown(wait=False)  # it ends when all of that is done
            await asyncio.wrap_future(closing)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return the result of `work`, which reads the file in one transaction."""
        return await self._run("BEGIN", work)

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return the result of `work` when its changes are committed; nobody else changes anything meanwhile."""
        return await self._run("BEGIN IMMEDIATE", work)

    async def _run(self, begin: str, work: Callable[[sqlite3.Connection], T]) -> T:
        if not self._thread:
            raise StorageUnavailable("the storage is not open", ambiguous=False)
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transact, begin, work)

    def _transact(self, begin: str, work: Callable[[sqlite3.Connection], T]) -> T:
        committing = False
        try:
            with _transaction(self._connected(), begin) as connection:
                result = work(connection)
                committing = True
        except sqlite3.Error as fault:
            self._disconnect()
            raise translate(fault, committing=committing) from None
        return result

    def _connected(self) -> sqlite3.Connection:
        if not self._connection:
            connection = sqlite3.connect(self._path, self._timeout_seconds, isolation_level=None)
            try:
                _prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            connection.close()


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[sqlite3.Connection]:
    connection.execute(begin)
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # after some errors SQLite itself has rolled back
            connection.execute("ROLLBACK")
        raise


def _prepare(connection: sqlite3.Connection) -> None:
    if _header(connection) == _NEW and not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        connection.execute("PRAGMA journal_mode = WAL")  # stays with the file: readers do not wait for the writer
        connection.executescript(files("eventscache_sqlite").joinpath("schema.sql").read_text("utf-8"))
    if _header(connection) != _HEADER:
        raise StorageError("the SQLite file belongs to another application, or to another version of this one")
    connection.execute("PRAGMA foreign_keys = ON")
    # As safe as FULL if a process is killed; a power cut can take back the last commits, but not damage the file.
    connection.execute("PRAGMA synchronous = NORMAL")


def _header(connection: sqlite3.Connection) -> tuple[int, int]:
    (application,), (version,) = (
        connection.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
    )
    return application, version
