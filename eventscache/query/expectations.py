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

from eventscache.query.expected_count import AT_LEAST_ONE, ExpectedCount, parse_count
from eventscache.query.json_values import deeper
from eventscache.query.outcome import Disorder, Nearest, Outcome, Unmet, Unwanted
from eventscache.query.pattern import Pattern, parse_pattern

MOST_EXPECTATIONS: Final = 100
"""How many expectations there are at most, together with those of `none`."""
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

    def evaluate(self, events: Sequence[Any]) -> Outcome:
        """Return what is wrong with events, the oldest first, each the JSON value of its form on the wire.

        `may_still_pass` tells whether events that are added can mend it: never what should not be there.
        """
        found = [_Found.among(events, expectation) for expectation in self.expect]
        unmet = [_unmet(one, events) for one in found if not one.expectation.count.fits(len(one.matches))]
        unwanted = [
            Unwanted(one.expectation.name, len(one.matches), _places(one.matches, events))
            for one in (_Found.among(events, expectation) for expectation in self.none)
            if one.matches
        ]
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


class _Found(NamedTuple):
    """The indices of the events that match an expectation, and the one that misses it by the least."""

    expectation: Expectation
    matches: list[int]
    nearest: int | None

    @classmethod
    def among(cls, events: Sequence[Any], expectation: Expectation) -> "_Found":
        distances = [len(expectation.pattern.mismatches(event)) for event in events]
        missed = [index for index, distance in enumerate(distances) if distance]
        return cls(
            expectation,
            [index for index, distance in enumerate(distances) if not distance],
            # Of several the last one: it is most likely what the test has just sent.
            min(reversed(missed), key=distances.__getitem__, default=None),
        )


def _unmet(found: _Found, events: Sequence[Any]) -> Unmet:
    expectation, nearest = found.expectation, None
    if found.nearest is not None and not expectation.count.exceeded_by(len(found.matches)):
        event = events[found.nearest]
        nearest = Nearest(found.nearest, uid_of(event), expectation.pattern.mismatches(event))
    return Unmet(
        expectation.name, expectation.count.to_json(), len(found.matches), _places(found.matches, events), nearest
    )


def _places(indices: list[int], events: Sequence[Any]) -> list[tuple[int, str]]:
    return [(index, uid_of(events[index])) for index in indices]


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
        for expectation, matches, _ in found:
            at = next((index for index in matches if index > last), None)
            if at is None and matches:
                disorders.append(Disorder(expectation.name, matches[-1], before, last))
            yet_to_come |= at is None and (bool(matches) or expectation.count.least > 0)
            if yet_to_come and matches:
                may_still_pass &= not expectation.count.exceeded_by(len(matches) + 1)
            if at is not None:
                before, last = expectation.name, at
        return cls(disorders, may_still_pass)
