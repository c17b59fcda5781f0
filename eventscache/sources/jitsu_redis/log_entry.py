"""An entry of Jitsu 2's logs as an event."""

import hashlib
from typing import Final

import msgspec

from eventscache.errors import InvalidEvent
from eventscache.event import Event
from eventscache.ingest.json import scan
from eventscache.ingest.json.objects import checked_object
from eventscache.ingest.secret_half import without_halves, without_halves_in_text
from eventscache.sources.jitsu_redis.entry import Entry, content_of
from eventscache.sources.jitsu_redis.key_name import KeyName
from eventscache.timestamp import format_time

_NULL: Final = msgspec.Raw(b"null")


class _Content(msgspec.Struct):
    """What the logs have in common, and what some have: `incoming` a `body`, `bulker_stream` an `original`."""

    body: str | None = None
    original: str | None = None
    status: str | None = None
    error: str | None = None
    mappedData: msgspec.Raw = _NULL  # noqa: N815 - Jitsu's name
    representation: msgspec.Raw = _NULL


_decode = msgspec.json.Decoder(_Content).decode


def parse_log_entry(raw: bytes, name: KeyName, key: bytes, entry_id: str, max_depth: int) -> Entry:
    """Return an entry of the log with that name. Raises `InvalidEvent` if it is not one.

    Its time is that of `entry_id`, which Redis gave it, and its uid a hash of that id. What is no JSON object in
    `body` or `original` is `malformed`. Secret halves of write keys are hidden.
    """
    try:
        content = _decode(raw)
        milliseconds = int(entry_id.partition("-")[0])
        timestamp = format_time(1000 * milliseconds)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, OverflowError) as fault:
        raise InvalidEvent(f"not an entry of Jitsu's: {fault}") from None
    text = (content.body if name.kind == "incoming" else content.original) or ""
    original = _object(text, max_depth)
    failed = content.status == "FAILED"
    event = Event.of(
        name.stream,
        malformed="" if original else _hidden(text),
        original=original,
        success=b"" if failed else _success(content, raw, name.kind, max_depth),
        error=(_hidden(content.error or "") or "FAILED") if failed else "",
        skip=(_hidden(content.error or "") or "SKIPPED") if content.status == "SKIPPED" else "",
        timestamp=timestamp,
        uid=hashlib.blake2b(b"%b %b" % (key, entry_id.encode()), digest_size=16).hexdigest(),
    )
    return Entry(name.stream, event, content_of(event), 1000 * milliseconds, "")


def _success(content: _Content, raw: bytes, kind: str, max_depth: int) -> bytes:
    """Return what a destination did with an event: its own row, and where it put it; of a batch, all that is told."""
    if kind == "incoming":
        return b""
    if kind == "bulker_batch":
        hidden = without_halves_in_text(raw)  # its error is a text
        return hidden if scan.object_end(hidden, max_depth) == len(hidden) else b""
    parts = {"mappedData": content.mappedData, "representation": content.representation}
    told = {name: value for name, value in parts.items() if bytes(value) != b"null"}
    return without_halves(msgspec.json.encode(told)) if told else b""


def _object(text: str, max_depth: int) -> bytes:
    """Return the bytes of a JSON object, none if a text is not one."""
    data = text.encode()
    try:
        return checked_object(data, max_depth, "it")
    except InvalidEvent:
        return b""


def _hidden(text: str) -> str:
    return without_halves_in_text(text.encode()).decode()
