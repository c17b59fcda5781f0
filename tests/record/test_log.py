"""Logs: their bounds in bytes, in age and in what they cost."""

import pytest

from eventscache.clock import MICROSECONDS
from eventscache.conformance.manual_clock import ManualClock
from eventscache.record.log import ENTRY_BYTES, Entry, Log
from eventscache.record.missed import Missed
from eventscache.stream import Namespace, Stream

STREAM = Stream(Namespace.TOKEN, "key")
MINUTE_US = 60 * MICROSECONDS


class LogBench:
    """A log of `max_bytes` for ten minutes, that takes events while it is open, and a ledger of all of them."""

    def __init__(self, max_bytes: int = 64_000) -> None:
        self.clock = ManualClock()
        self.count = 0
        self.began_us = self.clock()
        self.log = Log(max_bytes, 10 * MINUTE_US, 1000, lambda: self.count, self.clock())

    def add(self, size_bytes: int = 1000 - ENTRY_BYTES, events: int = 1) -> None:
        self.count += events
        if self.log.is_open:
            self.log.add(Entry(self.clock(), STREAM, "x", self.count), events, size_bytes)

    def pass_seconds(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(MICROSECONDS)
            self.log.tend(self.clock())

    def kept(self) -> list[int]:
        return [entry.held for entry in self.log.newest_first()]

    def missed(self) -> Missed | None:
        return self.log.missed(self.clock())


def test_entries_are_kept_until_their_age_is_reached_and_the_log_says_since_when_it_is_complete() -> None:
    bench = LogBench()
    bench.add()
    added_us = bench.clock()
    bench.pass_seconds(120)
    bench.add()
    bench.pass_seconds(8 * 60)
    assert (bench.kept(), bench.log.since_us) == ([2, 1], bench.began_us)
    bench.pass_seconds(1)
    assert (bench.kept(), bench.log.since_us) == ([2], added_us)
    bench.pass_seconds(10 * 60)
    assert (bench.kept(), bench.log.size_bytes) == ([], 0)


def test_an_entry_that_shares_a_segment_stays_a_sixteenth_of_the_age_longer_at_most() -> None:
    bench = LogBench(1_000_000)
    for _ in range(10 * 60):
        bench.add(1)
        bench.pass_seconds(1)
    bench.pass_seconds(40)
    oldest_us = min(entry.at_us for entry in bench.log.newest_first())
    assert bench.clock() - oldest_us <= 10 * MINUTE_US * 17 // 16 + MICROSECONDS
    assert bench.log.since_us < oldest_us


def test_the_oldest_leave_first_when_the_bytes_are_reached() -> None:
    bench = LogBench()
    for _ in range(500):
        bench.add()
        bench.pass_seconds(1)
    kept = bench.kept()
    assert kept == [*range(500, 500 - len(kept), -1)]
    assert 55 <= len(kept) <= 64
    assert bench.log.size_bytes <= 64_000
    oldest_us = min(entry.at_us for entry in bench.log.newest_first())
    assert bench.log.since_us == oldest_us - MICROSECONDS
    assert bench.missed() is None


def test_what_comes_too_fast_is_counted_and_the_log_opens_again() -> None:
    bench = LogBench()
    for _ in range(100):
        bench.add()
    assert len(bench.kept()) == 16  # a quarter of the bytes
    assert bench.missed() == Missed(bench.clock(), bench.clock(), 84)
    began_us = bench.clock()
    bench.pass_seconds(1)
    for _ in range(10):
        bench.add()
    assert len(bench.kept()) == 17  # a 64th more in a second
    missed = bench.missed()
    assert missed
    assert (missed.events, missed.first_us) == (93, began_us)
    assert len(bench.kept()) + missed.events == bench.count
    assert bench.log.since_us == bench.began_us


def test_a_flood_leaves_a_minute_of_entries() -> None:
    bench = LogBench()
    for _ in range(1000):
        for _ in range(50):
            bench.add()
        bench.pass_seconds(1)
    oldest_us = min(entry.at_us for entry in bench.log.newest_first())
    assert bench.clock() - oldest_us >= 55 * MICROSECONDS
    missed = bench.missed()
    assert missed
    assert bench.log.since_us >= missed.first_us  # what was missed before that is forgotten
    assert missed.events >= 600 * 49


def test_what_was_missed_is_forgotten_with_its_age_and_never_known_afterwards() -> None:
    bench = LogBench()
    for _ in range(100):
        bench.add()
    bench.pass_seconds(1)
    end_us = bench.clock()
    bench.pass_seconds(10 * 60 + 1)
    assert bench.missed() is None
    assert bench.log.since_us == end_us


@pytest.mark.parametrize("size_bytes", [16_000, 64_001, 10**9])
def test_an_entry_that_would_push_out_many_others_is_missed(size_bytes: int) -> None:
    bench = LogBench()
    bench.add()
    bench.add(size_bytes, events=7)
    bench.add()
    assert bench.kept() == [9, 1]
    missed = bench.missed()
    assert missed
    assert missed.events == 7


@pytest.mark.parametrize("max_bytes", [1, 15, 16, 1000])
def test_a_log_without_room_for_anything_knows_that_it_misses_all(max_bytes: int) -> None:
    bench = LogBench(max_bytes)
    for _ in range(20):
        bench.add()
        bench.pass_seconds(1)
    missed = bench.missed()
    assert missed
    assert (bench.kept(), missed.events) == ([], 20)


def test_entries_may_come_and_go_while_they_are_read() -> None:
    bench = LogBench()
    for _ in range(60):
        bench.add()
        bench.pass_seconds(1)
    entries = bench.log.newest_first()
    newest = [next(entries).held for _ in range(3)]
    for _ in range(30):
        bench.add()
        bench.pass_seconds(1)
    rest = [entry.held for entry in entries]
    assert newest + rest == [*range(60, 60 - len(newest + rest), -1)]
    assert min(rest) > 20
