"""Some streams: which ids match a pattern."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventscache.access.some_streams import Pattern, SomeStreams
from eventscache.stream import ALL_STREAMS, Namespace, Stream

TOKEN, DESTINATION = Namespace


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("shop", ["shop"], ["shop-a", "ashop", "Shop", "", "shop "]),
        ("shop-*", ["shop-", "shop-a", "shop-a-b"], ["shop", "ashop-", "SHOP-a"]),
        ("*-shop", ["-shop", "a-shop", "-shop-shop"], ["shop", "a-shop-"]),
        ("a*b*c", ["abc", "a-b-c", "abcbc"], ["ab", "ac", "acb", "abcd", "xabc"]),
        ("ab*ba", ["abba", "ab-ba"], ["aba", "ab", "ba"]),
        ("*", ["", "a", "*"], []),
        ("**", ["", "a"], []),
        ("*a*", ["a", "bab"], ["", "b"]),
        ("a.c", ["a.c"], ["abc"]),
        ("a?[b]", ["a?[b]"], ["axb", "a?b"]),
        ("Ü*", ["Üa"], ["üa"]),
    ],
)
def test_a_star_stands_for_any_characters_and_all_others_for_themselves(
    pattern: str, matching: list[str], others: list[str]
) -> None:
    streams = SomeStreams((pattern,))
    assert [text for text in matching if Stream(TOKEN, text) not in streams] == []
    assert [text for text in others if Stream(TOKEN, text) in streams] == []


@given(st.text("ab*", max_size=12), st.text("ab", max_size=24))
def test_a_pattern_matches_as_a_regular_expression_would(pattern: str, text: str) -> None:
    pattern += "*"
    expression = re.escape(pattern).replace(r"\*", ".*")
    assert Pattern.parse(pattern).matches(text) == bool(re.fullmatch(expression, text))


def test_a_pattern_made_to_take_long_does_not() -> None:
    # Tried at every place for every star, this would not end.
    assert not Pattern.parse("*a" * 250 + "*b*").matches("a" * 500)
    assert Pattern.parse("*a" * 250 + "*").matches("a" * 500)


def test_a_stream_matches_in_the_given_namespaces_only() -> None:
    both, one = SomeStreams(("a*", "b")), SomeStreams(("a*", "b"), (DESTINATION,))
    for name in ("a1", "b"):
        assert Stream(DESTINATION, name) in one
        assert Stream(TOKEN, name) not in one
        assert Stream(TOKEN, name) in both
    assert Stream(TOKEN, "c") not in both
    assert Stream(TOKEN, "any") in SomeStreams(("b*", "*n*", "c"))
    assert Stream(TOKEN, "b1") in SomeStreams(("b", "x*", "b*"))
    assert "a1" not in both
    assert Stream(TOKEN, "any") in ALL_STREAMS


def test_equal_streams_are_equal_and_say_what_they_are() -> None:
    assert SomeStreams(("a",)) == SomeStreams(("a",), (TOKEN, DESTINATION))
    assert len({SomeStreams(("a",)), SomeStreams(("a",)), SomeStreams(("b",))}) == 2
    assert str(SomeStreams(("a*", "b"))) == "a* b of token and destination"
