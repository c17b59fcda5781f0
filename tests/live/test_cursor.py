import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventscache.event import Event
from eventscache.live.cursor import START, Cursor, Position, mark, part, written
from eventscache.stream import Namespace, Stream

STREAMS = [Stream(Namespace.TOKEN, "key"), Stream(Namespace.DESTINATION, "key"), Stream(Namespace.TOKEN, "ü 好")]


PLACES = st.builds(
    Position, st.integers(0, 2**53), st.one_of(st.just(""), st.builds(mark, st.builds(Event, uid=st.text())))
)


@given(st.lists(PLACES, min_size=3, max_size=3))
def test_a_cursor_says_how_far_each_stream_was_read(places: list[Position]) -> None:
    text = written(part(*pair) for pair in zip(STREAMS, places, strict=True))
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
    assert [Cursor.parse(text).place(stream) for stream in STREAMS] == places


def test_a_stream_that_is_not_named_was_not_read() -> None:
    assert Cursor.parse(part(STREAMS[0], Position(7))).place(STREAMS[1]) == START


def test_a_cursor_of_no_streams_is_a_text_too() -> None:
    assert written([]) == "0"
    assert Cursor.parse("0").place(STREAMS[0]) == START


def test_an_event_is_known_again_by_its_mark() -> None:
    event = Event(uid="one", timestamp="2026-11-23T21:18:53.893117Z")
    place = Position(7, mark(event))
    assert place.holds(event)
    assert not place.holds(Event(uid="other", timestamp=event.timestamp))
    assert not place.holds(Event(uid="one", timestamp="2026-11-23T21:18:53.893118Z"))
    assert not place.emptied().holds(event)
    assert Position(7).holds(event)


def test_a_hundred_streams_fit_into_a_header() -> None:
    parts = [part(Stream(Namespace.TOKEN, str(number)), Position(2**53, "abcd")) for number in range(200)]
    assert len(written(parts)) < 8000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "12345678",
        "12345678.",
        "12345678.A",
        "1234567.1",
        "12345678.1-",
        "12345678.1.",
        "12345678.1.abc",
        "12345678.1.abcde",
        "a b",
        "1",
    ],
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        Cursor.parse(text)
