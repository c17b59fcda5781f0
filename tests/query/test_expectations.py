import json
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from eventscache.event import Event
from eventscache.query.expectations import MOST_EXPECTATIONS, parse_expectations
from eventscache.query.outcome import LONGEST_VALUE, MOST_ENTRIES, Outcome, shortened


def event(kind: str, uid: str = "", **fields: Any) -> dict[str, Any]:
    return {"original": {"event_type": kind}, "uid": uid or f"of-{kind}", "destination_id": "", **fields}


def match(kind: str, **fields: Any) -> dict[str, Any]:
    return {"match": {"original": {"event_type": kind}}, **fields}


def evaluate(body: Any, *events: Any) -> Outcome:
    return parse_expectations(body).evaluate(events)


def test_events_that_are_as_expected_pass() -> None:
    # given
    body = {
        "expect": [match("signup", count=1), match("page", count={"$gte": 2}), match("gone", count=0)],
        "none": [{"match": {"error": {"$exists": True}}}],
        "in_order": True,
    }

    # when
    outcome = evaluate(body, event("signup"), event("page"), event("page"))

    # then
    assert outcome.passed
    assert outcome.to_json() == {
        "passed": True,
        "may_still_pass": True,
        "events": 3,
        "unmet": [],
        "unwanted": [],
        "out_of_order": [],
    }


def test_an_event_is_matched_in_the_form_in_which_it_is_read() -> None:
    # given
    stored = Event(original=b'{"a":1.10}', success=b'{"table":"t"}', timestamp="2026-01-01T00:00:00.000000Z", uid="u1")
    read = json.loads(stored.to_json(7))

    # when
    body = {"expect": [{"match": {"original": {"a": 1.1}, "success": {"table": "t"}, "seq": 7, "error": {"$ne": "x"}}}]}

    # then
    assert evaluate(body, read).passed


def test_an_unmet_expectation_shows_the_event_that_misses_it_by_the_least() -> None:
    # given
    wanted = {"original": {"event_type": "purchase", "price": 5}, "error": {"$exists": False}}
    near = {"original": {"event_type": "purchase", "price": 4}, "uid": "near"}

    # when
    outcome = evaluate({"expect": [{"match": wanted, "name": "the sale"}]}, event("page"), near, event("page"))

    # then
    assert not outcome.passed
    assert outcome.may_still_pass
    assert outcome.to_json()["unmet"] == [
        {
            "name": "the sale",
            "count": {"$gte": 1},
            "matched": 0,
            "events": [],
            "nearest": {
                "index": 1,
                "uid": "near",
                "mismatches": 1,
                "diff": [{"path": "$.original.price", "expected": 5, "actual": 4}],
            },
        }
    ]


def test_what_is_missing_has_no_actual_value() -> None:
    outcome = evaluate({"expect": [{"match": {"a": 1, "b": None}}]}, {"b": 0})

    assert outcome.to_json()["unmet"][0]["nearest"]["diff"] == [
        {"path": "$.a", "expected": 1},
        {"path": "$.b", "expected": None, "actual": 0},
    ]


def test_of_events_that_are_equally_near_the_last_one_is_shown() -> None:
    outcome = evaluate({"expect": [match("signup")]}, event("a", "first"), event("b", "last"))

    assert outcome.to_json()["unmet"][0]["nearest"]["uid"] == "last"


def test_without_events_nothing_is_near() -> None:
    outcome = evaluate({"expect": [match("signup")]})

    assert outcome.to_json()["unmet"][0]["nearest"] is None
    assert outcome.may_still_pass


def test_too_many_events_can_never_pass_and_are_named() -> None:
    # when
    outcome = evaluate({"expect": [match("a", count={"$lt": 2})]}, event("a", "u1"), event("b"), event("a", "u2"))

    # then
    assert not outcome.may_still_pass
    assert outcome.to_json()["unmet"] == [
        {
            "name": "expect[0]",
            "count": {"$lte": 1},
            "matched": 2,
            "events": [{"index": 0, "uid": "u1"}, {"index": 2, "uid": "u2"}],
            "nearest": None,
        }
    ]


def test_an_event_that_should_not_be_there_can_never_pass() -> None:
    # when
    outcome = evaluate({"none": [{**match("a"), "name": "no a"}, match("b")]}, event("c"), event("a", "u1"))

    # then
    assert not outcome.passed
    assert not outcome.may_still_pass
    assert outcome.to_json()["unwanted"] == [{"name": "no a", "matched": 1, "events": [{"index": 1, "uid": "u1"}]}]


def test_what_comes_too_early_is_told() -> None:
    # given
    body = {"expect": [match("signup", name="first"), match("purchase", name="then")], "in_order": True}
    events = [event("purchase"), event("signup")]

    # when
    outcome = evaluate(body, *events)

    # then
    assert outcome.to_json()["out_of_order"] == [{"name": "then", "index": 0, "after": "first", "after_index": 1}]
    assert not outcome.passed
    assert outcome.may_still_pass
    assert evaluate(body, *events, event("purchase")).passed
    assert evaluate({**body, "in_order": False}, *events).passed


def test_expectations_of_the_same_events_take_one_after_the_other() -> None:
    body = {"expect": [match("page", count=2), match("page", count=2)], "in_order": True}

    assert evaluate(body, event("page"), event("page")).passed


