"""Reading one file in pieces, from a position on."""

import gzip
import hashlib
import os
import zlib
from typing import IO, NamedTuple, Self

from eventscache.sources.jitsu_logs.directory import LogFile
from eventscache.sources.jitsu_logs.position import HEAD_BYTES, Position

_PIECE_BYTES = 128 * 1024  # some milliseconds of work, most of it for the lines
MAX_LINE_BYTES = 1024 * 1024
"""A longer line is passed over: Jitsu takes events of up to 50 KB by default."""


class FileChangedError(Exception):
    """The file is another one than was listed, or cannot be opened: look at the directory again."""


class CopyInProgressError(FileChangedError):
    """The file is a copy of one that is there as well, and has nothing more: look again when that one has gone."""


class Lines(NamedTuple):
    """Lines with the offsets at which they begin, how many were too long; and whether these are the last ones."""

    lines: list[tuple[int, bytes]]
    too_long: int = 0
    are_last: bool = False


class LogReader:
    """Reads the lines of a file, and moves its position on.

    Half a line stays for later, unless the file `is_final`. `is_damaged` and `is_incomplete` say of a zipped file why
    its end was not reached.
    """

    def __init__(self, file: LogFile, position: Position, *, is_final: bool) -> None:
        self.has_half_line = self.is_damaged = False
        self._position = position
        self._is_final = is_final
        self._raw = _open(file)
        self.is_incomplete = file.name.is_zipped and not file.size
        self._zipped = gzip.GzipFile(fileobj=self._raw, mode="rb") if file.name.is_zipped else None
        self._rest = b""
        self._head = b""
        self._to_skip = position.offset if self._zipped else 0
        if not self._zipped:
            self._raw.seek(position.offset)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._zipped:
            self._zipped.close()
        self._raw.close()

    def next(self) -> Lines:
        """Return some more lines; the position is behind them then. Raises `OSError`."""
        data = self._piece()
        if not data:
            return self._end()
        lines, too_long = self._split(self._rest + data)
        self._note_head()
        return Lines(lines, too_long)

    def _split(self, data: bytes) -> tuple[list[tuple[int, bytes]], int]:
        position, too_long = self._position, 0
        if position.is_skipping:
            end = data.find(b"\n") + 1
            position.offset += end or len(data)
            position.is_skipping = not end
            data = data[end:] if end else b""
        *whole, self._rest = data.split(b"\n")
        lines = []
        for line in whole:
            if len(line) > MAX_LINE_BYTES:
                too_long += 1
            elif line:
                lines.append((position.offset, line))
            position.offset += len(line) + 1
        if len(self._rest) > MAX_LINE_BYTES:
            position.offset += len(self._rest)
            position.is_skipping = True
            self._rest = b""
            too_long += 1
        return lines, too_long

    def _end(self) -> Lines:
        lines = []
        if self._rest and self._is_final and not self.is_incomplete:
            lines = [(self._position.offset, self._rest)]
            self._position.offset += len(self._rest)
            self._rest = b""
        self.has_half_line = bool(self._rest)
        self._note_head()
        return Lines(lines, are_last=True)

    def _piece(self) -> bytes:
        """Return some bytes behind the position, none at the end."""
        while True:
            data = self._read()
            if not self._to_skip or not data:
                return data
            skipped = min(self._to_skip, len(data))
            self._to_skip -= skipped
            if data := data[skipped:]:
                return data

    def _read(self) -> bytes:
        if not self._zipped:
            return self._raw.read(_PIECE_BYTES)
        try:
            data = self._zipped.read1(_PIECE_BYTES)
        except EOFError:
            self.is_incomplete = True
            return b""
        except (gzip.BadGzipFile, zlib.error):
            self.is_damaged = True
            return b""
        if len(self._head) < HEAD_BYTES:
            self._head += data[: HEAD_BYTES - len(self._head)]
        return data

    def _note_head(self) -> None:
        """Let the position know as much of the beginning of the file as was read."""
        position = self._position
        length = min(HEAD_BYTES, position.offset)
        if length <= position.head_bytes:
            return
        head = self._head[:length] if self._zipped else os.pread(self._raw.fileno(), length, 0)
        if len(head) == length:
            position.head, position.head_bytes = _hash(head), length


def begins_alike(file: LogFile, position: Position) -> bool | None:
    """Whether a file has what was read of the position's file at its beginning; false if nothing was read.

    None: a zipped file has not that much yet. Raises `FileChangedError` and `OSError`.
    """
    if not position.head_bytes:
        return False
    with _open(file) as raw, gzip.GzipFile(fileobj=raw) if file.name.is_zipped else raw as stream:
        try:
            head = stream.read(position.head_bytes)
        except EOFError:
            return None
        except (gzip.BadGzipFile, zlib.error):
            return False
    if file.name.is_zipped and not file.size:
        return None
    return _hash(head) == position.head


def skip_to_end(file: LogFile, position: Position) -> None:
    """Move the position of a file behind its last whole line."""
    with _open(file) as raw:
        end = file.size
        while end > 0 and position.offset == 0:
            start = max(0, end - _PIECE_BYTES)
            raw.seek(start)
            position.offset = _line_start(raw.read(end - start), start)
            end = start
        length = min(HEAD_BYTES, position.offset)
        raw.seek(0)
        position.head, position.head_bytes = _hash(raw.read(length)), length


def _line_start(data: bytes, start: int) -> int:
    """Return the offset behind the last line break in data that begins at `start`, 0 if there is none."""
    last = data.rfind(b"\n")
    return 0 if last < 0 else start + last + 1


def _open(file: LogFile) -> IO[bytes]:
    try:
        raw = file.path.open("rb")
    except FileNotFoundError:
        raise FileChangedError from None
    state = os.fstat(raw.fileno())
    if (state.st_dev, state.st_ino) != file.inode:
        raw.close()
        raise FileChangedError
    return raw


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=12).hexdigest()
