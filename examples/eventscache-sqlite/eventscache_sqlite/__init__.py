"""A storage for eventscache in one SQLite file."""

from eventscache_sqlite.storage import SqliteStorage

__all__ = ["SqliteStorage"]
