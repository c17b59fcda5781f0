"""Entries as JSON: what the module in C writes is what objects give, byte for byte."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eventscache.cache import splicing
from eventscache.cache.splicing import spliced
from eventscache.event import Event, Response
from eventscache.query.turns import EVENT_BYTES, PIECE_BYTES, Turns
from eventscache.storage.messages import Entry
from eventscache.stream import Status

TEXTS = st.one_of(st.text(st.characters(codec="utf-8"), max_size=40), st.text('aZ~ "\\/\n\r\t\b\0\x7f', max_size=300))
ORIGINALS = st.sampled_from([b"", b"{}", b'{"a":\r\n1}', b'{"a":"\xc3\xa9\\n"}', b'{"a":"%b"}' % (b"x" * 70_000)])
EVENTS = st.builds(
    Event,
    malformed=st.one_of(st.just(""), TEXTS),
    original=ORIGINALS,
    success=ORIGINALS,
    error=TEXTS,
    skip=TEXTS,
    timestamp=TEXTS,
    uid=TEXTS,
    destination_id=TEXTS,
    token_id=TEXTS,
    masked=st.booleans(),
    attempt=st.one_of(st.none(), st.integers(0, 9)),
    response=st.one_of(st.none(), st.builds(Response, status=st.integers(100, 599), body=TEXTS)),
)
PLAIN = Event(original=b'{"n":1}', timestamp="2026-01-01T00:00:00Z", uid="u", token_id="t").pack()
OTHERS = st.one_of(
    st.binary(max_size=20), st.integers(0, len(PLAIN)).map(lambda cut: PLAIN[:cut]), st.just(PLAIN + b"x")
)


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """Return a packed event with another byte somewhere."""
    packed = bytearray(draw(EVENTS).pack())
    packed[draw(st.integers(0, len(packed) - 1))] = draw(st.integers(0, 255))
    return bytes(packed)


PACKED = st.one_of(EVENTS.map(Event.pack), OTHERS, changed())
ENTRIES = st.lists(st.builds(Entry, st.integers(0, 2**64 - 1), st.just(1), st.just(Status.SUCCESS), PACKED), max_size=6)


def entry(packed: bytes, sequence: int = 1) -> Entry:
    return Entry(sequence, 1, Status.SUCCESS, packed)


async def pieces(entries: list[Entry], *, as_lines: bool = False) -> list[splicing.Piece]:
    return [piece async for piece in spliced(Turns(), entries, as_lines=as_lines)]


@pytest.mark.skipif(not splicing.COMPILED, reason="the module in C was not built")
@given(ENTRIES, st.integers(0, 7), st.integers(0, 200_000), st.booleans())
@example([entry(Event(error='"\\\n\r\t').pack(), 2**64 - 1)], 0, 1, False)
@example([entry(b"\x9a\xa0\xc6\xff\xff\xff\xff")], 0, 1, False)
def test_c_writes_what_objects_give(entries: list[Entry], start: int, most_bytes: int, as_lines: bool) -> None:
    other: Any = splicing._to_line if as_lines else splicing._to_object
    wanted = splicing.splice_objects(entries, start, most_bytes, EVENT_BYTES, as_lines, other)
    assert splicing.splice(entries, start, most_bytes, EVENT_BYTES, as_lines, other) == (
        wanted if start <= len(entries) else (b"", start, 0)
    )


async def test_originals_are_written_as_they_came() -> None:
    original = b'{ "a" : 1.0e0,\r\n"b":"\\u00e9" }'
    [piece] = await pieces([entry(Event(original=original).pack())])
    assert original in piece.text
    [line] = await pieces([entry(Event(original=original).pack())], as_lines=True)
    assert original.replace(b"\r\n", b"  ") in line.text


async def test_what_is_no_event_is_left_out_and_counted() -> None:
    [piece] = await pieces([entry(b"garbage"), entry(PLAIN, 7), entry(b""), entry(PLAIN, 8), entry(PLAIN[:-1])])
    assert (piece.events, piece.unreadable) == (2, 3)
    assert [event["seq"] for event in json.loads(b"[" + piece.text + b"]")] == [7, 8]


async def test_others_have_their_turns_between_the_pieces_of_a_long_page() -> None:
    turns, taken = Turns(), 0

    class Counting(Turns):
        async def next(self) -> None:
            nonlocal taken
            taken += 1
            await turns.next()

    long = entry(Event(original=b'{"a":"%b"}' % (b"x" * PIECE_BYTES)).pack())
    found = [piece async for piece in spliced(Counting(), [long] * 9, as_lines=False)]
    assert sum(piece.events for piece in found) == 9
    assert taken == len(found) - 1 > 1


async def test_no_entries_give_no_piece() -> None:
    assert await pieces([]) == []


@pytest.mark.skipif(not splicing.COMPILED, reason="the module in C was not built")
@pytest.mark.parametrize("entries", [[1], [(1, 2)], [(1, 2, 3, "text")], ["text"]])
def test_what_is_no_entry_is_refused(entries: Any) -> None:
    with pytest.raises(TypeError):
        splicing.splice(entries, 0, 1, 1, False, lambda _: None)
    with pytest.raises(ValueError, match="not negative"):
        splicing.splice([], -1, 1, 1, False, lambda _: None)
    with pytest.raises(TypeError):
        splicing.splice([entry(b"")], 0, 1, 1, False, lambda _: "text")  # type: ignore[arg-type,return-value]
    with pytest.raises(ZeroDivisionError):
        splicing.splice([entry(b"")], 0, 1, 1, False, lambda _: b"%d" % (1 // 0))
