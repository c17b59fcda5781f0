"""Events as bulker, the server of Jitsu 2, shows them in its log of events."""

import contextlib
import enum
import re
from typing import Any, Final

import msgspec

from eventscache.event import Event
from eventscache.stream import Namespace, Status
from eventscache.timestamp import format_time, parse_time

_encode = msgspec.json.encode
_ID = re.compile(r"[0-9]{1,15}-([0-9]{1,18})")
# bulker hides the same: the secret behind the id of a key, in the text of an event.
_WRITE_KEY = re.compile(r'("writeKey"\s{0,100}:\s{0,100}"(?:[^"\\:]|\\.)*+:?)(?:[^"\\]|\\.)*+("?)', re.DOTALL)
_NAMES: Final = {Status.SUCCESS: "SUCCESS", Status.SKIP: "SKIPPED", Status.ERROR: "FAILED"}
_OF_JITSU_2: Final = {"mappedData", "representation"}
_BATCH_MEMBER = "processedRows"
_BATCH_MARK = b'"processedRows"'


class LogType(enum.StrEnum):
    """What bulker keeps apart: incoming events, and events that went to a destination one by one or in a batch."""

    INCOMING = "incoming"
    STREAM = "bulker_stream"
    BATCH = "bulker_batch"

    @property
    def namespace(self) -> Namespace:
        """The namespace of the streams that hold such events."""
        return Namespace.TOKEN if self is LogType.INCOMING else Namespace.DESTINATION

    def holds(self, event: Event) -> bool:
        """Whether an event of a stream of that namespace belongs to this type."""
        return self is LogType.INCOMING or (self is LogType.BATCH) is (_batch_state(event) is not None)


class _Field(msgspec.Struct):
    field: str
    value: msgspec.Raw = msgspec.Raw(b"null")
    type: str = "unknown"


class _Row(msgspec.Struct):
    """What Jitsu classic tells of a row that it wrote."""

    record: list[_Field]
    table: str = ""


_Members = dict[str, msgspec.Raw]
_members = msgspec.json.Decoder(_Members)
_row = msgspec.json.Decoder(_Row)


def record_of(log_type: LogType, event: Event, sequence: int) -> bytes:
    """Return the JSON of an event as bulker has it: its `id`, its `date`, and its `content` for the type."""
    try:
        time_us = parse_time(event.timestamp)
        date = event.timestamp if not event.timestamp.isdigit() else format_time(time_us)
    except (ValueError, OverflowError):  # an event of a program that uses the cache as a library
        time_us, date = 0, event.timestamp
    record = {"id": f"{max(0, time_us) // 1000:013}-{sequence}", "date": date, "content": _content(log_type, event)}
    return _encode(record)


def sequence_of(record_id: str) -> int | None:
    """Return the sequence number in the `id` of a record, None for another text."""
    found = _ID.fullmatch(record_id)
    return int(found[1]) if found else None


def _content(log_type: LogType, event: Event) -> dict[str, Any]:
    if log_type is LogType.INCOMING:
        return _incoming(event)
    return _batch(event) if log_type is LogType.BATCH else _processed(event)


def _incoming(event: Event) -> dict[str, Any]:
    body = event.malformed or event.original.decode()
    # Which destinations an event goes to is not known here.
    content: dict[str, Any] = {"body": _without_secret(body), "asyncDestinations": [], "tags": []}
    return content | _outcome(event)


def _processed(event: Event) -> dict[str, Any]:
    content: dict[str, Any] = {"original": event.original.decode() or event.malformed}
    if event.success:
        content |= _result(event.success)
    return content | _outcome(event)


def _result(success: bytes) -> dict[str, Any]:
    """Return what a destination made of an event: a row of a table, or whatever else it tells."""
    with contextlib.suppress(msgspec.DecodeError):
        told = _members.decode(success)
        if told and told.keys() <= _OF_JITSU_2:  # as the source `jitsu_redis` brings it
            return {**told}
    try:
        row = _row.decode(success)
    except msgspec.DecodeError:
        return {"representation": msgspec.Raw(success)}
    schema = {field.field: field.type for field in row.record}
    mapped = {field.field: field.value for field in row.record}
    return {"mappedData": mapped, "representation": {"name": row.table, "schema": schema}}


def _batch(event: Event) -> dict[str, Any]:
    content: dict[str, Any] = {**(_batch_state(event) or {})}
    return {"status": _NAMES[Status.ERROR], **content, "error": event.error} if event.error else content


def _batch_state(event: Event) -> _Members | None:
    """Return the state of a batch, which bulker's log has for each, or None: the event is none of these."""
    for candidate in (event.success, event.original):
        if _BATCH_MARK in candidate:
            with contextlib.suppress(msgspec.DecodeError):  # half of a surrogate pair in a name
                members = _members.decode(candidate)
                if bytes(members.get(_BATCH_MEMBER, b"")).isdigit():
                    return members
    return None


def _outcome(event: Event) -> dict[str, str]:
    reason = event.error or event.skip
    return {"status": _NAMES[event.status], **({"error": reason} if reason else {})}


def _without_secret(body: str) -> str:
    return _WRITE_KEY.sub(r"\1***\2", body)
