"""One line of a log: JSON that becomes events of the cache."""

import hashlib
import uuid
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from eventscache.errors import InvalidEvent
from eventscache.event import Event
from eventscache.ingest.json import strict
from eventscache.ingest.json.objects import checked_object
from eventscache.ingest.malformed import cut
from eventscache.ingest.secret_half import secret_half, without_halves_in_text
from eventscache.sources.jitsu_logs.file_name import Kind, LogName
from eventscache.stream import Namespace, Stream, check_id
from eventscache.timestamp import format_time, parse_time

_WRAPPING_LEVELS = 2  # around the events of a line of the write-ahead log
_NO_ERROR = "Jitsu's log of failed events gives no error"
_MAX_MALFORMED_BYTES = 10_000


class UnknownToken(InvalidEvent):
    """No API key has the token of a line."""


class LoggedEvent(NamedTuple):
    """An event of a line, and its time in Unix microseconds; None if it holds none."""

    stream: Stream
    event: Event
    time_us: int | None


class _Stamped(msgspec.Struct):
    timestamp: str = msgspec.field(name="_timestamp", default="")


class _Failed(msgspec.Struct):
    event: msgspec.Raw = msgspec.Raw(b"")
    malformed_event: str = ""
    error: str = ""


class _WriteAhead(msgspec.Struct):
    events: list[msgspec.Raw]
    token: str


_stamped = msgspec.json.Decoder(_Stamped)
_failed = msgspec.json.Decoder(_Failed)
_write_ahead = msgspec.json.Decoder(_WriteAhead)


class LineParser:
    """Makes events of lines. `token_id` returns the id of the stream of a token, which is a secret, or None."""

    def __init__(self, token_id: Callable[[str], str | None], max_id_bytes: int, max_depth: int) -> None:
        self._token_id = token_id
        self._max_id_bytes = max_id_bytes
        self._max_depth = max_depth

    def events(self, name: LogName, line: bytes, offset: int, file_time_us: int) -> list[LoggedEvent]:
        """Return the events of a line that begins at an offset; those without a time of their own get that of the file.

        Secret halves of write keys are hidden. The ids are the same whenever the line is read. Raises `InvalidEvent`,
        with a text that quotes nothing.
        """
        levels = self._max_depth + (_WRAPPING_LEVELS if name.kind in {Kind.FAILED, Kind.WRITE_AHEAD} else 0)
        hidden = checked_object(line, levels, "the line")
        try:
            found = self._found(name, hidden)
        except msgspec.DecodeError:
            raise InvalidEvent("the line has another form than Jitsu's") from None
        digest = hashlib.blake2b(line, digest_size=32, key=offset.to_bytes(8, "big")).digest()
        logged = []
        for index, (stream, event) in enumerate(found):
            time_us = _time_us(event.original)
            event.timestamp = format_time(file_time_us if time_us is None else time_us)
            event.uid = _uid(digest, stream, index)
            logged.append(LoggedEvent(stream, event, time_us))
        return logged

    def _found(self, name: LogName, line: bytes) -> list[tuple[Stream, Event]]:
        if name.kind is Kind.WRITE_AHEAD:
            return self._write_ahead(line)
        namespace = Namespace.TOKEN if name.kind is Kind.INCOMING else Namespace.DESTINATION
        stream = Stream(namespace, check_id(name.id, self._max_id_bytes))
        if name.kind is Kind.FAILED:
            return [(stream, self._failure(stream, line))]
        return [(stream, Event.of(stream, original=line))]

    def _failure(self, stream: Stream, line: bytes) -> Event:
        failed = _failed.decode(line)
        event = Event.of(stream, error=_hidden(failed.error).decode() or _NO_ERROR)
        if failed.malformed_event:
            event.malformed = cut(_hidden(failed.malformed_event), _MAX_MALFORMED_BYTES)
        if original := bytes(failed.event):
            event.original = self._object(original)
        return event

    def _write_ahead(self, line: bytes) -> list[tuple[Stream, Event]]:
        logged = _write_ahead.decode(line)
        token_id = self._token_id(logged.token)
        if token_id is None:
            raise UnknownToken("no API key has the token of the line")
        stream = Stream(Namespace.TOKEN, check_id(token_id, self._max_id_bytes))
        originals = [self._object(bytes(event)) for event in logged.events]
        half = secret_half(logged.token)
        return [(stream, Event.of(stream, original=half.hidden(one) if half else one)) for one in originals]

    def _object(self, value: bytes) -> bytes:
        """Return a part of a valid line if it is an object that is not nested too deeply."""
        if not value.startswith(b"{"):
            raise InvalidEvent("an event of the line is no object")
        strict.check_depth(value, self._max_depth)
        return value


def _hidden(text: str) -> bytes:
    return without_halves_in_text(text.encode(errors="replace"))


def _time_us(original: bytes) -> int | None:
    """Return the time at which Jitsu took an event, None if it does not say so."""
    if b'"_timestamp"' not in original:
        return None
    try:
        time_us = parse_time(_stamped.decode(original).timestamp)
        format_time(time_us)
    except (ValueError, OverflowError):  # msgspec's errors are such, too
        return None
    return time_us


def _uid(digest: bytes, stream: Stream, index: int) -> str:
    """Return an id that a line always gives to its event: retries and copies of the file give the same."""
    text = f"{index} {stream.namespace} {stream.id}".encode()
    return str(uuid.UUID(bytes=hashlib.blake2b(text, digest_size=16, key=digest).digest(), version=5))
