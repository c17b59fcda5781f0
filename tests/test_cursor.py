import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventscache.cursor import Cursor, part, written
from eventscache.stream import Namespace, Stream

STREAMS = [Stream(Namespace.TOKEN, "key"), Stream(Namespace.DESTINATION, "key"), Stream(Namespace.TOKEN, "ü 好")]


@given(st.lists(st.integers(0, 2**53), min_size=3, max_size=3))
def test_a_cursor_says_how_far_each_stream_was_read(positions: list[int]) -> None:
    text = written(part(*pair) for pair in zip(STREAMS, positions, strict=True))
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
    assert [Cursor.parse(text).position(stream) for stream in STREAMS] == positions


def test_a_stream_that_is_not_named_was_not_read() -> None:
    assert Cursor.parse(part(STREAMS[0], 7)).position(STREAMS[1]) == 0


def test_a_cursor_of_no_streams_is_a_text_too() -> None:
    assert written([]) == "0"
    assert Cursor.parse("0").position(STREAMS[0]) == 0


def test_a_hundred_streams_fit_into_a_header() -> None:
    parts = [part(Stream(Namespace.TOKEN, str(number)), 2**53) for number in range(200)]
    assert len(written(parts)) < 8000


@pytest.mark.parametrize(
    "text", ["", "x", "12345678", "12345678.", "12345678.A", "1234567.1", "12345678.1-", "a b", "1"]
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        Cursor.parse(text)
