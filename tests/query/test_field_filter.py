"""Filters by a field, in the words of the page."""

import json
from typing import Any

import pytest

from eventscache.event import Event
from eventscache.query.field_filter import parse_field_filter
from tests.support.paths import ROOT

# What the page reads as well: `tests/ui/test_models.py` has the same cases.
CASES = json.loads((ROOT / "tests/query/field_filters.json").read_text(encoding="utf-8"))

ORIGINAL = (
    rb'{"user":{"email":"Ann@Jitsu.com","id":12345678901234567890},"price":1.10,"n":"7","odd key":{"x":"y"},'
    rb'"items":[{"sku":"a-1"},{"sku":"b"}],"flat.name":"f","name":"\u041f\u0440 \u0026 \"co\"","ok":true,"none":null,'
    rb'"list":[1,2],"empty":""}'
)
SUCCESS = (
    b'{"destination_id":"d","table":"events","record":['
    b'{"field":"full_name","type":"text","value":"Ann Lee"},{"field":"price","type":"number","value":99}]}'
)
EVENT = Event(original=ORIGINAL, success=SUCCESS)


@pytest.mark.parametrize(
    ("expression", "selects"),
    [
        ("user.email = Ann@Jitsu.com", True),
        ("user.email=Ann@Jitsu.com", True),
        ("user.email = ann@jitsu.com", False),
        ("user.email ~ jitsu", True),
        ("-user.email ~ jitsu", False),
        ("- user.email ~ other", True),
        ("user.email != x", True),
        ("-user.email != x", False),
        ("user.id = 12345678901234567890", True),
        ("user.id = 12345678901234567891", False),
        ("user.id > 12345678901234567889", True),
        ("price = 1.1", True),
        ("price = 110e-2", True),
        ("price > 1.0999", True),
        ("price < 1.1", False),
        ("price = 99", False),
        ("n = 7.0", True),
        ("n > 6", True),
        ('["odd key"].x = y', True),
        ("items[0].sku = a-1", True),
        ("items[1].sku = a-1", False),
        ("items[7].sku = a-1", False),
        ("flat.name = f", True),
        ('name = "Пр & \\"co\\""', True),
        ("name ~ пр &", True),
        ("ok = true", True),
        ("none = null", True),
        ("list ~ 1,2", True),
        ('empty = ""', True),
        ("empty != x", True),
        ("missing = x", False),
        ("missing != x", True),
        ("-missing = x", True),
        ("missing > 1", False),
        ("full_name ~ lee", True),
        ("table = events", True),
        ("price = (5, 1.1)", True),
        ("price = (5, 6)", False),
        ("price != (5, 6)", True),
        ("price != (5, 1.10)", False),
        ('user.email ~ ("x, y", "jitsu")', True),
        ("user.email = (a,Ann@Jitsu.com,b)", True),
        ("-n = (1,7)", False),
        ("n > (9, 1)", True),
    ],
)
def test_an_expression_selects_events_by_a_field(expression: str, selects: bool) -> None:
    assert parse_field_filter(expression).matches(EVENT) is selects


@pytest.mark.parametrize("original", [b"", b"[1]", b"{broken", b"\xff", b'"text"'])
def test_what_is_no_object_has_no_fields(original: bytes) -> None:
    assert not parse_field_filter("a = 1").matches(Event(original=original))
    assert parse_field_filter("a != 1").matches(Event(original=original, success=original))


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", "expression"),
        ("user.email", "expression"),
        ("= x", "expression"),
        ("a b = x", "expression"),
        ("a =", "no value"),
        ("a = ()", "no value"),
        ("a > x", "numbers"),
        ("a < (1, x)", "numbers"),
        ("a ? x", "expression"),
        ("a..b = x", "expression"),
        ("a[x] = 1", "expression"),
        ("a" * 1001, "1000"),
    ],
)
def test_what_is_no_expression_is_refused_with_its_fault(expression: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_field_filter(expression)


@pytest.mark.parametrize("text", ["(" * 900, '"' * 900, "\\" * 900, ("a," * 450), '"\\' * 450, "1" * 990, "1e" * 450])
def test_odd_values_are_read_in_no_time(text: str) -> None:
    parse_field_filter(f"a = {text}").matches(EVENT)
    parse_field_filter(f"a = ({text})").matches(EVENT)


@pytest.mark.parametrize(("expression", "read"), CASES)
def test_an_expression_is_read_as_the_page_reads_it(expression: str, read: list[Any] | None) -> None:
    if read is None:
        with pytest.raises(ValueError, match=r"[a-z]"):
            parse_field_filter(expression)
        return
    found = parse_field_filter(expression)

    assert [found.negated, [*found.path], found.operator, [*found.values]] == read
