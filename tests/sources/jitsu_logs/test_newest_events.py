"""What is kept of a backlog."""

import random

from eventscache.event import Event
from eventscache.sources.jitsu_logs.newest_events import NewestEvents
from eventscache.stream import Namespace, Stream

STREAM, OTHER = Stream(Namespace.DESTINATION, "d"), Stream(Namespace.DESTINATION, "e")


def numbers(records: list[tuple[Stream, Event]]) -> list[int]:
    return [int(event.uid) for _, event in records]


def test_the_newest_of_each_stream_stay_in_their_order() -> None:
    newest = NewestEvents(3)
    shuffled = [*range(100)]
    random.Random(1).shuffle(shuffled)
    for number in shuffled:
        newest.add(STREAM, Event(uid=str(number), original=b"{}"), f"{number:03}")
    newest.add(OTHER, Event(uid="7"), "007")

    kept = newest.take()

    assert numbers(kept.events) == [7, 97, 98, 99]
    assert (kept.older_errors, kept.passed_over) == ([], 97)
    assert newest.take() == ([], [], 0)


def test_older_errors_stay_beside_newer_successes() -> None:
    newest = NewestEvents(2)
    for number in range(10):
        newest.add(STREAM, Event(uid=str(number), error="e" if number < 4 or number == 9 else ""), f"{number}")
    kept = newest.take()
    assert (numbers(kept.older_errors), numbers(kept.events), kept.passed_over) == ([3], [8, 9], 7)


def test_equal_times_keep_the_order_and_the_size_is_known() -> None:
    newest = NewestEvents(2)
    for number in range(5):
        newest.add(STREAM, Event(uid=str(number), original=b"x" * 100), "same")
    assert newest.size_bytes == 200
    assert numbers(newest.take().events) == [3, 4]
    assert newest.size_bytes == 0
