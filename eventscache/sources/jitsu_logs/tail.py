"""Follows the log files of a directory: what is new in them, as events."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from eventscache.errors import InvalidEvent
from eventscache.sources.counts import ErrorKind
from eventscache.sources.jitsu_logs.directory import Inode, LogDirectory, LogFile
from eventscache.sources.jitsu_logs.file_name import Kind
from eventscache.sources.jitsu_logs.line import LineParser, LoggedEvent, UnknownToken
from eventscache.sources.jitsu_logs.position import Position
from eventscache.sources.jitsu_logs.positions import Positions
from eventscache.sources.jitsu_logs.reader import (
    MAX_LINE_BYTES,
    CopyInProgressError,
    FileChangedError,
    Lines,
    LogReader,
)

_WRITTEN_SECONDS = 10  # after its last change, half a line of a file that was renamed stays half a line
_COPIED_SECONDS = 60  # after its last change, a zipped file that does not end stays so
_MAX_REPORTED = 10_000
_NS = 1_000_000_000
_State = tuple[Path, int, int]


class Fault(NamedTuple):
    """What could not be read, and in which file."""

    kind: ErrorKind
    message: str
    file: str
    reason: str = ""
    lines: int = 1


class News(NamedTuple):
    """Events in the order of their lines, and faults."""

    events: list[LoggedEvent]
    faults: list[Fault]


class Tail:
    """Finds what is new. All methods block, and only one at a time may be called; it may be in a thread."""

    def __init__(self, directory: LogDirectory, positions: Positions, parser: LineParser) -> None:
        self._directory = directory
        self._positions = positions
        self._parser = parser
        self._done: dict[Inode, _State] = {}
        self._reported: set[Path] = set()
        self._interrupted: set[tuple[Kind, str]] = set()
        self.must_look_again = False
        """Whether a file got another name while it was looked at."""

    def look(self, now_ns: int) -> tuple[list[LogFile], list[Fault]]:
        """Return the files that may have news, the oldest first, and what could not be read.

        Raises `OSError` if the directory cannot be listed.
        """
        self.must_look_again = False
        self._interrupted = set()
        files = sorted(self._directory.files(), key=_age)
        inodes = self._directory.inodes
        self._positions.note_present(inodes, now_ns // _NS)
        self._done = {inode: state for inode, state in self._done.items() if inode in inodes}
        news = [file for file in files if self._done.get(file.inode) != _state(file)]
        for file in news:
            self._positions.verify(file)
        if not self._positions.is_listed:
            for file in files:
                with contextlib.suppress(FileChangedError, OSError):
                    self._positions.find(file, inodes)
            self._positions.note_listed()
        self._directory.settle([file.path for file in news], now_ns)
        unreadable = self._directory.unreadable.items()
        faults = [
            Fault("unreadable", "folder of logs cannot be read", str(folder), reason)
            for folder, reason in unreadable
            if self._is_first(folder)
        ]
        return news, faults

    def read(self, file: LogFile, now_ns: int) -> Iterator[News]:
        """Yield what is new in a file, in pieces; the position is behind a piece when it is there."""
        if (file.name.kind, file.name.id) in self._interrupted:
            return  # an earlier file of this log comes first
        try:
            may_grow = now_ns - file.changed_ns < _COPIED_SECONDS * _NS
            position = self._positions.find(file, self._directory.inodes, may_grow=may_grow)
            if position is None or (position.is_finished and file.name.is_zipped):
                self._done[file.inode] = _state(file)
            else:
                yield from self._read(file, position, now_ns)
        except CopyInProgressError:
            return
        except FileChangedError:
            self.must_look_again = True
            self._interrupted.add((file.name.kind, file.name.id))
        except OSError as fault:
            if self._is_first(file.path):
                reason = fault.strerror or type(fault).__name__
                yield News([], [Fault("unreadable", "log file cannot be read", str(file.path), reason)])

    def _is_first(self, path: Path) -> bool:
        """Whether a fault of a path was not reported before."""
        if path in self._reported:
            return False
        if len(self._reported) >= _MAX_REPORTED:
            self._reported.clear()
        self._reported.add(path)
        return True

    def _read(self, file: LogFile, position: Position, now_ns: int) -> Iterator[News]:
        age_seconds = (now_ns - file.changed_ns) // _NS
        is_rotated = file.name.rotated_us is not None
        is_final = file.name.is_zipped or (is_rotated and age_seconds >= _WRITTEN_SECONDS)
        with LogReader(file, position, is_final=is_final) as reader:
            lines = Lines([])
            while not lines.are_last:
                lines = reader.next()
                self._positions.note_read(position)
                yield self._news(file, position, lines)
            if reader.is_damaged or (reader.is_incomplete and age_seconds >= _COPIED_SECONDS):
                position.is_finished = True
                yield News([], [Fault("unreadable", "zipped log is damaged", str(file.path))])
            elif file.name.is_zipped and not reader.is_incomplete:
                position.is_finished = True
            waits = reader.is_incomplete and not position.is_finished
            if not waits and not (reader.has_half_line and is_rotated):
                self._done[file.inode] = _state(file)

    def _news(self, file: LogFile, position: Position, lines: Lines) -> News:
        events: list[LoggedEvent] = []
        faults = []
        if lines.too_long:
            reason = f"longer than {MAX_LINE_BYTES} bytes"
            faults.append(Fault("too_large", "log line is too long", str(file.path), reason, lines.too_long))
        for offset, line in lines.lines:
            try:
                found = self._parser.events(file.name, line, offset, file.time_us)
            except UnknownToken as fault:
                faults.append(Fault("unknown", "log line has an unknown token", str(file.path), str(fault)))
            except InvalidEvent as fault:
                faults.append(Fault("unreadable", "log line cannot be read", str(file.path), str(fault)))
            else:
                events += [event for event in found if not self._positions.is_old(position, offset, event.time_us)]
        return News(events, faults)


def _state(file: LogFile) -> _State:
    return file.path, file.size, file.changed_ns


def _age(file: LogFile) -> tuple[bool, int, str]:
    """Sort files by the time when they were renamed, those that are still written last."""
    rotated_us = file.name.rotated_us
    return rotated_us is None, rotated_us or 0, str(file.path)
