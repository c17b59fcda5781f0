"""Following files: every whole line comes once, whatever happens to its file."""

import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from eventscache.sources.jitsu_logs.directory import LogDirectory
from eventscache.sources.jitsu_logs.file_name import Kind
from eventscache.sources.jitsu_logs.line import LineParser
from eventscache.sources.jitsu_logs.positions import Positions
from eventscache.sources.jitsu_logs.reader import MAX_LINE_BYTES
from eventscache.sources.jitsu_logs.start_point import StartPoint
from eventscache.sources.jitsu_logs.tail import Fault, Tail
from tests.support.fuzz import fuzz
from tests.support.jitsu_logs import JitsuLog, event_line, failed_line, stamp_of

BEGINNING, END = StartPoint(None), StartPoint(0)
NOON_US = 1_795_867_200_000_000  # 2026-11-28T12:00:00Z, when the first event of `event_line` came
_S = 1_000_000
PARSER = LineParser(lambda token: token, 512, 200)


class Follower:
    """Follows a directory, and can begin again with the positions that were saved."""

    def __init__(self, directory: Path, start: StartPoint = BEGINNING, now_us: int = NOON_US) -> None:
        self.directory = directory
        self.start = start
        self.now_us = now_us
        self.saved: dict[bytes, bytes] = {}
        self.faults: list[Fault] = []
        self.restart()

    def restart(self) -> None:
        self.positions = Positions(self.start, self.now_us, self.saved)
        self.tail = Tail(LogDirectory(self.directory, tuple(Kind)), self.positions, PARSER)

    def save(self) -> None:
        changed = {**self.saved, **self.positions.changes()}
        self.saved = {key: value for key, value in changed.items() if value}

    def news(self) -> list[int]:
        """Return the numbers of the events that are new, and save how far that is."""
        numbers = []
        files, faults = self.tail.look(self.now_us * 1000)
        self.faults += faults
        for file in files:
            for news in self.tail.read(file, self.now_us * 1000):
                numbers += [json.loads(event.original)["n"] for _, event, _ in news.events]
                self.faults += news.faults
        self.save()
        return numbers

    def no_such_directory(self) -> None:
        with pytest.raises(FileNotFoundError):
            self.tail.look(self.now_us * 1000)
        self.positions.note_listed()
        self.save()


@pytest.fixture
def log(tmp_path: Path) -> JitsuLog:
    return JitsuLog(tmp_path, "incoming/incoming.tok=shop")


@pytest.fixture
def failed(tmp_path: Path) -> JitsuLog:
    return JitsuLog(tmp_path, "failed/failed.dst=d")


