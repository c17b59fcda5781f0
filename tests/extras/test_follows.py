"""Which events a follow matches."""

import pytest

from eventscache.extras.follows import FieldCondition, Follow
from eventscache.query.event_type import event_type
from eventscache.stream import Namespace, Stream

KEY = Stream(Namespace.TOKEN, "key")
ORIGINAL = (
    b'{"event_type":"buy","user":{"email":"ann@example.com","id":7},"price":1.10,"tags":["a","b"],'
    b'"name":"\\u00e9t\\u00e9 & co","flat.name":"x","ok":true,"none":null}'
)


def field(path: str, text: str, *, contains: bool = False) -> FieldCondition:
    return FieldCondition(tuple(path.split(".")), text, contains)


def follow(**conditions) -> Follow:
    return Follow("1", "", 0, **conditions)


@pytest.mark.parametrize(
    ("conditions", "matches"),
    [
        ({}, True),
        ({"namespace": "token"}, True),
        ({"namespace": "destination"}, False),
        ({"ids": ("other", "key")}, True),
        ({"ids": ("other",)}, False),
        ({"event_type": "buy"}, True),
        ({"event_type": "view"}, False),
        ({"fields": (field("user.email", "ann@example.com"),)}, True),
        ({"fields": (field("user.email", "ann@example"),)}, False),
        ({"fields": (field("user.email", "ann@example", contains=True),)}, True),
        ({"fields": (field("user.email", "ANN", contains=True),)}, False),
        ({"fields": (field("user.id", "7"),)}, True),
        ({"fields": (field("user", "7"),)}, False),
        ({"fields": (field("price", "1.10"),)}, True),
        ({"fields": (field("price", "1.1"),)}, False),
        ({"fields": (field("tags.1", "b"),)}, True),
        ({"fields": (field("tags.0", "b"),)}, False),
        ({"fields": (field("name", "été & co"),)}, True),
        ({"fields": (field("name", "été", contains=True),)}, True),
        ({"fields": (field("flat.name", "x"),)}, True),
        ({"fields": (field("ok", "true"), field("none", "null"))}, True),
        ({"fields": (field("ok", "true"), field("none", "0"))}, False),
        ({"fields": (field("missing", ""),)}, False),
    ],
)
def test_a_follow_matches_an_event_for_which_all_conditions_hold(conditions, matches) -> None:
    assert follow(**conditions).test(event_type)(KEY, ORIGINAL, b"") is matches


def test_a_field_is_looked_for_in_what_a_destination_made_of_the_event_too() -> None:
    is_met = follow(fields=(field("table", "events"), field("id", "1"))).test(event_type)
    assert is_met(KEY, b'{"id":1}', b'{"table":"events"}')
    assert not is_met(KEY, b'{"id":1}', b"")


@pytest.mark.parametrize("original", [b"", b"[1]", b"null", b'{"user":', b"\xff"])
def test_what_is_no_json_object_matches_no_field(original: bytes) -> None:
    assert not follow(fields=(field("user", "7"),)).test(event_type)(KEY, original, b"")
