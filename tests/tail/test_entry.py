"""Entries as they are shown to people."""

import json
from typing import Any

import pytest

from eventscache.query.event_type import event_type
from eventscache.tail.entry import Entry, read_entry


def read(**fields: Any) -> Entry:
    entry = read_entry(json.dumps(fields).encode(), event_type)
    assert entry
    return entry


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"token_id": "t"}, "received"),
        ({"destination_id": "d"}, "pending"),
        ({"destination_id": "d", "success": {}}, "success"),
        ({"destination_id": "d", "success": {}, "skip": "no"}, "skip"),
        ({"destination_id": "d", "skip": "no", "error": "broken"}, "error"),
        ({"token_id": "t", "malformed": "{", "error": "broken"}, "malformed"),
    ],
)
def test_the_status_is_that_of_the_page(fields: dict[str, Any], status: str) -> None:
    assert read(**fields).status == status


def test_type_id_and_stream_are_found_as_on_the_server() -> None:
    original = {"type": "track", "event": "Order", "messageId": "m-1"}
    entry = read(token_id="t", destination_id="", original=original, seq=7)

    assert (entry.namespace, entry.stream, entry.event_type, entry.event_id) == ("token", "t", "Order", "m-1")
    assert (entry.seq, entry.attempt, entry.response_status) == (7, None, None)


def test_attempt_and_answer_are_read() -> None:
    entry = read(destination_id="d", error="no", attempt=3, response={"status": 429, "body": "slow"})

    assert (entry.attempt, entry.response_status, entry.words) == (3, 429, "no")


def test_half_of_a_surrogate_pair_does_not_hide_the_event() -> None:
    entry = read_entry(rb'{"original":{"a":"\ud800"},"error":"x","destination_id":"d"}', event_type)

    assert entry
    assert (entry.error, entry.summary) == ("x", "a=\ufffd")


def test_fields_of_newer_servers_are_ignored() -> None:
    assert read(destination_id="d", invented={"x": 1}).stream == "d"


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"seq":"x"}', b"\xff", b"[" * 5000])
def test_what_is_no_entry_is_none(data: bytes) -> None:
    assert read_entry(data, event_type) is None
