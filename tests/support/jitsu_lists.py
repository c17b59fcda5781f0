"""Writes lists of events into a Redis as Jitsu classic does: newest first, all fields texts, trimmed now and then."""

import itertools
import json
import uuid
from collections.abc import Iterator
from typing import Any

from eventscache.timestamp import format_time
from tests.support.redis_server import RedisServer

START_US = 1_795_000_000_000_000


def text_of(value: object) -> str:
    """Return JSON as Go writes it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


class JitsuLists:
    """The events cache of a Jitsu, which keeps `size` entries of each list. Times go on by a millisecond an entry."""

    def __init__(self, server: RedisServer, size: int = 100) -> None:
        self._server = server
        self._size = size
        self._times: Iterator[int] = itertools.count(START_US, 1000)
        self._passed_us = 0
        self.written: set[str] = set()

    def _push(self, key: str, fields: dict[str, Any]) -> bytes:
        order = ("malformed", "original", "success", "error", "skip", "timestamp", "uid", "destination_id", "token_id")
        fields["timestamp"] = format_time(next(self._times) + self._passed_us)
        for name in ("original", "success"):
            if isinstance(fields.get(name), dict):
                fields[name] = text_of(fields[name])
        entry = text_of({name: fields[name] for name in order if fields.get(name)}).encode()
        self._server.ask("LPUSH", key, entry)
        self.written.add(key)
        return entry

    def token(self, token_id: str = "key", *, copies: str = "both", **fields: Any) -> None:
        """Write what became of an event when it arrived; an error into both lists, or into `all` or `error` only."""
        self._write(f"events_cache:token#{token_id}", {**fields, "token_id": token_id}, copies, has_uid=True)

    def destination(self, destination_id: str = "pg", *, copies: str = "both", **fields: Any) -> None:
        """Write what became of an event at a destination."""
        fields = {**fields, "destination_id": destination_id}
        self._write(f"events_cache:destination#{destination_id}", fields, copies, has_uid=False)

    def _write(self, key: str, fields: dict[str, Any], copies: str, *, has_uid: bool) -> None:
        failed = "error" in fields or "malformed" in fields
        if copies != "error":
            self._push(key, {**fields, **({"uid": str(uuid.uuid4())} if has_uid else {})})
        if failed and copies != "all":
            self._push(f"{key}:error", {**fields, **({"uid": str(uuid.uuid4())} if has_uid else {})})

    def pass_ms(self, milliseconds: int) -> None:
        """Let so much time pass, by Jitsu's clock."""
        self._passed_us += 1000 * milliseconds

    def trim(self) -> None:
        """Cut the lists that were written to since, as Jitsu does twice a second."""
        for key in self.written:
            self._server.ask("LTRIM", key, 0, self._size - 1)
        self.written.clear()


def numbers(events: list[dict[str, Any]]) -> list[int]:
    """Return the field `n` of the originals, the oldest first."""
    return [event["original"]["n"] for event in reversed(events)]
