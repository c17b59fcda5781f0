import re

import pytest

from eventscache.event import Event
from eventscache.extras.error_groups import MALFORMED, error_message, group_collection, group_extras
from eventscache.extras.error_message import LONGEST_MESSAGE
from eventscache.stream import Status

COLUMN = "Unsupported column [{}] type changing from: INT64 to: STRING"


def test_errors_that_differ_in_what_varies_are_one_group() -> None:
    assert group_collection(COLUMN.format("local_tz_offset")) == group_collection(COLUMN.format("other"))
    assert group_collection("connection refused") != group_collection("connection reset")


@pytest.mark.parametrize("message", ["", "connection refused", "\ud800", "é" * 999, "x y " * 1_000_000])
def test_the_name_of_a_group_is_short_whatever_its_message(message: str) -> None:
    assert re.fullmatch("group:[0-9a-f]{32}", group_collection(message))


def test_the_name_of_a_group_is_the_same_in_every_process() -> None:
    assert group_collection("connection refused") == "group:25a84382140b11ac6f9e02f767c8af75"


def test_a_long_message_is_in_the_group_of_its_beginning() -> None:
    beginning = "cannot store [" + "x y " * LONGEST_MESSAGE

    assert group_collection(beginning + "a]") == group_collection(beginning + "b")
    assert group_collection(beginning) == group_collection("cannot store [" + "z" * LONGEST_MESSAGE)


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (Event(error="connection refused"), "connection refused"),
        (Event(error="error parsing HTTP body", malformed="{"), "error parsing HTTP body"),
        (Event(malformed='{"a":1'), MALFORMED),
        (Event(skip="filtered"), ""),
        (Event(original=b"{}"), ""),
    ],
)
def test_an_event_is_in_a_group_exactly_if_its_status_is_error(event: Event, message: str) -> None:
    # when
    extras = group_extras(event.error, malformed=bool(event.malformed))

    # then
    assert error_message(event.error, malformed=bool(event.malformed)) == message
    assert extras == ((group_collection(message),) if message else ())
    assert bool(extras) is (event.status is Status.ERROR)
