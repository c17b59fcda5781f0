import json

import hypothesis
import pytest
from hypothesis import strategies as st

from eventscache.event import Event
from eventscache.query.event_id import event_id

ALL = {
    "eventn_ctx": {"event_id": "1"},
    "eventn_ctx.event_id": "2",
    "eventn_ctx_event_id": "3",
    "event_id": "4",
    "messageId": "5",
    "message_id": "6",
    "body": {"messageId": "7"},
}


def id_of(original: object) -> str:
    return event_id(Event(original=json.dumps(original).encode()))


def test_the_first_place_that_is_not_empty_has_the_event_id() -> None:
    places = list(ALL.items())
    for first in range(len(places)):
        assert id_of(dict(reversed(places[first:]))) == str(first + 1)
        empty = {name: {"event_id": ""} if isinstance(value, dict) else "" for name, value in places[:first]}
        assert id_of({**empty, **dict(places[first:])}) == str(first + 1)
    assert id_of({}) == ""


@pytest.mark.parametrize("value", [None, True, {}, {"event_id": "x"}, ["x"], ""])
def test_what_is_no_text_is_no_event_id(value: object) -> None:
    assert id_of({"event_id": value, "messageId": "m"}) == "m"
    assert id_of({"event_id": value}) == ""


def test_a_number_counts_as_it_is_written() -> None:
    assert event_id(Event(original=b'{"event_id": 1.10 }')) == "1.10"


def test_the_body_of_a_log_of_jitsu_2_may_be_a_text() -> None:
    assert id_of({"body": json.dumps({"messageId": "m"}), "tags": []}) == "m"
    assert id_of({"body": json.dumps({"body": {"messageId": "m"}})}) == ""
    assert id_of({"body": "no JSON"}) == ""


def test_what_jitsu_could_not_process_has_an_id_if_it_is_json() -> None:
    assert event_id(Event(malformed='{"eventn_ctx_event_id":"x"}')) == "x"
    assert event_id(Event(malformed='{"event_id":"x","a":')) == ""


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"5", b"{", b'{"event_id":"x"', b'{"body":' * 3000, b'{"event_id":"\xff"}']
)
def test_broken_json_has_no_id(data: bytes) -> None:
    assert event_id(Event(original=data)) == ""


def test_half_of_a_surrogate_pair_hides_no_id() -> None:
    assert event_id(Event(original=b'{"name":"\\ud83d","event_id":"x"}')) == "x"
    assert event_id(Event(original=b'{"\\ud83d":1,"event_id":"\\ude00"}')) == "\ufffd"


@hypothesis.given(data=st.binary() | st.binary().map(lambda odd: b'{"event_id":"' + odd + b'"}'))
def test_any_bytes_have_an_id_or_none(data: bytes) -> None:
    assert isinstance(event_id(Event(original=data)), str)
    assert isinstance(event_id(Event(malformed=data.decode(errors="replace"))), str)
