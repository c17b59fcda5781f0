"""Read tokens: which one matches, and what it must not equal."""

import pytest

from eventscache.access.read_tokens import ReadToken, ReadTokens, check_read_tokens
from eventscache.access.some_streams import SomeStreams
from eventscache.access.tokens import Tokens
from eventscache.errors import ConfigError

SHOP, BLOG = SomeStreams(("shop",)), SomeStreams(("blog",))


def test_a_token_stands_for_its_streams() -> None:
    tokens = ReadTokens([ReadToken("one", SHOP), ReadToken("two", BLOG)])
    known = tokens.match(["two"])
    assert known
    assert known.streams == BLOG
    assert tokens.find(known.digest) == known
    for given in ([], [""], ["three"], ["one", "two"], ["one", "one"]):
        assert tokens.match(given) is None
    assert ReadTokens().match([""]) is None


def test_tokens_of_a_file_are_valid_besides_those_listed_and_replace_each_other() -> None:
    tokens = ReadTokens([ReadToken("listed", SHOP)])
    tokens.replace([ReadToken("first", BLOG)])
    assert tokens.match(["first"])
    tokens.replace([ReadToken("second", BLOG)])
    assert not tokens.match(["first"])
    assert tokens.match(["second"])
    assert tokens.match(["listed"])
    tokens.replace([])
    assert not tokens.match(["second"])
    assert tokens.match(["listed"])


def test_no_token_of_a_file_is_one_that_may_do_more_or_is_listed() -> None:
    tokens = ReadTokens([ReadToken("listed", SHOP)], (Tokens(["admin"]), Tokens(["ingest"])))
    tokens.check([ReadToken("other", SHOP)])
    for text in ("admin", "ingest", "listed"):
        with pytest.raises(ConfigError, match=r"^entry 2: its token is") as fault:
            tokens.check([ReadToken("other", SHOP), ReadToken(text, SHOP)])
        assert f" {text} " not in str(fault.value).replace("an admin or ingest token", "")


def test_no_listed_token_is_one_that_may_do_more() -> None:
    check_read_tokens([ReadToken("a", SHOP)], ["b"])
    with pytest.raises(ConfigError, match=r"^entry 1: its token is an admin or ingest token too"):
        check_read_tokens([ReadToken("a", SHOP)], ["b", "a"])


def test_a_token_is_not_shown() -> None:
    assert "s3cr3t" not in f"{ReadToken('s3cr3t', SHOP)!r} {ReadTokens([ReadToken('s3cr3t', SHOP)])!r}"
