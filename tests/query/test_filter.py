import pytest

from eventscache.event import Event
from eventscache.query.field_filter import parse_field_filter
from eventscache.query.filter import EventFilter, searchable_text
from eventscache.stream import Status
from eventscache.timestamp import parse_time

NOON, ONE = "2026-01-01T12:00:00.000000Z", "2026-01-01T13:00:00.000000Z"
NOON_US, ONE_US = parse_time(NOON), parse_time(ONE)


def event(**fields: object) -> Event:
    return Event(**{"original": b'{"event_type":"page","name":"Anna"}', "timestamp": NOON, "uid": "u1", **fields})  # type: ignore[arg-type]


def test_an_empty_filter_matches_every_event() -> None:
    assert EventFilter().matches(event())
    assert EventFilter().matches(Event())


@pytest.mark.parametrize(
    ("start_us", "end_us", "expected"),
    [
        (NOON_US, None, True),
        (NOON_US + 1, None, False),
        (None, NOON_US, False),
        (None, NOON_US + 1, True),
        (NOON_US, ONE_US, True),
        (ONE_US, ONE_US + 1, False),
        (NOON_US, NOON_US, False),
    ],
)
def test_the_start_is_inclusive_and_the_end_exclusive(
    start_us: int | None, end_us: int | None, *, expected: bool
) -> None:
    assert EventFilter(start_us, end_us).matches(event()) is expected


@pytest.mark.parametrize("timestamp", ["", "yesterday"])
def test_an_event_without_a_readable_time_is_in_no_interval(timestamp: str) -> None:
    assert not EventFilter(start_us=0).matches(event(timestamp=timestamp))
    assert not EventFilter(end_us=2**60).matches(event(timestamp=timestamp))
    assert EventFilter().matches(event(timestamp=timestamp))


def test_the_type_is_event_type_of_the_original_and_compared_exactly() -> None:
    assert EventFilter(event_type="page").matches(event())
    for other in ("Page", "pag", "Anna"):
        assert not EventFilter(event_type=other).matches(event())


def test_a_status_is_left_out() -> None:
    filters = [EventFilter(left_out=status) for status in Status]
    for status, changed in zip(Status, [{}, {"error": "late"}, {"skip": "a rule"}], strict=True):
        assert [each.left_out for each in filters if not each.matches(event(**changed))] == [status]


@pytest.mark.parametrize("original", [b"", b"{}", b'{"event_type":7}', b'{"event_type":null}'])
def test_an_event_without_a_type_matches_no_type(original: bytes) -> None:
    assert not EventFilter(event_type="page").matches(event(original=original))
    assert EventFilter().matches(event(original=original))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "anna"),
        ({}, '"NAME":"aNNa"'),
        ({"success": b'{"table":"Orders"}'}, "orders"),
        ({"malformed": "{abc"}, "{ABC"),
        ({"error": "No such column"}, "no such"),
        ({"skip": "A rule"}, "a rule"),
        ({"uid": "f98dd70e"}, "F98DD70E"),
        ({"destination_id": "My_Destination"}, "my_destination"),
        ({"token_id": "My_Key"}, "my_key"),
        ({"error": "Straße"}, "STRASSE"),
        ({}, NOON),
    ],
)
def test_the_text_is_searched_in_the_whole_json_without_regard_to_case(fields: dict[str, object], text: str) -> None:
    assert EventFilter(text=text).matches(event(**fields))
    assert not EventFilter(text=text + "?").matches(event(**fields))


def test_all_conditions_must_hold() -> None:
    good = EventFilter(NOON_US, ONE_US, "page", "anna")
    assert good.matches(event())
    for bad in (
        good._replace(start_us=ONE_US),
        good._replace(end_us=NOON_US),
        good._replace(event_type="click"),
        good._replace(text="berta"),
    ):
        assert not bad.matches(event())


def test_a_text_that_the_caller_keeps_is_used_and_only_when_it_is_needed() -> None:
    calls: list[Event] = []

    def kept() -> str:
        calls.append(event())
        return "kept"

    assert EventFilter(text="KEPT").matches(event(), kept)
    assert not EventFilter(text="anna").matches(event(), kept)
    assert len(calls) == 2
    assert EventFilter(event_type="page").matches(event(), kept)
    assert not EventFilter(event_type="click", text="kept").matches(event(), kept)
    assert len(calls) == 2


def test_searchable_text_is_casefolded_json() -> None:
    assert searchable_text(Event(error="Straße", uid="U")).startswith('{"error":"strasse",')


HALVES = [
    rb'{"title":"Sale \ud83d","event_type":"page"}',
    rb'{"event_type":"page","title":"\udc00\ud83d"}',
    rb'{"\ud83d":1,"event_type":"page","big":1e400,"digits":%b}' % (b"1" * 5000),
    rb'{"a":"\\ud83d \ud83d\ude00 \uD83D\uDE00 \\\ud83d","event_type":"page"}',
]


@pytest.mark.parametrize("original", HALVES)
def test_half_a_surrogate_pair_and_large_numbers_hide_no_type_and_no_text(original: bytes) -> None:
    odd = event(original=original)
    assert EventFilter(event_type="page").matches(odd)
    assert not EventFilter(event_type="click").matches(odd)
    assert EventFilter(text=r"\uD83D" if b"title" in original else "page").matches(odd)
    assert not EventFilter(text="absent").matches(odd)


def test_half_a_surrogate_pair_in_a_type_is_searched_as_browsers_send_it() -> None:
    half = event(original=rb'{"event_type":"Sale \ud83d"}')
    assert EventFilter(event_type="Sale \ufffd").matches(half)
    whole = event(original=rb'{"event_type":"\ud83d\ude00 \\ud83d","x":"\ude00"}')
    assert EventFilter(event_type="\U0001f600 \\ud83d").matches(whole)
    assert not EventFilter(event_type="Sale").matches(event(original=rb'{"event_type":5,"x":"\ud83d"}'))


@pytest.mark.parametrize(
    ("original", "text", "found"),
    [
        (rb'{"a":"x \u0026 y"}', "x & y", True),
        (rb'{"a":"x \u0026 y"}', r"\u0026", True),
        (rb'{"a":"\u041f\u0440\u0438"}', "ПРИ", True),
        ('{"a":"При"}'.encode(), "при", True),
        (rb'{"a":"\ud83d\ude00 \ud83d"}', "\U0001f600", True),
        (rb'{"a":"say \"hi\""}', 'say "hi"', True),
        (rb'{"a":"one\ntwo"}', "one\ntwo", True),
        (rb'{"a":"\\u0026"}', "&", False),
        (rb'{"a":"\\u0026"}', r"\u0026", True),
        (rb'{"price":1.10}', '"price":1.10', True),
    ],
)
def test_text_is_found_as_people_see_it_and_as_it_was_sent(original: bytes, text: str, found: bool) -> None:
    assert EventFilter(text=text).matches(Event(original=original)) is found


def test_all_fields_have_to_select_an_event() -> None:
    fields = tuple(map(parse_field_filter, ("a = 1", "-b = 2")))
    assert EventFilter(fields=fields).matches(Event(original=b'{"a":1,"b":3}'))
    assert not EventFilter(fields=fields).matches(Event(original=b'{"a":1,"b":2}'))
