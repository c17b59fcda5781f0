"""Jitsu's bulk files: an event a line, or a line of Jitsu's log of failed events, in a file of a form."""

from collections.abc import Iterator
from sys import getsizeof
from typing import NamedTuple

import msgspec

from eventscache.errors import InvalidEvent
from eventscache.ingest import malformed
from eventscache.ingest.form import FormFile
from eventscache.ingest.json import go, scan, strict
from eventscache.ingest.json.scan import Elements
from eventscache.ingest.limits import BatchTooLarge, Limits
from eventscache.ingest.secret_half import SecretHalf, without_halves, without_halves_in_text
from eventscache.ingest.unzipping import Unzipping

_LEAST_BYTES_PER_LINE = 32  # on average: a file of the largest size with shorter lines has too many
_INTO_MAP = "cannot unmarshal bytes into Go value of type map[string]interface {}: "
_INTO_FAILED_EVENT = "cannot unmarshal bytes into Go value of type FailedEvent {}: "


class BrokenFile(InvalidEvent):
    """Jitsu rejects the request with these words, whatever the lines of its file are."""


class BrokenLine(NamedTuple):
    """A line that is no event, cut, and why."""

    text: str
    reason: str


class _OverLimit(InvalidEvent):
    """A line is beyond a limit of ours: Jitsu would take it."""


class _Failed(msgspec.Struct):
    event: msgspec.Raw = msgspec.Raw()
    malformed_event: str = ""
    error: str = ""


_read_failed = msgspec.json.Decoder(_Failed).decode


