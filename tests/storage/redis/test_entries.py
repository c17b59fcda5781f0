"""The entries of a page: what the module in C makes is what the pattern gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventscache.storage.messages import Entry
from eventscache.storage.redis import codec, entries
from eventscache.stream import Status

LOGGED = st.one_of(
    st.from_regex(rb"\A[ske][0-9]{1,17}:[0-9]{1,17}\Z"),
    st.from_regex(rb"\A[a-z]?[0-9:\0\n ]*\Z"),
    st.binary(max_size=30),
)
EVENT = st.binary(max_size=8)


@pytest.mark.skipif(not entries.COMPILED, reason="the module in C was not built")
@given(st.lists(LOGGED, max_size=5), st.lists(EVENT, max_size=5))
def test_c_makes_what_the_pattern_gives(log: list[bytes], events: list[bytes]) -> None:
    rest = (log, events, 6, codec._STATUSES, Entry)
    assert entries.make_entries(*rest) == entries.entries_by_pattern(*rest)


def test_an_entry_has_its_fields() -> None:
    [made] = codec.entries([b"k1790000000000000:12"], [b"event"])
    assert type(made) is Entry
    assert made == Entry(sequence=12, admitted_us=1_790_000_000_000_000, status=Status.SKIP, event=b"event")
    assert hash(made) == hash(tuple(made))


def test_what_something_else_wrote_is_left_out() -> None:
    log = [b"s1:1", b"", b"x1:1", b"s1", b"s:1", b"s1:", b"s1:1 ", b"s1:1\0", b"s-1:1", b"S1:1", b"s1:1:1", b"e2:2"]
    assert [made.sequence for made in codec.entries(log, [b""] * len(log))] == [1, 2]
