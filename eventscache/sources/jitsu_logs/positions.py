"""The positions of all files: which one belongs to which file, whatever happened to the file meanwhile."""

import contextlib
from collections import defaultdict
from collections.abc import Mapping

import msgspec

from eventscache.errors import InvalidEvent
from eventscache.sources.jitsu_logs.directory import Inode, LogFile
from eventscache.sources.jitsu_logs.file_name import Kind
from eventscache.sources.jitsu_logs.position import Position
from eventscache.sources.jitsu_logs.reader import (
    CopyInProgressError,
    FileChangedError,
    begins_alike,
    skip_to_end,
)
from eventscache.sources.jitsu_logs.start_point import StartPoint

_Name = tuple[Kind, str, int | None]
NO_INODE: Inode = (0, 0)
"""Of what was read of a file that was truncated, or whose inode another file has now."""
_START = b"start"
_ALL = 2**62
_KEPT_SECONDS = 3 * 86_400  # after a file has gone: a zipped copy of it may turn up


class Start(msgspec.Struct):
    """Events from `since_us` on are brought. `is_listed`: files that turn up from now on are new."""

    since_us: int
    is_listed: bool = False


class Positions:
    """Finds the position of each file, and knows what has changed since it was saved.

    A file is known again by its inode, if it begins as what was read; by the time in its name, which a zipped copy
    keeps; or, if the file with that inode has gone, by its beginning.
    """

    def __init__(self, start_point: StartPoint, now_us: int, saved: Mapping[bytes, bytes]) -> None:
        self.damaged = 0
        self._from_end = start_point.seconds == 0
        self._positions: dict[bytes, Position] = {}
        self._by_inode: dict[Inode, Position] = {}
        self._by_name: dict[_Name, list[Position]] = defaultdict(list)
        self._changed: set[bytes] = set()
        start = self._load_start(saved)
        if start:
            self._load(saved)
        else:
            self._changed |= {_START, *saved}
        self._start = start or Start(start_point.since_us(now_us))

    def _load_start(self, saved: Mapping[bytes, bytes]) -> Start | None:
        if not saved:
            return None
        try:
            return msgspec.json.decode(saved[_START], type=Start)
        except (KeyError, msgspec.DecodeError, UnicodeDecodeError):
            self.damaged += 1
            return None

    def _load(self, saved: Mapping[bytes, bytes]) -> None:
        for key, text in saved.items():
            if key != _START:
                try:
                    self._add(Position.decode(key, text))
                except InvalidEvent:
                    self.damaged += 1
                    self._changed.add(key)

    def _add(self, position: Position) -> Position:
        self._positions[position.key.encode()] = position
        if (position.device, position.inode) != NO_INODE:
            self._by_inode[position.device, position.inode] = position
        self._by_name[_name(position)].append(position)
        return position

    def changes(self) -> dict[bytes, bytes]:
        """Return what has changed since the last call, to be saved by key; an empty value is not needed any more."""
        changes = {}
        for key in self._changed:
            position = self._positions.get(key)
            changes[key] = position.encode() if position else b""
        if _START in self._changed:
            changes[_START] = msgspec.json.encode(self._start)
        self._changed = set()
        return changes

    def note_read(self, position: Position) -> None:
        """Note that a position has moved."""
        self._changed.add(position.key.encode())

    @property
    def is_listed(self) -> bool:
        """Whether the files of the first start are known: others are new."""
        return self._start.is_listed

    def note_listed(self) -> None:
        """Note that the files of the first start are known, or that there is no directory yet."""
        if not self._start.is_listed:
            self._start.is_listed = True
            self._changed.add(_START)

    def note_present(self, inodes: set[Inode], now_s: int) -> None:
        """Note which files there are; forget those that have gone long ago."""
        for key, position in [*self._positions.items()]:
            is_gone = (position.device, position.inode) not in inodes
            if is_gone and position.gone_s and now_s - position.gone_s > _KEPT_SECONDS:
                self._forget(key, position)
            elif is_gone is not bool(position.gone_s):
                position.gone_s = now_s if is_gone else 0
                self._changed.add(key)

    def _forget(self, key: bytes, position: Position) -> None:
        del self._positions[key]
        self._changed.add(key)
        self._by_name[_name(position)].remove(position)
        if self._by_inode.get((position.device, position.inode)) is position:
            del self._by_inode[position.device, position.inode]

    def verify(self, file: LogFile) -> None:
        """Look whether a file is still the one with its inode, before any is looked for with `find`."""
        known = self._by_inode.get(file.inode)
        with contextlib.suppress(FileChangedError, OSError):  # it is looked at again
            if known and not _is_still(file, known):
                self._detach(known)

    def _detach(self, position: Position) -> None:
        """Let a position be that of a file that has gone: its inode is that of another file, or it was truncated."""
        del self._by_inode[position.device, position.inode]
        position.device, position.inode = NO_INODE
        self.note_read(position)

    def find(self, file: LogFile, present: set[Inode], *, may_grow: bool = True) -> Position | None:
        """Return the position of a file; None if all in it is older than the start point.

        A zipped file `may_grow` while it is being written. Raises `CopyInProgressError`; `FileChangedError` if the file
        must be looked at again; and `OSError`.
        """
        known = self._by_inode.get(file.inode)
        if known:
            self._rename(known, file.name.rotated_us)
            return known
        original = self._original(file, present, may_grow=may_grow)
        return self._move(original, file) if original else self._begin(file)

    def _original(self, file: LogFile, present: set[Inode], *, may_grow: bool) -> Position | None:
        """Return the position of what this file is a copy of, if that has gone."""
        name = file.name
        same_time = [*self._by_name[name.kind, name.id, name.rotated_us]]
        still_written = [] if name.rotated_us is None else [*self._by_name[name.kind, name.id, None]]
        for position in same_time + still_written:
            is_present = (position.device, position.inode) in present
            is_named_alike = name.rotated_us is not None and position.rotated_us == name.rotated_us
            if is_named_alike and is_present:
                raise CopyInProgressError
            is_alike = (is_named_alike and not position.head_bytes) or begins_alike(file, position)
            is_shorter = not name.is_zipped and file.size < position.offset
            if is_alike and not is_present and not is_shorter:
                return position
            if name.rotated_us is not None and (is_alike or (is_alike is None and may_grow)):
                raise CopyInProgressError
        return None

    def _rename(self, position: Position, rotated_us: int | None) -> None:
        if position.rotated_us != rotated_us:
            self._by_name[_name(position)].remove(position)
            position.rotated_us = rotated_us
            self._by_name[_name(position)].append(position)
            self.note_read(position)

    def _move(self, position: Position, file: LogFile) -> Position:
        """Let a position be that of a copy of its file."""
        self._forget(position.key.encode(), position)
        position.device, position.inode = file.inode
        position.rotated_us, position.is_zipped = file.name.rotated_us, file.name.is_zipped
        position.is_finished = False
        self.note_read(position)
        return self._add(position)

    def _begin(self, file: LogFile) -> Position | None:
        """Return a position for a file that was not known."""
        rotated_us = file.name.rotated_us
        if rotated_us is not None and rotated_us < self._start.since_us:
            return None
        position = Position.of(file.name, *file.inode)
        if not self._start.is_listed and self._start.since_us:
            position.old_bytes = _ALL if file.name.is_zipped else file.size
            if self._from_end:
                if file.name.is_zipped:
                    return None
                skip_to_end(file, position)
                position.old_bytes = position.offset
        self.note_read(position)
        return self._add(position)

    def is_old(self, position: Position, offset: int, time_us: int | None) -> bool:
        """Whether an event at an offset is older than the start point."""
        return offset < position.old_bytes and time_us is not None and time_us < self._start.since_us


def _name(position: Position) -> _Name:
    return position.kind, position.id, position.rotated_us


def _is_still(file: LogFile, position: Position) -> bool:
    """Whether a file with the position's inode begins with what was read: if not, it was truncated, or is another."""
    name = file.name
    return (
        (position.kind, position.id, position.is_zipped) == (name.kind, name.id, name.is_zipped)
        and position.rotated_us in {None, name.rotated_us}
        and (file.name.is_zipped or file.size >= position.offset)
        and (not position.head_bytes or begins_alike(file, position) is not False)
    )
