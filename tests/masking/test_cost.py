"""What masking costs, in steps: twice the text takes twice the steps, whatever a stranger writes into it."""

import json
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eventscache.event import Event
from eventscache.masking.column_pattern import ColumnPattern
from eventscache.masking.field_paths import Action, FieldPaths
from eventscache.masking.ip_addresses import truncated, truncated_if_alone
from eventscache.masking.json_fields import JsonFields
from eventscache.masking.mask import Mask
from eventscache.masking.replacer import Replacer, quoted_values

PATHS = ["*.*.*.email", "**.user.**.email", "**.email", "user.email"]


def calls(function: Callable[[], Any]) -> int:
    """Return how many calls a function makes, of Python and of C."""
    count = 0

    def on_event(_: Any, event: str, __: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(on_event)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count


def event(original: Any, **texts: Any) -> Event:
    success = json.dumps(texts.pop("success")).encode() if "success" in texts else b""
    return Event(original=json.dumps(original).encode(), success=success, **texts)


def nested(depth: int, field: str) -> Any:
    value: Any = ["x", 1, "y"]
    for _ in range(depth):
        value = {"field": field, "value": value, "more": [1, 2]}
    return {"record": value}


def wrapped(depth: int, text: str) -> str:
    for _ in range(depth):
        text = json.dumps({"a": text})[:-1] + "\n}"
    return text


COSTLY: dict[str, Callable[[int], Event]] = {
    "dots": lambda size: event({"a": ["{" + "." * 10 * size, "{" + "." * 10 * size + "g:"]}),
    "dots in a name": lambda size: event({"." * size + "email": 1}),
    "names with dots": lambda size: event([{"a.b.c.d.email": 1}] * size),
    "IPv6 addresses": lambda size: event({"a": ["::1"] * size, "b": ",".join(["1::2"] * size)}),
    "broken IPv6 addresses": lambda size: event({"a": "{" + ",".join(["1::2::"] * size)}),
    "colons": lambda size: event({"a": "{" + ":" * size + " 1:.2" * size}),
    "IPv4 addresses": lambda size: event({"a": ["1.2.3.4"] * size, "b": " ".join(["1.2.3.4:5"] * size)}),
    "names that are addresses": lambda size: event({f"::{number}": 1 for number in range(size)}),
    "hashed values": lambda size: event([{"phone": f"value {number}"} for number in range(size)]),
    "hashed elements": lambda size: event({"phone": [*range(size)]}),
    "columns": lambda size: event({}, success={"field": "_" * size, "value": 1}),
    "nested columns": lambda size: event({}, success=nested(size // 3, "phone")),
    "nested columns, dropped": lambda size: event({}, success=nested(size // 3, "user_email")),
    "escapes": lambda size: event({"a": "\\" * size, "b": "{" + '\\"' * size}),
    "texts in texts": lambda size: event({"a": [wrapped(5, "1.2.3.4")] * (size // 10)}),
    "malformed": lambda size: Event(malformed="%41\\u0041::1 " * size),
}


@pytest.mark.parametrize("kind", COSTLY)
def test_twice_the_text_takes_at_most_twice_the_steps(kind: str) -> None:
    mask = Mask(drop=PATHS, hash=["**.phone"], ip=True, key="key")
    small, large = COSTLY[kind](300), COSTLY[kind](600)
    mask.masked(small)  # what is cached is cached
    assert calls(lambda: mask.masked(large)) <= 2.2 * calls(lambda: mask.masked(small)) + 100


def test_no_pattern_is_tried_again_at_each_dot() -> None:
    """Texts of megabytes: were a pattern quadratic in them, this would take hours."""
    for text in ("." * 3_000_000, ":." * 1_000_000 + "g:", "1." * 1_000_000, "a." * 1_000_000 + ":", "%" * 1_000_000):
        truncated(text + " g: :")
        truncated_if_alone(text)


def test_each_byte_of_nested_columns_is_hidden_at_most_twice() -> None:
    hidden = 0

    def hide(data: bytes, _: Action) -> bytes:
        nonlocal hidden
        hidden += len(data)
        return b'"***"'

    value: Any = "x"
    for number in range(100):
        value = {"field": ("a", "b")[number % 2], "value": value}
    data = json.dumps({"record": value}).encode()
    paths = FieldPaths({Action.DROP: ["a"], Action.HASH: ["b"]})
    assert JsonFields(paths, hide, columns=True).changed(data) == b'{"record": {"field": "b", "value": "***"}}'
    assert hidden < 2 * len(data)


def test_a_dropped_column_inside_a_hashed_one_is_dropped_from_the_texts() -> None:
    inner = {"field": "a", "value": "secret"}
    before = event({}, success={"record": {"field": "b", "value": [inner, "other"]}}, error="of secret and other")
    after = Mask(drop=["a"], hash=["b"], key="key").masked(before)
    assert after.error.startswith("of *** and ")
    assert b"secret" not in after.success
    assert b"other" not in after.success


@pytest.mark.parametrize("rule", ["drop", "hash"])
def test_a_name_of_more_levels_than_an_event_may_have_counts_as_matched(rule: str) -> None:
    rules: dict[str, Any] = {rule: ["**.email", "user.phone"], "key": "key"}
    name = "a." * 600 + "b"
    after = json.loads(Mask(**rules).masked(event({name: "ann@x", "b": 1, "email": 2})).original)
    assert after["b"] == 1
    assert after.get(name) != "ann@x"
    assert ("email" in after) == (rule == "hash")
    # Where no path leads, nothing matches.
    inner = event({"id": {name: 1, "email": 2}})
    assert Mask(drop=["email", "user.phone"]).masked(inner) is inner


def test_steps_of_names_are_kept_only_for_names_in_the_paths() -> None:
    paths = FieldPaths({Action.DROP: ["**.email", "user.*.id"]})
    for number in range(1000):
        paths.enter(paths.root, f"name {number}")
        paths.enter(paths.root, f"{number}.a{number}")
    assert paths._match.cache_info().currsize < 10


def test_values_that_repeat_their_beginnings_are_not_compared_for_long() -> None:
    values = ["a" * 1200 + "b" + "a" * 600 + str(number) for number in range(20)]
    before = event({"email": values}, error="a" * 24_000 + "a" * 16 + values[0])
    assert Mask(drop=["**.email"]).masked(before).error == f"[masked: {len(before.error)} bytes]"
    # The same sizes, but the texts say early that they differ.
    values = [f"{number}" + "a" * 1200 for number in range(100, 120)]
    before = event({"email": values}, error="b" * 24_000 + values[0])
    assert Mask(drop=["**.email"]).masked(before).error == "b" * 24_000 + "***"


def test_a_long_value_that_an_error_quotes_is_replaced() -> None:
    body = json.dumps([{"number": number, "text": "some text"} for number in range(500)])
    before = event({"body": body}, error=f"cannot store {body}: too long, {body[:100]}")
    assert Mask(drop=["body"]).masked(before).error == f"cannot store ***: too long, {body[:100]}"


SHORT_TEXTS = st.text(st.sampled_from("ab1_ é"), max_size=30)


@given(st.lists(st.text(st.sampled_from("ab1 é"), min_size=1, max_size=6), min_size=1, max_size=8), SHORT_TEXTS)
@example(["ab", "abab", "b"], "ababab b")
def test_values_are_replaced_as_one_pattern_of_them_all_would(values: list[str], text: str) -> None:
    replacements = {value: f"<{number}>" for number, value in enumerate(values)}
    quoted = quoted_values(replacements, text) or []
    assert quoted == sorted((value for value in replacements if value in text), key=len, reverse=True)
    pattern = "|".join(
        re.escape(value) if len(value) > 3 else rf"(?<!\w){re.escape(value)}(?!\w)"
        for value in sorted(replacements, key=len, reverse=True)
    )
    expected = replacements.get(text) or re.sub(pattern, lambda match: replacements[match[0]], text)
    assert Replacer(quoted, replacements)(text) == expected


@given(
    st.lists(st.sampled_from(["*", "**", "a", "b", "_", "a_b", "a-b", "__", "é"]), min_size=1, max_size=5),
    st.text(st.sampled_from("abA_-é"), max_size=9),
)
@example(["*", "**", "b"], "a__b")
def test_columns_match_as_a_pattern_that_backtracks_would(parts: list[str], column: str) -> None:
    parts = [*parts[:-1], "*"] if parts[-1] == "**" else parts
    levels = {"*": ".+_", "**": "(?:.+_)?"}
    pattern = "".join(levels.get(part) or re.sub(r"\W", ".", part) + "_" for part in parts)
    expected = re.fullmatch(pattern.removesuffix("_") + "(?:_.*)?", column, re.IGNORECASE)
    assert ColumnPattern(parts).matches(column) == bool(expected)
