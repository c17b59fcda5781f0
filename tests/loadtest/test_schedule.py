"""When requests are due; time is an argument."""

from itertools import count, islice

from eventscache.loadtest.schedule import Schedule


def taken(schedule: Schedule, now: float) -> list[float]:
    return list(iter(lambda: schedule.take(now), None))


def test_at_a_rate_requests_are_due_at_even_times_also_after_a_stall() -> None:
    schedule = Schedule(10, None, 1)
    schedule.start(100)
    assert taken(schedule, 99) == []
    assert taken(schedule, 100.05) == [100]
    assert schedule.next(100.05) == 100.1
    # A stall: what was due meanwhile keeps its time.
    assert taken(schedule, 100.55) == [100.1, 100.2, 100.3, 100.4, 100.5]
    assert taken(schedule, 200) == [100.6, 100.7, 100.8, 100.9]
    assert schedule.next(200) is None
    assert schedule.end == 101


def test_a_number_of_requests_can_end_it_before_the_time_does() -> None:
    for rate in (10, None):
        schedule = Schedule(rate, 3, 100)
        schedule.start(0)
        assert len(taken(schedule, 50)) == 3
        assert schedule.next(50) is None


def test_without_a_rate_a_request_is_due_whenever_asked_until_time_is_over() -> None:
    schedule = Schedule(None, None, 2)
    schedule.start(10)
    assert [schedule.take(now) for now in (10, 10.5, 11.9, 12)] == [10, 10.5, 11.9, None]
    assert schedule.next(11) == 11


def test_stopping_returns_what_was_due_and_not_taken() -> None:
    schedule = Schedule(10, None, None)
    schedule.start(0)
    assert schedule.take(0.35) == 0
    assert schedule.stop(0.35) == [0.1, 0.2, 0.3]
    assert schedule.next(9) is None
    closed = Schedule(None, None, None)
    closed.start(0)
    assert list(islice((closed.take(now) for now in count()), 3)) == [0, 1, 2]
    assert closed.stop(3) == []
    assert closed.take(4) is None
