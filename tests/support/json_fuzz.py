"""What fuzzers of JSON put together."""

from hypothesis import strategies as st

NAMES = st.sampled_from(["a", "original", "success", "events", "template", "malformed", "error", "timestamp", "seq"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)
# What strict readers and lenient ones disagree about, and what tears a text apart.
ODD = [b"NaN", b"-Infinity", b"1e400", b"-0", b"01", b"1.10", b"9" * 30, b"1" * 4301, b'"\\ud800"', b'"\xed\xa0\x80"']
ODD += [
    b'"\\udc00\\ud83d"',
    b'"\xe2\x82"',
    b'"\xff"',
    b"\xef\xbb\xbf",
    b"\x00",
    b"[" * 9,
    b"]" * 9,
    b'{"a":',
    b"}",
    b",",
    b" ",
    b"\n",
    b"\\",
    b'"',
    b"//",
]
