"""The names of keys: each stream has its own, and nothing in an id moves them to another slot."""

from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from eventscache.storage.redis.keys import EXTRA_KINDS, KINDS, Keys
from eventscache.stream import Namespace, Stream
from tests.support.fuzz import fuzz

IDS = st.text(min_size=1, max_size=12) | st.lists(st.sampled_from("{}:.%#*?[]\\\n té\U0001f600aA07"), min_size=1).map(
    "".join
)
IDS |= st.characters(codec=None, categories=["Cs"])  # what a storage of another version may have let in
STREAMS = st.builds(Stream, st.sampled_from(Namespace), IDS)
KEYS = Keys("eventscache")

ALL_KINDS = (*KINDS, *EXTRA_KINDS)


def slot_tag(key: str) -> str:
    """Return what a Cluster hashes: the text between the first brace and the next closing one."""
    _, opening, rest = key.partition("{")
    tag, closing, _ = rest.partition("}")
    return tag if opening and closing and tag else key


@fuzz
@given(STREAMS)
def test_all_keys_of_a_stream_share_a_slot_and_name_it(stream: Stream) -> None:
    keys = KEYS.all(stream)
    assert keys == [KEYS.key(stream, kind) for kind in ALL_KINDS]
    assert len(set(keys)) == len(ALL_KINDS)
    (tag,) = set(map(slot_tag, keys))
    namespace, _, quoted = tag.partition(".")
    assert stream == (
        {each[0]: each for each in Namespace}[namespace],
        unquote(quoted, errors="surrogatepass"),
    )
    for key in keys:
        assert key.startswith("eventscache:v1:")
        assert key.isascii()
        assert key.isprintable()
        assert (key.count("{"), key.count("}"), key.count(" ")) == (1, 1, 0)


@fuzz
@given(STREAMS, STREAMS)
def test_two_streams_share_no_key(one: Stream, other: Stream) -> None:
    shared = set(KEYS.all(one)) & set(KEYS.all(other))
    assert (len(shared) == len(ALL_KINDS)) if one == other else not shared
    assert not set(KEYS.all(one)) & {KEYS.registry(namespace) for namespace in Namespace}