def test_lines_come_once_as_they_are_written(log: JitsuLog, failed: JitsuLog, tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    assert follower.news() == []
    log.write(event_line(1), event_line(2))
    failed.write(failed_line(3))
    assert sorted(follower.news()) == [1, 2, 3]
    log.write(event_line(4))
    assert follower.news() == [4]
    assert follower.news() == []
    assert follower.faults == []


def test_half_a_line_waits_for_its_rest(log: JitsuLog, tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    line = event_line(2)
    log.write(event_line(1), line[:20], end=b"\n")
    log.live.write_bytes(event_line(1) + b"\n" + line[:20])
    assert follower.news() == [1]
    follower.restart()
    log.write(line[20:])
    assert follower.news() == [2]
    assert follower.faults == []


def test_a_line_that_cannot_be_read_stops_nothing(log: JitsuLog, tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    log.write(event_line(1), b"{", b"\xff\0", b"", event_line(2))
    assert follower.news() == [1, 2]
    assert [fault.kind for fault in follower.faults] == ["unreadable"] * 2


def test_a_renamed_file_is_read_to_its_end_and_then_the_new_one(log: JitsuLog, tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    log.write(event_line(1))
    assert follower.news() == [1]
    log.write(event_line(2))
    log.rotate()
    log.write(event_line(3))
    log.rotate()
    log.write(event_line(4))
    assert follower.news() == [2, 3, 4]
    assert follower.news() == []


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("folder", ["", "archive/2026-11-28"])
def test_a_zipped_copy_brings_nothing_twice(log: JitsuLog, tmp_path: Path, folder: str, restarts: bool) -> None:
    follower = Follower(tmp_path)
    log.write(event_line(1), event_line(2))
    renamed = log.rotate()
    log.write(event_line(3))
    assert follower.news() == [1, 2, 3]
    if restarts:
        follower.restart()
    zipped = log.zip_copy(renamed, tmp_path / folder if folder else None)
    assert follower.news() == []  # both are there
    renamed.unlink()
    assert follower.news() == []
    follower.restart()
    assert follower.news() == []
    assert zipped.exists()


def test_a_zipped_copy_that_grows_beside_its_file_brings_nothing(log: JitsuLog, tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    log.write(*map(event_line, range(100)))
    renamed = log.rotate()
    zipped = log.zip_copy(renamed)
    whole = zipped.read_bytes()
    zipped.write_bytes(b"")
    assert follower.news() == [*range(100)]
    renamed.unlink()
    for size in (0, 5, len(whole) // 2, len(whole)):
        zipped.write_bytes(whole[:size])
        assert follower.news() == []
    follower.restart()
    assert follower.news() == []
    assert follower.faults == []


def test_a_file_that_is_renamed_while_it_is_looked_at_is_read_in_order(
    log: JitsuLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = Follower(tmp_path)
    log.write(event_line(1))
    assert follower.news() == [1]
    log.write(event_line(2))
    files, list_files = [], LogDirectory.files

    def then_rename(directory: LogDirectory) -> Any:
        files.extend(list_files(directory))
        monkeypatch.undo()
        log.rotate()
        log.write(event_line(3))
        return files

    monkeypatch.setattr(LogDirectory, "files", then_rename)
    assert follower.news() == []
    assert follower.tail.must_look_again
    assert follower.news() == [2, 3]


def test_what_was_not_read_before_it_was_zipped_is_read_then(log: JitsuLog, tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    log.write(event_line(1))
    assert follower.news() == [1]
    log.write(event_line(2))
    log.zip(log.rotate())
    log.write(event_line(3))
    log.zip(log.rotate())
    log.write(event_line(4))
    assert follower.news() == [2, 3, 4]
    assert follower.news() == []


def test_large_zipped_files_are_continued_where_the_plain_one_ended(log: JitsuLog, tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    log.write(*(event_line(number, text="x" * 500) for number in range(2000)))
    assert follower.news() == [*range(2000)]
    log.write(*(event_line(number) for number in range(2000, 3000)))
    log.zip(log.rotate())
    assert follower.news() == [*range(2000, 3000)]


def test_a_file_that_is_cut_to_nothing_is_read_from_its_beginning(log: JitsuLog, tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    log.write(event_line(1), event_line(2))
    assert follower.news() == [1, 2]
    log.live.write_bytes(event_line(3) + b"\n")  # the same inode
    assert follower.news() == [3]
    log.live.write_bytes(b"".join(event_line(number) + b"\n" for number in range(4, 50)))  # longer than before
    assert follower.news() == [*range(4, 50)]


def test_a_file_that_is_copied_and_then_cut_brings_nothing_twice(log: JitsuLog, tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    log.write(event_line(1), event_line(2))
    assert follower.news() == [1, 2]
    copy = log.live.with_name(f"{log.live.stem}-{stamp_of(1)}.log")
    copy.write_bytes(log.live.read_bytes())
    assert follower.news() == []
    log.live.write_bytes(b"")
    assert follower.news() == []
    log.write(event_line(3))
    assert follower.news() == [3]


def test_a_new_file_that_begins_like_an_old_one_is_a_new_file(failed: JitsuLog, tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    for _ in range(3):
        failed.write(failed_line(1), failed_line(2))
        assert follower.news() == [1, 2]
        failed.rotate()
    assert follower.news() == []


def test_an_inode_that_another_file_has_now_is_another_file(log: JitsuLog, tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    log.write(event_line(1), event_line(2), event_line(3))
    assert follower.news() == [1, 2, 3]
    other = JitsuLog(tmp_path, "incoming/incoming.tok=other")
    log.live.rename(other.live)
    assert follower.news() == [1, 2, 3]


def test_a_volume_that_was_copied_is_known_again(log: JitsuLog, tmp_path: Path) -> None:
    log.write(*map(event_line, range(50)))
    follower = Follower(tmp_path)
    assert follower.news() == [*range(50)]
    content = log.live.read_bytes()
    moved = log.live.with_name("away")
    log.live.rename(moved)
    log.live.write_bytes(content + event_line(50) + b"\n")
    follower.restart()
    assert follower.news() == [50]


def test_a_line_that_is_too_long_is_passed_over_without_being_held(log: JitsuLog, tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    log.write(event_line(1), b'{"a":"' + b"x" * (50 * MAX_LINE_BYTES), end=b"\n")
    log.write(b'{"a":"' + b"y" * MAX_LINE_BYTES + b'"}', event_line(2))
    tracemalloc.start()
    try:
        assert follower.news() == [1, 2]
        assert tracemalloc.get_traced_memory()[1] < 8 * MAX_LINE_BYTES
    finally:
        tracemalloc.stop()
    assert [(fault.kind, fault.lines) for fault in follower.faults] == [("too_large", 1)] * 2


def test_a_line_that_is_too_long_may_come_in_pieces(log: JitsuLog, tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    for _ in range(3):
        log.write(b"x" * MAX_LINE_BYTES, end=b"")
        assert follower.news() == []
        follower.restart()
    log.write(b'"}', event_line(2))
    assert follower.news() == [2]
    assert sum(fault.lines for fault in follower.faults) == 1


def test_the_last_line_of_a_finished_file_needs_no_end(log: JitsuLog, tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    log.write(event_line(1), event_line(2), end=b"\n")
    log.live.write_bytes(log.live.read_bytes()[:-1])
    renamed = log.rotate()
    os.utime(renamed, ns=(NOON_US * 1000, NOON_US * 1000))
    assert follower.news() == [1]
    follower.now_us += 10 * _S
    assert follower.news() == [2]
    log.write(event_line(3), end=b"")
    log.zip(log.rotate())
    assert follower.news() == [3]


def test_a_zipped_file_that_does_not_end_yet_is_read_on(log: JitsuLog, tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    log.write(*(event_line(number) for number in range(2000)))
    zipped = log.zip(log.rotate())
    whole = zipped.read_bytes()
    zipped.write_bytes(whole[: len(whole) // 2])
    some = follower.news()
    zipped.write_bytes(whole)
    assert some + follower.news() == [*range(2000)]
    assert follower.faults == []


def test_a_zipped_file_that_never_ends_or_is_damaged_is_told_once(log: JitsuLog, tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    log.write(*(event_line(number) for number in range(2000)))
    for number, damage in enumerate((slice(None, -9), slice(9, None), slice(0, 0))):
        zipped = log.zip_copy(log.live)
        named = zipped.with_name(f"{log.live.stem}-{stamp_of(number)}.log.gz")
        named.write_bytes(zipped.read_bytes()[damage])
        zipped.unlink()
    log.live.unlink()
    for path in tmp_path.rglob("*.gz"):
        os.utime(path, ns=(NOON_US * 1000, NOON_US * 1000))
    follower.news()
    follower.now_us += 60 * _S
    for _ in range(3):
        follower.news()
        follower.restart()
    assert {fault.message for fault in follower.faults} == {"zipped log is damaged"}
    assert len(follower.faults) == 3


def test_a_directory_that_appears_later_is_read_whole_whatever_the_start_point(tmp_path: Path) -> None:
    follower = Follower(tmp_path / "logs", END)
    follower.no_such_directory()
    log = JitsuLog(tmp_path / "logs", "incoming/incoming.tok=shop")
    log.write(event_line(1))
    follower.restart()
    assert follower.news() == [1]
    JitsuLog(tmp_path / "logs", "failed/failed.dst=d").write(failed_line(2))
    assert follower.news() == [2]


def test_from_the_end_only_what_comes_is_brought(log: JitsuLog, failed: JitsuLog, tmp_path: Path) -> None:
    log.write(event_line(1))
    log.zip(log.rotate(), tmp_path / "archive" / "2026-11-28")
    log.write(event_line(2))
    renamed = log.rotate()
    log.write(event_line(3), event_line(4))
    half = event_line(5)
    log.write(half[:20], end=b"")
    follower = Follower(tmp_path, END, NOON_US + 3600 * _S)
    assert follower.news() == []
    log.write(half[20:], event_line(6))
    failed.write(failed_line(7))
    log.zip(renamed)
    assert sorted(follower.news()) == [5, 6, 7]
    log.zip(log.rotate())
    follower.restart()
    assert follower.news() == []


def test_from_some_time_back_older_events_are_passed_over(log: JitsuLog, tmp_path: Path) -> None:
    log.write(event_line(60))
    log.rotate()  # at 12:01, as its name says
    log.write(*(event_line(number) for number in (100, 400, 500)))
    log.zip(log.rotate())  # at 12:02
    log.write(event_line(550), event_line(650))
    follower = Follower(tmp_path, StartPoint.parse("9m"), NOON_US + 660 * _S)
    assert follower.news() == [400, 500, 550, 650]
    log.write(event_line(50))
    assert follower.news() == [50]


def test_positions_that_are_damaged_are_counted_and_the_others_count(
    log: JitsuLog, failed: JitsuLog, tmp_path: Path
) -> None:
    follower = Follower(tmp_path)
    log.write(event_line(1))
    assert follower.news() == [1]
    failed.write(failed_line(2))
    assert follower.news() == [2]
    (broken,) = [key for key, value in follower.saved.items() if b'"failed"' in value]
    for damage in (b"{", b"\xff", b"[]", follower.saved[broken].replace(b'"offset":', b'"offset":-')):
        follower.saved[broken] = damage
        follower.restart()
        assert follower.positions.damaged == 1
        assert follower.news() == [2]
        (broken,) = [key for key, value in follower.saved.items() if b'"failed"' in value]


def test_a_start_that_is_damaged_begins_anew(log: JitsuLog, tmp_path: Path) -> None:
    follower = Follower(tmp_path, END)
    log.write(event_line(1))
    assert follower.news() == []
    for damage in (b"", b"{}", b"\xff"):
        follower.saved = {**follower.saved, b"start": damage, b"x": b"y"}
        follower.restart()
        assert follower.positions.damaged == 1
        assert follower.news() == []
        assert set(follower.saved) > {b"start"}
        assert b"x" not in follower.saved


def test_a_file_that_has_gone_is_forgotten_after_days(log: JitsuLog, tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    log.write(event_line(1))
    follower.news()
    log.live.unlink()
    follower.news()
    assert len(follower.saved) == 2
    follower.now_us += 4 * 86_400 * _S
    follower.restart()
    follower.news()
    assert set(follower.saved) == {b"start"}


def test_only_the_kinds_that_are_followed_are_read(log: JitsuLog, failed: JitsuLog, tmp_path: Path) -> None:
    log.write(event_line(1))
    failed.write(failed_line(2))
    (tmp_path / "failed" / "failed.dst=d.log.status").write_text("{}")
    (tmp_path / "failed" / "notes.txt").write_text("x")
    (tmp_path / "failed" / "failed.dst=folder.log").mkdir()
    os.mkfifo(tmp_path / "failed" / "failed.dst=pipe.log")
    (tmp_path / "failed" / "failed.dst=link.log").symlink_to(failed.live)
    (tmp_path / "loop").symlink_to(tmp_path)
    follower = Follower(tmp_path)
    follower.tail = Tail(LogDirectory(tmp_path, (Kind.FAILED,)), follower.positions, PARSER)
    assert follower.news() == [2]


def test_what_may_not_be_read_is_told_once(
    log: JitsuLog, failed: JitsuLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed.write(failed_line(1))
    log.write(event_line(2))
    secret = tmp_path / "secret"
    secret.mkdir()
    scan, open_file = os.scandir, Path.open

    def scandir(path: Path) -> Any:  # root, who may run this, may read everything
        if path == secret:
            raise PermissionError(13, "Permission denied")
        return scan(path)

    def open_it(path: Path, mode: str) -> Any:
        if path == log.live:
            raise PermissionError(13, "Permission denied")
        return open_file(path, mode)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(Path, "open", open_it)
    follower = Follower(tmp_path)
    assert follower.news() == [1]
    assert follower.news() == []
    assert {fault.message: fault.reason for fault in follower.faults} == {
        "log file cannot be read": "Permission denied",
        "folder of logs cannot be read": "Permission denied",
    }
    assert len(follower.faults) == 2


def test_folders_of_past_days_are_listed_again_when_they_change(tmp_path: Path) -> None:
    folder = tmp_path / "archive" / "2026-11-27"
    log = JitsuLog(tmp_path, "archive/streaming-archive.dst=d")
    log.write(event_line(1))
    log.zip(log.rotate(), folder)
    follower = Follower(tmp_path)
    os.utime(folder, ns=(0, 0))
    assert follower.news() == [1]
    assert follower.news() == []
    assert follower.news() == []
    assert not any(json.loads(value).get("gone_s") for key, value in follower.saved.items())
    log.write(event_line(2))
    log.zip(log.rotate(), folder)
    assert follower.news() == [2]


class JitsuAtWork:
    """Writes, renames and zips a log step by step, while it is followed."""

    def __init__(self, directory: Path) -> None:
        self.log = JitsuLog(directory, "incoming/incoming.tok=shop")
        self.follower = Follower(directory)
        self.archive = directory / "archive" / "2026-11-28"
        self.written = 0
        self.half = b""
        self.renamed: list[Path] = []
        self.found: list[int] = []

    def write_line(self) -> None:
        self.log.write(self.half or event_line(self.written))
        self.written, self.half = self.written + 1, b""

    def write_half(self) -> None:
        if not self.half:
            line = event_line(self.written)
            self.log.write(line[:30], end=b"")
            self.half = line[30:]

    def rotate(self) -> None:
        if self.log.live.exists() and not self.half:
            self.renamed.append(self.log.rotate())

    def zip(self) -> None:
        if self.renamed:
            self.log.zip(self.renamed.pop(), self.archive)

    def zip_slowly(self) -> None:
        if self.renamed:
            path = self.renamed.pop(0)
            zipped = self.log.zip_copy(path)
            whole = zipped.read_bytes()
            for size in (0, 5, len(whole) // 2, len(whole)):
                zipped.write_bytes(whole[:size])
                self.follow()
            path.unlink()

    def follow(self) -> None:
        self.found += self.follower.news()

    def restart(self) -> None:
        self.follower.restart()


STEPS = ["write_line", "write_half", "rotate", "zip", "zip_slowly", "follow", "restart"]


@fuzz
@hypothesis.given(steps=st.lists(st.sampled_from(STEPS)))
def test_whatever_happens_to_the_files_each_line_comes_once_fuzz(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    jitsu = JitsuAtWork(tmp_path_factory.mktemp("logs"))
    for step in [*steps, "follow"]:
        getattr(jitsu, step)()
    assert jitsu.found == [*range(jitsu.written)]
    assert jitsu.follower.faults == []
