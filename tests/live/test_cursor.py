import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventscache.event import Event
from eventscache.live.cursor import START, Cursor, Position, SentPositions, encode, encode_part, fingerprint
from eventscache.stream import Namespace, Stream

STREAMS = [Stream(Namespace.TOKEN, "key"), Stream(Namespace.DESTINATION, "key"), Stream(Namespace.TOKEN, "ü 好")]


POSITIONS = st.builds(
    Position, st.integers(0, 2**53), st.one_of(st.just(""), st.builds(fingerprint, st.builds(Event, uid=st.text())))
)


@given(st.lists(POSITIONS, min_size=3, max_size=3))
def test_a_cursor_keeps_the_position_in_each_stream(positions: list[Position]) -> None:
    text = encode(encode_part(*pair) for pair in zip(STREAMS, positions, strict=True))
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
    assert [Cursor.parse(text).position(stream) for stream in STREAMS] == positions


def test_a_stream_that_is_not_named_is_at_its_start() -> None:
    assert Cursor.parse(encode_part(STREAMS[0], Position(7))).position(STREAMS[1]) == START


def test_a_cursor_of_no_streams_is_not_empty() -> None:
    assert encode([]) == "0"
    assert Cursor.parse("0").position(STREAMS[0]) == START


def test_an_event_is_identified_by_its_fingerprint() -> None:
    event = Event(uid="one", timestamp="2026-11-23T21:18:53.893117Z")
    position = Position(7, fingerprint(event))
    assert position.matches(event)
    assert not position.matches(Event(uid="other", timestamp=event.timestamp))
    assert not position.matches(Event(uid="one", timestamp="2026-11-23T21:18:53.893118Z"))
    assert not position.emptied().matches(event)
    assert Position(7).matches(event)


def test_two_hundred_streams_fit_into_a_header() -> None:
    parts = [encode_part(Stream(Namespace.TOKEN, str(number)), Position(2**53, "abcd")) for number in range(200)]
    assert len(encode(parts)) < 8000


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
def test_a_text_that_is_no_cursor_raises(text: str) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        Cursor.parse(text)


def test_sent_positions_make_a_cursor_that_moves_with_them() -> None:
    sent = SentPositions()
    assert sent.cursor == "0"
    sent.move(STREAMS[0], Position(1))
    sent.move(STREAMS[1], Position(2))
    sent.move(STREAMS[0], Position(3))
    assert sent.get(STREAMS[0]) == Position(3)
    assert sent.get(STREAMS[2]) is None
    cursor = Cursor.parse(sent.cursor)
    assert [cursor.position(stream) for stream in STREAMS] == [Position(3), Position(2), START]


def test_two_hundred_positions_are_kept_and_those_of_followed_streams_always() -> None:
    sent = SentPositions()
    streams = [Stream(Namespace.TOKEN, str(number)) for number in range(210)]
    for stream in streams:
        sent.move(stream, Position(1))
    sent.prune(keep=streams[:5])
    assert [stream for stream in streams if sent.get(stream)] == streams[:5] + streams[15:]
    assert sent.cursor.count(".") == 200
