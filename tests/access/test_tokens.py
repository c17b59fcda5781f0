"""Tokens: which ones match, and the format of their file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventscache.access.tokens import Tokens, parse_tokens
from eventscache.errors import ConfigError


@pytest.mark.parametrize(
    ("content", "tokens"),
    [
        (b"one", ("one",)),
        (b"one\ntwo\n", ("one", "two")),
        (b"\n# who reads\n  one  \r\n\n\t# two\nthree # is part of it\n", ("one", "three # is part of it")),
        (b"\xef\xbb\xbfone\n", ("one",)),
        (b"a\x0cb\n", ("a\x0cb",)),
        (b"s\xc3\xa9cret\n\xff\n", ("sécret", "\udcff")),
    ],
)
def test_a_file_holds_one_token_a_line(content: bytes, tokens: tuple[str, ...]) -> None:
    assert parse_tokens(content) == tokens


@pytest.mark.parametrize("content", [b"", b"\n", b" \t\r\n", b"# none yet\n", b"\xef\xbb\xbf"])
def test_a_file_without_tokens_is_an_error(content: bytes) -> None:
    with pytest.raises(ConfigError, match="no token"):
        parse_tokens(content)


def test_tokens_of_a_file_are_valid_besides_those_listed_and_replace_each_other() -> None:
    tokens = Tokens(("listed", ""), "a-file")
    tokens.replace(("first",))
    assert tokens.match(["listed"])
    assert tokens.match(["first"])
    tokens.replace(("second",))
    assert not tokens.match(["first"])
    assert tokens.match(["second"])
    assert tokens.match(["listed"])


def test_without_tokens_nothing_matches() -> None:
    for tokens in (Tokens(()), Tokens(("",)), Tokens((), "a-file")):
        for given_tokens in ([], [""], ["any"]):
            assert not tokens.match(given_tokens)
    assert not Tokens(("one", "two")).match(["one", "two"])


def test_a_named_file_counts_as_configured_before_it_is_read() -> None:
    assert not Tokens(()).configured
    assert not Tokens(("",)).configured
    assert Tokens(("one",)).configured
    assert Tokens((), "a-file").configured


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_bytes_match_themselves_only_and_nothing_raises(known: bytes, given_bytes: bytes) -> None:
    # As aiohttp reads a header.
    listed, offered = (text.decode(errors="surrogateescape") for text in (known, given_bytes))
    assert bool(Tokens((listed,)).match([offered])) == (known == given_bytes != b"")


@given(st.text(st.characters(), max_size=40))
def test_any_text_may_be_compared(text: str) -> None:
    assert bool(Tokens((text, "other")).match([text])) == bool(text)
