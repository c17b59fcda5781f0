"""Translates the errors of SQLite."""

import sqlite3

from eventscache.errors import StorageError, StorageUnavailable

# Errors that pass by themselves or that an operator can repair: locked by another process, full, read-only, not there.
_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOMEM,
}
_PRIMARY = 0xFF  # the low byte of an extended code


def translate(fault: sqlite3.Error, *, committing: bool) -> StorageError:
    """Translate an error; one while `committing` may have come after the commit was written."""
    code, text = getattr(fault, "sqlite_errorcode", 0) & _PRIMARY, f"SQLite: {fault}"
    if code in _PASSING:
        return StorageUnavailable(text, ambiguous=committing and code == sqlite3.SQLITE_IOERR)
    return StorageError(text)
