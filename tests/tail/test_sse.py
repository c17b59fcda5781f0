"""Server-sent events are parsed alike, however they are cut into pieces."""

import pytest

from eventscache.tail import sse
from eventscache.tail.sse import Message, SseParser

TEXT = (
    "retry: 1000\n\n"
    ": a comment\n\n"
    'event: event\nid: dCJIw0E8.1.IXVP\ndata: {"a":"é\u2028"}\n\n'
    "data: one\r\ndata:two\r\n\r\n"
    "event: ready\rdata: {}\r\r"
    "id: no data\n\n"
    "id: steers\x1b\nunknown: x\ndata\ndata:  two blanks\n\n"
    "event: unfinished\ndata: {}\n"
).encode()
MESSAGES = [
    Message("event", '{"a":"é\u2028"}'.encode(), "dCJIw0E8.1.IXVP"),
    Message("message", b"one\ntwo", None),
    Message("ready", b"{}", None),
    Message("message", b"\n two blanks", None),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 10_000])
def test_pieces_of_any_size_give_the_same_messages(size: int) -> None:
    parser = SseParser()
    pieces = [TEXT[start : start + size] for start in range(0, len(TEXT), size)]

    assert [message for piece in pieces for message in parser.feed(piece)] == MESSAGES


@pytest.mark.parametrize("at", range(len(TEXT)))
def test_a_cut_at_any_place_changes_nothing(at: int) -> None:
    parser = SseParser()

    assert [*parser.feed(TEXT[:at]), *parser.feed(TEXT[at:])] == MESSAGES


@pytest.mark.parametrize("text", [b"x" * 60, b"data: x\n" * 10])
def test_a_message_without_an_end_is_not_kept_for_ever(text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "_LONGEST_BYTES", 8)
    parser = SseParser()
    pieces = [text[start : start + 5] for start in range(0, len(text), 5)]
    with pytest.raises(ValueError, match="too long"):
        [*map(parser.feed, pieces)]