@pytest.mark.parametrize(
    ("kinds", "may_still_pass"),
    [
        ("", True),
        ("a", True),
        ("b", False),  # b has come before a, and comes only once
        ("c", True),  # c may come again
        ("ca", True),
        ("ac", True),
        ("ba", False),
        ("acb", True),
        ("abc", True),
        ("aab", True),
        ("abb", False),
    ],
)
def test_waiting_helps_only_what_may_come_again_in_order(kinds: str, *, may_still_pass: bool) -> None:
    body = {"expect": [match("a"), match("b", count=1), match("c")], "in_order": True}

    assert evaluate(body, *map(event, kinds)).may_still_pass is may_still_pass


BODIES = [
    {"expect": [match("a"), match("b", count=1), match("c", count={"$lte": 2})], "in_order": True},
    {"expect": [match("b", count={"$lte": 1}), match("a", count={"$gte": 2, "$lt": 4})], "in_order": True},
    {"expect": [match("a", count=0), match("b")], "none": [match("c")]},
]
KINDS = st.lists(st.sampled_from("abcd"), max_size=5)


@hypothesis.given(st.sampled_from(BODIES), KINDS, KINDS)
def test_what_passes_later_was_never_given_up(body: Any, now: list[str], later: list[str]) -> None:
    first = evaluate(body, *map(event, now))
    second = evaluate(body, *map(event, now + later))

    assert first.may_still_pass or not second.passed
    assert first.may_still_pass or not first.passed


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ([], r"^\$: takes an object with expect, in_order, none"),
        ({}, r"^\$: expect and none hold 1 to 100 expectations together"),
        ({"expect": [match("a")] * 60, "none": [match("a")] * 41}, "hold 1 to 100 expectations"),
        ({"expects": []}, r"^\$\.expects: no such name; there are expect, in_order, none$"),
        ({"expect": {}}, r"^\$\.expect: takes an array"),
        ({"none": None}, r"^\$\.none: takes an array"),
        (
            {"expect": [{"match": {"$or": [{"$regex": "a"}] * 51}}] * 2},
            r"^\$: the patterns hold at most 100 regular exp",
        ),
        ({"expect": [match("a")], "in_order": 1}, r"^\$\.in_order: takes true or false"),
        ({"expect": [1]}, r"^\$\.expect\[0\]: takes an object with count, match, name"),
        ({"expect": [{"count": 1}]}, r"^\$\.expect\[0\]: has no match; write"),
        ({"none": [{"error": "x"}]}, r'^\$\.none\[0\]\.error: no such name; .*write {"match": {...}}'),
        ({"none": [match("a", count=1)]}, r"^\$\.none\[0\]\.count: no such name"),
        ({"expect": [match("a", name="")]}, r"^\$\.expect\[0\]\.name: takes a text of 1 to 200 characters"),
        ({"expect": [match("a", name="x" * 201)]}, r"name: takes a text"),
        ({"expect": [match("a", name=None)]}, r"name: takes a text"),
        ({"expect": [match("a", count="1")]}, r"^\$\.expect\[0\]\.count: takes a number"),
        ({"expect": [{"match": {"a": {"$no": 1}}}]}, r"^\$\.expect\[0\]\.match\.a\.\$no: no such operator"),
    ],
)
def test_a_fault_of_a_body_is_named_with_its_path(body: Any, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        parse_expectations(body)


def test_an_outcome_is_bounded_however_large_the_events_are() -> None:
    # given
    large = {f"name{index}": ["x" * 1000] * 100 for index in range(200)}
    body = {
        "expect": [{"match": dict.fromkeys(large, 1)}] * (MOST_EXPECTATIONS - 1),
        "none": [{"match": {"uid": {"$exists": True}}}],
    }

    # when
    shown = evaluate(body, *[{**large, "uid": "u" * 10_000}] * 60).to_json()

    # then
    nearest = shown["unmet"][0]["nearest"]
    assert nearest["mismatches"] == len(large)
    assert len(nearest["diff"]) == MOST_ENTRIES
    assert {len(entry["actual"]) for entry in nearest["diff"]} == {LONGEST_VALUE + 1}
    assert shown["unwanted"][0]["matched"] == 60
    assert len(shown["unwanted"][0]["events"]) == MOST_ENTRIES
    assert len(shown["unwanted"][0]["events"][0]["uid"]) == LONGEST_VALUE + 1


@pytest.mark.parametrize("text", ["[" * 900 + "]" * 900, '{"a":' * 900 + "1" + "}" * 900])
def test_a_deep_value_is_shown_by_its_beginning(text: str) -> None:
    assert len(shortened(json.loads(text))) == LONGEST_VALUE + 1


@pytest.mark.parametrize("event", [None, 5, [], "text", {"uid": 7}, {}])
def test_an_event_of_any_form_can_be_the_nearest(event: Any) -> None:
    nearest = evaluate({"expect": [match("a")]}, event).to_json()["unmet"][0]["nearest"]

    assert (nearest["index"], nearest["uid"]) == (0, "")


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    SCALARS | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


@hypothesis.given(JSON)
def test_what_is_shown_of_a_value_is_short_and_can_be_sent(value: Any) -> None:
    written = json.dumps(shortened(value), ensure_ascii=False).encode().decode()

    assert len(json.loads(written) if isinstance(json.loads(written), str) else written) <= LONGEST_VALUE + 1
    if len(written) < LONGEST_VALUE and "\ufffd" not in written and "…" not in written:
        assert json.loads(written) == value
