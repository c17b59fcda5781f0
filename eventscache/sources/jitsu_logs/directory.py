"""The log files below a directory, as they are now."""

import os
import re
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from eventscache.sources.jitsu_logs.file_name import Kind, LogName, parse_name

_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LEVELS = 3  # `archive/2006-01-02/` is the deepest
_TRIES = 3  # of listing a folder that changes meanwhile
_SETTLED_SECONDS = 10  # a file system may have coarse times

Inode = tuple[int, int]
"""Device and inode: what stays the same when a file is renamed."""


class LogFile(NamedTuple):
    """A file with a name of Jitsu's; its time of change in Unix nanoseconds."""

    path: Path
    name: LogName
    inode: Inode
    size: int
    changed_ns: int

    @property
    def time_us(self) -> int:
        """About when its lines were written, in Unix microseconds."""
        return self.changed_ns // 1000 if self.name.rotated_us is None else self.name.rotated_us


class LogDirectory:
    """Lists the files of some kinds below a directory.

    The folders of past days are listed again only when they change, as there may be years of them.
    """

    def __init__(self, path: Path, kinds: Collection[Kind]) -> None:
        self.path = path
        self.inodes: set[Inode] = set()
        """Of all files that were there when `files` was called last."""
        self.unreadable: dict[Path, str] = {}
        """Folders that could not be listed then, and why."""
        self._kinds = frozenset(kinds)
        self._listed: dict[Path, tuple[int, list[LogFile]]] = {}
        self._settled: dict[Path, tuple[int, list[LogFile]]] = {}

    def files(self) -> list[LogFile]:
        """Return the files that may have news, in no order. Raises `OSError` if there is no such directory."""
        self.unreadable, self._listed, self.inodes = {}, {}, set()
        files = [*self._below(self.path, _LEVELS)]
        self.inodes |= {file.inode for file in files}
        return files

    def settle(self, unfinished: Collection[Path], now_ns: int) -> None:
        """Do not list folders of days again until they change, except those with one of these files."""
        busy = {path.parent for path in unfinished}
        for folder, (changed_ns, files) in self._listed.items():
            if folder not in busy and now_ns - changed_ns > _SETTLED_SECONDS * 1_000_000_000:
                self._settled[folder] = changed_ns, files

    def _below(self, folder: Path, levels: int) -> Iterator[LogFile]:
        changed_ns = folder.stat().st_mtime_ns
        settled_ns, settled = self._settled.pop(folder, (-1, []))
        if settled_ns == changed_ns:
            self._settled[folder] = settled_ns, settled
            self.inodes |= {file.inode for file in settled}
            return
        for _ in range(_TRIES):
            files, folders = self._listing(folder)
            before_ns, changed_ns = changed_ns, folder.stat().st_mtime_ns
            if changed_ns == before_ns:
                break
        if _DATE.fullmatch(folder.name):
            self._listed[folder] = changed_ns, files
        yield from files
        for inner in folders:
            yield from self._of_folder(inner, levels - 1)

    def _listing(self, folder: Path) -> tuple[list[LogFile], list[Path]]:
        """Return the logs and the folders in a folder; a file that is renamed meanwhile may be missed."""
        files, folders = [], []
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                elif file := self._file(entry):
                    files.append(file)
        return files, folders

    def _of_folder(self, folder: Path, levels: int) -> Iterator[LogFile]:
        if levels:
            try:
                yield from self._below(folder, levels)
            except FileNotFoundError:  # removed in between
                return
            except OSError as fault:
                self.unreadable[folder] = fault.strerror or type(fault).__name__

    def _file(self, entry: os.DirEntry[str]) -> LogFile | None:
        name = parse_name(entry.name)
        if name is None or name.kind not in self._kinds:
            return None
        try:
            state = entry.stat(follow_symlinks=False)
        except OSError:  # renamed or removed in between: it is found again under its new name
            return None
        if not stat.S_ISREG(state.st_mode):
            return None
        return LogFile(Path(entry.path), name, (state.st_dev, state.st_ino), state.st_size, state.st_mtime_ns)
