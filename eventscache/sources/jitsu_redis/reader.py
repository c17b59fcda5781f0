"""Reads Jitsu's lists from Redis, with commands that change nothing."""

import hashlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from redis import exceptions as driver

from eventscache.sources.follower import SourceUnavailable
from eventscache.sources.jitsu_redis.marks import MARK_LENGTH
from eventscache.storage.options import StorageOptions
from eventscache.storage.redis.connect import client_from_url, disconnect
from eventscache.storage.redis.driver_errors import Outcome, translate
from eventscache.storage.redis.scripts import read_script

TIMEOUT_SECONDS: Final = 2.0
MOST_ENTRY_BYTES: Final = 1024 * 1024
"""Of an entry: Jitsu takes events of 50 KB, if its `server.max_event_size` is not changed."""
_REPLY_BYTES = 1024 * 1024
_READ_BYTES = 64 * 1024 * 1024  # by one call, in the server: some 20 ms
_TAIL_BYTES = 100
_SHOWN_CHARACTERS = 40  # of the code of an error


class NewEntry(NamedTuple):
    """An entry, and what it is recognized by; None stands for an entry of `size` bytes, which are too many."""

    raw: bytes | None
    mark: str
    size: int


class Change(NamedTuple):
    """What is new in a list, the oldest first; `left` newer entries come with the next call.

    `found` is false if none of the entries that were read last is in the list. None of the entries are given then if
    the list was only looked at.
    """

    key: bytes
    found: bool
    left: int
    entries: list[NewEntry]


StreamEntry = tuple[bytes, dict[bytes, bytes]]
"""The id of an entry of a stream, and its fields."""


class TooMuch(NamedTuple):
    """A list whose new entries are so large that they are not read."""

    key: bytes


class WrongType(NamedTuple):
    """A key that is no list."""

    key: bytes


class Reader:
    """A connection to the Redis that is followed. All methods raise `SourceUnavailable`."""

    def __init__(self, url: str) -> None:
        options = StorageOptions(timeout_seconds=TIMEOUT_SECONDS)
        self._client: Any = client_from_url(url, options, connections=2)
        text = read_script("new_entries")
        digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        self._by_digest, self._by_text = ["EVALSHA_RO", digest], ["EVAL_RO", text]

    async def close(self) -> None:
        """Close all connections; they are opened again when they are needed."""
        await disconnect(self._client)

    async def scan(self, cursor: int, pattern: str, count: int) -> tuple[int, list[bytes]]:
        """Return some keys with names like a pattern, and the cursor for the next ones, 0 after the last ones."""
        next_cursor, keys = await self._run("SCAN", cursor, "MATCH", pattern, "COUNT", count)
        return int(next_cursor), keys

    async def new_entries(
        self, keys: Sequence[bytes], marks: Sequence[str], reply_bytes: int = _REPLY_BYTES
    ) -> tuple[int, list[Change | WrongType | TooMuch]]:
        """Return what changed in lists since the entries with these marks, and how many lists were looked at."""
        arguments = [len(keys), *keys, reply_bytes, MOST_ENTRY_BYTES, _READ_BYTES, *marks]
        following, *changes = await self._run_script(arguments)
        return following - 1 if following else len(keys), [_change(keys, change) for change in changes]

    async def stream_entries(
        self, keys: Sequence[bytes], ids: Sequence[str], count: int
    ) -> tuple[list[tuple[bytes, list[StreamEntry]]], list[bytes]]:
        """Return up to `count` entries after an id for each stream that has some, and the keys that are no streams."""
        try:
            return await self._run("XREAD", "COUNT", count, "STREAMS", *keys, *ids), []
        except _WrongType:
            types = [await self._run("TYPE", key) for key in keys]
            return [], [key for key, kind in zip(keys, types, strict=True) if kind not in {b"stream", b"none"}]

    async def _run_script(self, arguments: list[Any]) -> Any:
        try:
            return await self._run(*self._by_digest, *arguments)
        except _NoScript:
            return await self._run(*self._by_text, *arguments)
        except _UnknownCommand:  # Redis 6 has no script that may only read
            self._by_digest[0], self._by_text[0] = "EVALSHA", "EVAL"
            return await self._run_script(arguments)

    async def _run(self, *command: Any) -> Any:
        try:
            return await self._client.execute_command(*command)
        except driver.NoScriptError:
            raise _NoScript from None
        except driver.ResponseError as fault:
            if str(fault).startswith("WRONGTYPE"):
                raise _WrongType from None
            raise self._unavailable(fault, command) from None
        except (driver.RedisError, OSError) as fault:
            unavailable = self._unavailable(fault, command)
            await self.close()
            raise unavailable from None

    def _unavailable(self, fault: Exception, command: Sequence[Any]) -> Exception:
        name = str(command[0])
        if "unknown command" in str(fault) and name.endswith("_RO"):
            return _UnknownCommand()
        return SourceUnavailable(_reason(fault, translate(fault, ambiguous=False).outcome, name))


def _reason(fault: Exception, outcome: Outcome, command: str) -> str:
    """Return why a call failed. The driver's own text can quote what is not ours to log."""
    if outcome is Outcome.DENIED:
        return "Redis rejects the user or the password"
    if isinstance(fault, driver.NoPermissionError):
        return f"the user of Redis may not use {command} on the keys of Jitsu's events"
    if outcome is Outcome.ANSWERED:
        return f"Redis refuses {command}: {str(fault).partition(' ')[0][:_SHOWN_CHARACTERS]}"
    if outcome is Outcome.TIMED_OUT:
        return f"no answer from Redis within {TIMEOUT_SECONDS:.0f} seconds"
    return f"no connection to Redis: {type(fault).__name__}"


class _NoScript(Exception):
    """The server does not have the script."""


class _WrongType(Exception):
    """A key is of another type."""


class _UnknownCommand(Exception):
    """The server is too old for a command."""


def _change(keys: Sequence[bytes], reply: Sequence[Any]) -> Change | WrongType | TooMuch:
    key = keys[reply[0] - 1]
    if reply[1] < 0:
        return WrongType(key) if reply[1] == -1 else TooMuch(key)
    return Change(key, bool(reply[1]), reply[2], [_new_entry(key, entry) for entry in reply[3:]])


def _new_entry(key: bytes, entry: Any) -> NewEntry:
    if isinstance(entry, list):
        return NewEntry(None, entry[1].decode(), entry[0])
    return NewEntry(entry, mark_of(entry, key), len(entry))


def mark_of(entry: bytes, key: bytes) -> str:
    """Return the mark of an entry, as `lua/new_entries.lua` does."""
    tail = entry[-(_TAIL_BYTES + len(key)) :]
    return hashlib.sha1(b"%d:%b" % (len(entry), tail), usedforsecurity=False).hexdigest()[:MARK_LENGTH]
