"""Entries of read tokens: their forms, and what is wrong with them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventscache.access.read_token_entries import parse_read_token_file, parse_read_tokens
from eventscache.access.read_tokens import ReadToken
from eventscache.access.some_streams import SomeStreams
from eventscache.errors import ConfigError
from eventscache.stream import Namespace

SECRET = "s3cr3t"
ENTRY = {"token": SECRET, "ids": ["shop-*", "checkout"]}
STREAMS = SomeStreams(("shop-*", "checkout"))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (ENTRY, ReadToken(SECRET, STREAMS)),
        ({"token": f" {SECRET} ", "ids": " shop-* , ,checkout,shop-*"}, ReadToken(SECRET, STREAMS)),
        ({"token": 123, "ids": [7]}, ReadToken("123", SomeStreams(("7",)))),
        ({**ENTRY, "namespaces": "token"}, ReadToken(SECRET, SomeStreams(STREAMS.ids, (Namespace.TOKEN,)))),
        ({**ENTRY, "namespaces": ["destination", "token"]}, ReadToken(SECRET, STREAMS)),
        ({**ENTRY, "namespaces": None}, ReadToken(SECRET, STREAMS)),
    ],
)
def test_an_entry_has_a_token_ids_and_perhaps_namespaces(entry: dict[str, Any], expected: ReadToken) -> None:
    assert parse_read_tokens([entry]) == (expected,)
    assert parse_read_tokens(json.dumps([entry])) == (expected,)
    assert parse_read_token_file(json.dumps([entry]).encode()) == (expected,)


def test_a_file_is_yaml_and_an_empty_list_takes_all_tokens_away() -> None:
    text = f"# the shop\n- token: {SECRET}\n  ids: [shop-*, checkout]\n- {{token: b, ids: '*', namespaces: token}}\n"
    shop, other = parse_read_token_file(text.encode())
    assert shop == ReadToken(SECRET, STREAMS)
    assert other == ReadToken("b", SomeStreams(("*",), (Namespace.TOKEN,)))
    assert parse_read_token_file(b"[] # nobody") == ()


FAULTS: list[tuple[Any, str]] = [
    (SECRET, "must be a list of entries"),
    ({"token": SECRET}, "must be a list of entries"),
    ([SECRET], "entry 1: must have token, ids"),
    ([ENTRY, [SECRET]], "entry 2: must have token, ids"),
    ([{"ids": ["a"]}], "entry 1: its token is missing"),
    ([{**ENTRY, "token": ""}], "entry 1: its token is empty"),
    ([{**ENTRY, "token": "  "}], "entry 1: its token is empty"),
    ([{**ENTRY, "token": [SECRET]}], "entry 1: its token must be a string"),
    ([{**ENTRY, "token": True}], "entry 1: its token must be a string"),
    ([{**ENTRY, "token": "demo_admin"}], "entry 1: its token is one that Jitsu publishes"),
    ([{**ENTRY, "token": "${env.SHOP}"}], "entry 1: its token holds ${"),
    ([{"token": SECRET}], "entry 1: names no ids; write '*' for all"),
    ([{**ENTRY, "ids": []}], "entry 1: names no ids"),
    ([{**ENTRY, "ids": " , "}], "entry 1: names no ids"),
    ([{**ENTRY, "ids": {SECRET: 1}}], "entry 1: ids must be a list"),
    ([{**ENTRY, "ids": [[SECRET]]}], "entry 1: ids: each must be a string"),
    ([{**ENTRY, "ids": ["a,b"]}], "entry 1: ids: the id holds a comma"),
    ([{**ENTRY, "ids": ["a\u200b"]}], "entry 1: ids: the id holds the invisible character U+200B"),
    ([{**ENTRY, "namespaces": [SECRET]}], "entry 1: namespaces can be only token and destination"),
    ([{**ENTRY, "namespaces": []}], "entry 1: namespaces can be only"),
    ([{**ENTRY, "namespaces": "tokens"}], "entry 1: namespaces can be only"),
    ([{**ENTRY, "namespaces": 5}], "entry 1: namespaces must be a list"),
    ([{SECRET: ["shop-*"]}], "entry 1: has a key that is none of token, ids, namespaces"),
    ([{**ENTRY, "id": "a"}], "entry 1: has a key that is none of"),
    ([ENTRY, {"token": "b", "ids": "a"}, ENTRY], "entry 3: its token is that of entry 1"),
]


@pytest.mark.parametrize(("value", "message"), FAULTS)
def test_a_fault_names_the_entry_and_shows_nothing_of_it(value: Any, message: str) -> None:
    for text in (value, json.dumps(value)):
        with pytest.raises(ConfigError) as fault:
            parse_read_tokens(text)
        assert str(fault.value).startswith(message)
        assert SECRET not in str(fault.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"# nobody\n", b"token: s3cr3t", b"- s3cr3t", b"[s3cr3t", b"- *s3cr3t", b"\xff", b"[" * 5000],
)
def test_a_file_without_a_valid_list_is_an_error(content: bytes) -> None:
    with pytest.raises(ConfigError) as fault:
        parse_read_token_file(content)
    assert SECRET not in str(fault.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["token", "ids", "namespaces", "x"]), inner, max_size=3)
    ),
)


@given(VALUES)
def test_any_value_is_a_list_of_read_tokens_or_an_error(value: Any) -> None:
    try:
        tokens = parse_read_tokens(value)
    except ConfigError:
        return
    assert all(token.token and token.streams.ids and token.streams.namespaces for token in tokens)
