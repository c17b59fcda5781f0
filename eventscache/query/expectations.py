"""What a test expects of the events of a stream, and what is wrong with them.

    {"expect": [{"match": {"original": {"event_type": "signup"}}, "count": 1, "name": "the sign-up"},
                {"match": {"original": {"event_type": "purchase", "price": {"$gt": 0}}}}],
     "none": [{"match": {"error": {"$exists": true}}}],
     "in_order": true}

`match` is a pattern (`eventscache.query.pattern`) of an event as it is read by GET: `original`, `success`, `error`,
`skip`, `malformed`, `timestamp`, `uid`, `destination_id`, `token_id`, `seq` and so on; most are left out where they
are empty. So `{"success": {"$exists": true}}` matches what a destination stored, and
`{"original": {"user.email": "a@b.c"}}` what was sent for this person.

`count` is a number, or any of `$eq`, `$gt`, `$gte`, `$lt` and `$lte`; without it at least one event has to match. One
event may match several expectations. No event may match what is in `none`. With `in_order`, the events that `expect`
names come one after the other: each is the first match behind the event that was found for the one before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from eventscache.query.budget import Budget
from eventscache.query.expected_count import AT_LEAST_ONE, ExpectedCount, parse_count
from eventscache.query.json_values import deeper
from eventscache.query.outcome import Disorder, Nearest, Outcome, Unmet, Unwanted
from eventscache.query.pattern import Pattern, levels, parse_pattern

MOST_EXPECTATIONS: Final = 100
"""How many expectations there are at most, together with those of `none`."""
MOST_REGEXES: Final = 100
"""How many regular expressions all patterns hold at most: each takes time to be prepared."""
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Expectation:
    """How many events match a pattern; `name` is what it is called in an outcome."""

    name: str
    pattern: Pattern
    count: ExpectedCount


class Expectations(NamedTuple):
    """What is expected of a list of events."""

    expect: tuple[Expectation, ...]
    none: tuple[Expectation, ...] = ()
    in_order: bool = False

    def evaluate(self, events: Sequence[Any], budget: Budget | None = None) -> Outcome:
        """Return what is wrong with events, the oldest first, each the JSON value of its form on the wire.

        `may_still_pass` tells whether events that are added can mend it: never what should not be there. The events are
        read once in their order, and few of them once more. Raises `BudgetSpent` if that takes more than the budget.
        """
        budget = budget or Budget()
        found, none = _search(events, self.expect, self.none, budget)
        unmet = [_unmet(one, events, budget) for one in found if not one.expectation.count.fits(len(one.matches))]
        unwanted = [Unwanted(one.expectation.name, len(one.matches), one.matches) for one in none if one.matches]
        order = _Order.of(found) if self.in_order else _Order([], may_still_pass=True)
        return Outcome(
            events=len(events),
            unmet=unmet,
            unwanted=unwanted,
            out_of_order=order.disorders,
            may_still_pass=not unwanted
            and order.may_still_pass
            and not any(one.expectation.count.exceeded_by(len(one.matches)) for one in found),
        )


def parse_expectations(body: Any) -> Expectations:
    """Return the expectations that a JSON value writes. Raises `ValueError` with the path of the fault, from `$` on."""
    _check_names(body, {"expect", "none", "in_order"}, "$")
    expect, none = (_parse_list(body, name) for name in ("expect", "none"))
    if not 1 <= len(expect) + len(none) <= MOST_EXPECTATIONS:
        raise ValueError(f"$: expect and none hold 1 to {MOST_EXPECTATIONS} expectations together")
    if sum("$regex" in value for level in levels(body) for value in level if isinstance(value, dict)) > MOST_REGEXES:
        raise ValueError(f"$: the patterns hold at most {MOST_REGEXES} regular expressions together")
    in_order = body.get("in_order", False)
    if not isinstance(in_order, bool):
        raise ValueError("$.in_order: takes true or false")  # noqa: TRY004 - every fault of a body is a ValueError
    return Expectations(
        tuple(_parse_one(entry, f"expect[{index}]", counted=True) for index, entry in enumerate(expect)),
        tuple(_parse_one(entry, f"none[{index}]", counted=False) for index, entry in enumerate(none)),
        in_order,
    )


def _parse_list(body: dict[str, Any], name: str) -> list[Any]:
    entries = body.get(name, [])
    if not isinstance(entries, list):
        raise ValueError(f"$.{name}: takes an array")  # noqa: TRY004 - as above
    return entries


def _parse_one(entry: Any, name: str, *, counted: bool) -> Expectation:
    path = f"$.{name}"
    _check_names(entry, {"match", "name", "count"} if counted else {"match", "name"}, path)
    if "match" not in entry:
        raise ValueError(f'{path}: has no match; write {{"match": {{...}}}} around the pattern')
    given = entry.get("name", name)
    if not isinstance(given, str) or not 0 < len(given) <= _LONGEST_NAME:
        raise ValueError(f"{path}.name: takes a text of 1 to {_LONGEST_NAME} characters")
    count = parse_count(entry["count"], f"{path}.count") if "count" in entry else AT_LEAST_ONE
    return Expectation(given, parse_pattern(entry["match"], f"{path}.match"), count)


def _check_names(value: Any, names: set[str], path: str) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{path}: takes an object with {', '.join(sorted(names))}")  # noqa: TRY004 - as above
    for name in sorted(value.keys() - names):
        hint = '; write {"match": {...}} around the pattern' if "match" in names else ""
        raise ValueError(f"{deeper(path, name)}: no such name; there are {', '.join(sorted(names))}{hint}")


class _Found:
    """The events that match an expectation, by index and uid, and the index of the one that misses it by the least."""

    def __init__(self, expectation: Expectation) -> None:
        self.expectation = expectation
        self.matches: list[tuple[int, str]] = []
        self.nearest: int | None = None
        self._distance = 0

    def add(self, index: int, event: Any, budget: Budget) -> None:
        """Look at the next event."""
        distance = len(self.expectation.pattern.mismatches(event, budget))
        if not distance:
            self.matches.append((index, uid_of(event)))
        # Of several the last one: it is most likely what the test has just sent.
        elif self.nearest is None or distance <= self._distance:
            self.nearest, self._distance = index, distance


def _search(
    events: Sequence[Any], expect: Sequence[Expectation], none: Sequence[Expectation], budget: Budget
) -> tuple[list[_Found], list[_Found]]:
    """Look at each event for all expectations, so that no more than one event has to be in memory as a value."""
    found, unwanted = ([_Found(expectation) for expectation in some] for some in (expect, none))
    for index, event in enumerate(events):
        for one in (*found, *unwanted):
            one.add(index, event, budget)
    return found, unwanted


def _unmet(found: _Found, events: Sequence[Any], budget: Budget) -> Unmet:
    expectation, nearest = found.expectation, None
    if found.nearest is not None and not expectation.count.exceeded_by(len(found.matches)):
        event = events[found.nearest]
        nearest = Nearest(found.nearest, uid_of(event), expectation.pattern.mismatches(event, budget))
    return Unmet(expectation.name, expectation.count.to_json(), len(found.matches), found.matches, nearest)


def uid_of(event: Any) -> str:
    """Return the uid of an event, or an empty text if it has none."""
    uid = event.get("uid", "") if isinstance(event, dict) else ""
    return uid if isinstance(uid, str) else ""


class _Order(NamedTuple):
    disorders: list[Disorder]
    may_still_pass: bool

    @classmethod
    def of(cls, found: list[_Found]) -> "_Order":
        """Find for each expectation the first match behind that of the one before it.

        What has no match is no disorder. From the first one that is yet to come, all others have to come again, which
        those cannot that have all their matches.
        """
        disorders: list[Disorder] = []
        before, last, yet_to_come, may_still_pass = "", -1, False, True
        for one in found:
            expectation, matches = one.expectation, [index for index, _ in one.matches]
            at = next((index for index in matches if index > last), None)
            if at is None and matches:
                disorders.append(Disorder(expectation.name, matches[-1], before, last))
            yet_to_come |= at is None and (bool(matches) or expectation.count.least > 0)
            if yet_to_come and matches:
                may_still_pass &= not expectation.count.exceeded_by(len(matches) + 1)
            if at is not None:
                before, last = expectation.name, at
        return cls(disorders, may_still_pass)
