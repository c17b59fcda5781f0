"""The keys of the streams do not collide."""

from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from eventscache.storage.redis.keys import EXTRA_KINDS, KINDS, Keys
from eventscache.stream import Namespace, Stream

awkward = st.text(
    st.sampled_from("#:{}%\n\0*?[],/a\N{PILE OF POO}e\u0301\u00e9\ud800 "), min_size=1, max_size=40
) | st.text(min_size=1, max_size=128)

ALL_KINDS = (*KINDS, *EXTRA_KINDS)


@given(st.lists(st.tuples(st.sampled_from(Namespace), awkward), min_size=2, max_size=5, unique=True))
def test_streams_share_no_key_and_each_has_one_slot(names: list[tuple[Namespace, str]]) -> None:
    keys = Keys("eventscache")
    named = [keys.all(Stream(*name)) for name in names]
    assert len({key for of_one in named for key in of_one}) == len(ALL_KINDS) * len(names)
    for of_one in named:
        assert len({key_slot(key.encode()) for key in of_one}) == 1
        assert all(key.isascii() and key.isprintable() and " " not in key for key in of_one)
