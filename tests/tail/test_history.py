"""The cached events that come first."""

from eventscache.tail.history import History


def event(minute: int, name: str) -> bytes:
    return b'{"timestamp":"2026-11-23T21:%02d:00Z","uid":"%s"}' % (minute, name.encode())


def test_the_newest_are_kept_in_the_order_of_their_times() -> None:
    history = History(3)
    for minute in (5, 1, 9, 3, 7):
        history.add(event(minute, "x"))

    assert history.take() == [event(5, "x"), event(7, "x"), event(9, "x")]
    assert history.came == 5


def test_events_of_the_same_time_stay_in_their_order() -> None:
    history = History(5)
    for name in "abc":
        history.add(event(1, name))

    assert history.take() == [event(1, name) for name in "abc"]


def test_an_event_without_a_time_stays_behind_the_one_before_it() -> None:
    history = History(6)
    odd = [b"{}", b'{"timestamp":"today"}', b"broken", b'{"timestamp":7}']
    for data in (event(2, "first"), *odd, event(1, "last")):
        history.add(data)

    assert history.take() == [event(1, "last"), event(2, "first"), *odd]


def test_none_are_kept_if_none_are_wanted() -> None:
    history = History(0)
    history.add(event(1, "x"))

    assert history.take() == []
