"""Lines of Jitsu's logs become events."""

import contextlib
import json
from typing import Any

import pytest

from eventscache.errors import InvalidEvent
from eventscache.event import Event
from eventscache.sources.jitsu_logs.file_name import Kind, LogName
from eventscache.sources.jitsu_logs.line import LineParser, UnknownToken
from eventscache.stream import Namespace, Status, Stream
from tests.support.jitsu_logs import SECRET, event_line, failed_line, malformed_line, write_ahead_line

FILE_US = 1_780_000_000_000_000
FILE_TIME = "2026-05-28T20:26:40.000000Z"
KEYS = {SECRET: "shop"}
INCOMING, FAILED = LogName(Kind.INCOMING, "shop"), LogName(Kind.FAILED, "d")
ARCHIVE, WRITE_AHEAD = LogName(Kind.ARCHIVE, "d"), LogName(Kind.WRITE_AHEAD, "")


def events(name: LogName, line: bytes, offset: int = 0) -> list[tuple[Stream, Event]]:
    found = LineParser(KEYS.get, 512, 10).events(name, line, offset, FILE_US)
    return [(stream, event) for stream, event, _ in found]


def event(name: LogName, line: bytes) -> Event:
    ((_, found),) = events(name, line)
    return found


def test_an_incoming_event_is_kept_byte_for_byte() -> None:
    line = rb'{ "b":1.10,"a":"\u003c\ud83d\ude00" ,"_timestamp":"2026-11-28T15:00:00.1200001Z"}'
    ((stream, found),) = events(INCOMING, line)
    assert stream == Stream(Namespace.TOKEN, "shop")
    assert (found.original, found.token_id, found.destination_id) == (line, "shop", "")
    assert (found.timestamp, found.status) == ("2026-11-28T15:00:00.120000Z", Status.SUCCESS)


def test_an_archived_event_is_a_success_of_its_destination() -> None:
    ((stream, found),) = events(ARCHIVE, event_line(7))
    assert stream == Stream(Namespace.DESTINATION, "d")
    assert (found.original, found.success, found.status) == (event_line(7), b"", Status.SUCCESS)


def test_a_failed_event_has_its_original_and_its_error() -> None:
    original = b'{"n":1.0,"_timestamp":"2026-11-28T15:00:00Z"}'
    ((stream, found),) = events(FAILED, b'{"event": ' + original + b', "error":"no table","event_id":"x"}')
    assert stream == Stream(Namespace.DESTINATION, "d")
    assert (found.original, found.error) == (original, "no table")
    assert found.timestamp == "2026-11-28T15:00:00.000000Z"


def test_secret_halves_of_write_keys_are_hidden() -> None:
    original, hidden = b'{"n": 1.0,"writeKey":"k:s3cr3t"}', b'{"n": 1.0,"writeKey":"k:***"}'
    assert event(INCOMING, original).original == hidden
    assert event(ARCHIVE, original).original == hidden
    failed = event(FAILED, b'{"event":' + original + b',"error":"bad: writeKey=k:s3cr3t"}')
    assert (failed.original, failed.error) == (hidden, "bad: writeKey=k:***")
    assert event(FAILED, malformed_line('{"writeKey":"k:s3cr3t"')).malformed == '{"writeKey":"k:***"'
    ((_, waited),) = events(WRITE_AHEAD, b'{"events":[%b],"token":"%b"}' % (original, SECRET.encode()))
    assert waited.original == hidden


def test_what_jitsu_could_not_read_is_malformed() -> None:
    found = event(FAILED, malformed_line('{"a":'))
    assert (found.malformed, found.error, found.original) == ('{"a":', "unexpected EOF", b"")
    assert found.timestamp == FILE_TIME
    assert len(event(FAILED, malformed_line("é" * 10_000)).malformed.encode()) == 10_000


def test_a_failed_event_without_error_is_an_error_all_the_same() -> None:
    assert event(FAILED, failed_line(1, error="")).status is Status.ERROR
    assert event(FAILED, b"{}").status is Status.ERROR


def test_the_write_ahead_log_gives_each_event_to_the_key_of_its_token() -> None:
    found = events(WRITE_AHEAD, write_ahead_line(1, 2))
    assert [stream for stream, _ in found] == [Stream(Namespace.TOKEN, "shop")] * 2
    assert [json.loads(each.original)["n"] for _, each in found] == [1, 2]
    assert len({each.uid for _, each in found}) == 2


def test_an_unknown_token_is_told_without_showing_it() -> None:
    with pytest.raises(UnknownToken) as caught:
        events(WRITE_AHEAD, write_ahead_line(1, token="js.unknown"))
    assert "js.unknown" not in str(caught.value)


def test_an_id_is_the_same_whenever_its_line_is_read_and_another_for_another_place() -> None:
    parsed = {event(INCOMING, event_line(1)).uid, event(INCOMING, event_line(1)).uid}
    assert len(parsed) == 1
    others = [events(INCOMING, event_line(1), 9), events(ARCHIVE, event_line(1)), events(INCOMING, event_line(2))]
    assert len(parsed | {found[0][1].uid for found in others}) == 4


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("yesterday", FILE_TIME),
        (5, FILE_TIME),
        (None, FILE_TIME),
        ("9999999999999999", FILE_TIME),
        ("999999999999999", FILE_TIME),
        ("2026-11-28T15:00:00+01:00", "2026-11-28T14:00:00.000000Z"),
    ],
)
def test_a_time_that_is_none_is_that_of_the_file(timestamp: Any, expected: str) -> None:
    assert event(INCOMING, json.dumps({"_timestamp": timestamp}).encode()).timestamp == expected
    assert event(INCOMING, b'{"a":"\\ud800","_timestamp":"x"}').timestamp == FILE_TIME


@pytest.mark.parametrize("name", [INCOMING, ARCHIVE, FAILED, WRITE_AHEAD])
@pytest.mark.parametrize(
    "line",
    [
        b"", b"{", b"}", b"x", b"null", b"5", b'"a"', b"[]", b'[{"a":1}]', b'{"a":1', b'{"a":1}}', b'{"a":1} {"b":2}',
        b'{"a":NaN}', b'{"a":"\xff"}', b"\xef\xbb\xbf{}", b"\0" * 20, b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b"[" * 100_000, b'{"event":5,"events":5}', b'{"event":[],"events":[[]],"token":"js.made.up"}',
        b'{"error":{},"events":[5],"token":"js.made.up"}',
    ],
)  # fmt: skip
def test_no_line_does_more_than_be_invalid(name: LogName, line: bytes) -> None:
    found: list[tuple[Stream, Event]] = []
    with contextlib.suppress(InvalidEvent):
        found = events(name, line)
    assert not found or isinstance(json.loads(line), dict)
    for _, each in found:
        assert isinstance(json.loads(each.original or b"{}"), dict)


def test_deep_events_are_invalid_wherever_they_stand() -> None:
    deep = b'{"a":' * 11 + b"1" + b"}" * 11
    allowed = b'{"a":' * 10 + b"1" + b"}" * 10
    for name, before, after in (
        (INCOMING, b"", b""),
        (FAILED, b'{"event":', b"}"),
        (WRITE_AHEAD, b'{"token":"js.made.up","events":[', b"]}"),
    ):
        assert event(name, before + allowed + after).original == allowed
        with pytest.raises(InvalidEvent):
            events(name, before + deep + after)


def test_an_id_that_no_stream_can_have_is_invalid() -> None:
    for bad in ("a,b", "\x01", "x" * 513):
        with pytest.raises(InvalidEvent):
            events(LogName(Kind.INCOMING, bad), event_line(1))