class BulkFile:
    """The events of a file that arrives as a part of a form, piece by piece.

    `events` has what was found so far: byte for byte as it came, but that each byte in a text that is not UTF-8 is
    U+FFFD, and that secret halves of write keys are hidden, also `half`, that of its sender. `broken` has the first
    lines that are no events, at most `max_batch` in about `max_body_bytes`, and `omitted` counts the others. With
    `fallback` a line is an object whose `event` is the event. If Jitsu rejects the whole file for a line, `fault` says
    why in its words, and there are no events; with `skip`, which counts only for `fallback`, there is none. The last
    line needs no line break. `zipped` tells that the file is gzip.
    """

    def __init__(
        self,
        content_type: str,
        limits: Limits,
        *,
        zipped: bool = False,
        fallback: bool = False,
        skip: bool = False,
        half: SecretHalf | None = None,
    ) -> None:
        self.events: list[Elements] = []
        self.broken: list[BrokenLine] = []
        self.omitted = 0
        self.fault = ""
        self._limits = limits
        self._fallback = fallback
        self._skip = skip and fallback
        self._half = half
        self._lines_left = limits.max_bulk_bytes // _LEAST_BYTES_PER_LINE
        self._bytes_left = limits.max_bulk_bytes
        self._rest = b""  # of a line that has not ended, cut
        self._cut_bytes = 0  # how many bytes were cut from it
        self._broken_bytes = 0
        self._unzipping = Unzipping() if zipped else None
        try:
            self._form = FormFile(content_type, "file")
        except InvalidEvent as fault:
            raise _no_form(fault) from None

    def feed(self, data: bytes) -> int:
        """Take the next piece of the form, and return how many bytes of memory its lines take.

        Raises `BrokenFile`, and `BatchTooLarge` if the file is too large unzipped, or has too many lines.
        """
        try:
            content = self._form.feed(data)
        except InvalidEvent as fault:
            raise _no_form(fault) from None
        before, broken_bytes = len(self.events), self._broken_bytes
        for piece in self._unzipped(content):
            self._bytes_left -= len(piece)
            if self._bytes_left < 0:
                raise BatchTooLarge(f"the file is too large; at most {self._limits.max_bulk_bytes} bytes are allowed")
            if not self.fault:
                self._take(piece)
        return sum(events.size_bytes for events in self.events[before:]) + self._broken_bytes - broken_bytes

    def end(self) -> None:
        """Take the last line. Raises `BrokenFile` if the form or the gzip has not ended, or there is no file."""
        try:
            self._form.end()
        except InvalidEvent as fault:
            raise _no_form(fault) from None
        if self._unzipping:
            try:
                self._unzipping.end()
            except InvalidEvent as fault:
                raise _unreadable(fault) from None
        if self._rest.strip():
            self._take(b"\n")

    def _unzipped(self, content: bytes) -> Iterator[bytes]:
        if self._unzipping is None:
            yield content
            return
        try:
            yield from self._unzipping.feed(content)
        except InvalidEvent as fault:
            raise _unreadable(fault) from None

    def _take(self, piece: bytes) -> None:
        lines = piece.split(b"\n")
        whole, lines[0] = len(lines) - 1, self._rest + lines[0]
        self._lines_left -= whole
        if self._lines_left < 0:
            raise BatchTooLarge("too many lines in one file: they are shorter than those of events")
        self._rest = lines.pop()
        found = [event for line in lines if (event := self._event_or_none(line)) is not None]
        if self.fault:
            self.events.clear()
            self._rest = b""
            return
        kept = self._limits.max_event_bytes + 1
        if len(self._rest) > kept:
            self._cut_bytes += len(self._rest) - kept
            self._rest = self._rest[:kept]
        if found:
            self.events.append(Elements.of(found))

    def _event_or_none(self, line: bytes) -> bytes | None:
        """Return the event of a line; None if it has none, or if a line before it failed the file."""
        if self.fault:
            return None
        cut_bytes, self._cut_bytes = self._cut_bytes, 0
        if self._half:
            line = self._half.hidden(line)
        try:
            self._check_size(len(line) + cut_bytes)
            return self._failed_event(line) if self._fallback else self._event(line)
        except _OverLimit as fault:
            self._keep(line, str(fault))
        except InvalidEvent as fault:
            told = self._hidden(str(fault).encode(errors="replace"))
            reason = malformed.cut(told, self._limits.max_malformed_bytes)
            if not self._skip:
                self.broken.clear()
                self.omitted = self._broken_bytes = 0
            self._keep(line, reason)
            if not self._skip:
                self.fault = f"failed to parse JSON payload: {reason}"
        return None

    def _check_size(self, size: int) -> None:
        if size > self._limits.max_event_bytes:
            raise _OverLimit(f"Event size {size} exceeds limit: {self._limits.max_event_bytes}")

    def _keep(self, line: bytes, reason: str) -> None:
        if len(self.broken) < self._limits.max_batch and self._broken_bytes < self._limits.max_body_bytes:
            most = min(self._limits.max_malformed_bytes, self._limits.max_event_bytes)
            broken = BrokenLine(malformed.cut(self._hidden(line), most), reason)
            self._broken_bytes += sum(map(getsizeof, broken))
            self.broken.append(broken)
        else:
            self.omitted += 1

    def _hidden(self, text: bytes) -> bytes:
        """Return a text without secret halves; its lines may have any bytes."""
        return without_halves_in_text(self._half.hidden_in_text(text) if self._half else text)

    def _event(self, data: bytes) -> bytes:
        """Return the object that a line or the `event` of one begins with."""
        end = scan.object_end(data, self._limits.max_depth)
        if end < 0:
            data = without_halves(data)
            end = scan.object_end(data, self._limits.max_depth)
        if end >= 0:
            return data[:end]
        try:
            event = go.read_object(data.lstrip(b"\0"))
        except InvalidEvent as fault:
            raise InvalidEvent(f"{_INTO_MAP}{fault}") from None
        try:
            self._limits.check_values(event)
            strict.check_depth(event, self._limits.max_depth)
        except InvalidEvent as fault:
            raise _OverLimit(str(fault)) from None
        return event

    def _failed_event(self, line: bytes) -> bytes:
        """Return the event in a line of Jitsu's log of failed events."""
        try:
            failed = _read_failed(line)
        except (msgspec.DecodeError, RecursionError):
            failed = _failed_as_go(line)
        event = bytes(failed.event)
        if not (event or failed.malformed_event):
            failed = _failed_as_go(line)
            event = bytes(failed.event)
        if failed.malformed_event:
            raise InvalidEvent(
                f"event: {failed.malformed_event} was sent to fallback because it is malformed (not valid JSON): "
                f"{failed.error}"
            )
        if not event:
            raise InvalidEvent(f"'event' field can't be empty in fallback object: {line.decode(errors='replace')}")
        try:
            return self._event(event)
        except _OverLimit:
            raise
        except InvalidEvent as fault:
            told = line.decode(errors="replace")
            raise InvalidEvent(f"Error parsing event {told} malformed json: {fault}") from None


def _failed_as_go(line: bytes) -> _Failed:
    """Return a line of Jitsu's log as Go reads it: names in any case, the last of several counts, and null is empty."""
    text = line.lstrip(b"\0").lstrip(b" \t\r\n")
    if text.startswith(b"null"):
        return _Failed()
    try:
        data = go.read_object(text)
    except InvalidEvent as fault:
        raise InvalidEvent(f"{_INTO_FAILED_EVENT}{fault}") from None
    members = {go.text_of(name).lower(): value for name, value in strict.members(data)}
    texts = {}
    for name in ("malformed_event", "error"):
        value = members.get(name, b"null")
        if value[:1] not in {b'"', b"n"}:
            what = f"json: cannot unmarshal {go.kind_of(value)} into Go struct field FailedEvent.{name} of type string"
            raise InvalidEvent(f"{_INTO_FAILED_EVENT}{what}")
        texts[name] = go.text_of(value) if value.startswith(b'"') else ""
    return _Failed(msgspec.Raw(members.get("event", b"")), **texts)


def _no_form(fault: InvalidEvent) -> BrokenFile:
    return BrokenFile(f"failed to read 'file' form parameter: {fault}")


def _unreadable(fault: InvalidEvent) -> BrokenFile:
    return BrokenFile(f"failed to read payload from input file: {fault}")
