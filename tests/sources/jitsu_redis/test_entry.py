"""Entries of Jitsu, parsed: what is in them is a JSON object within the bounds, or not taken."""

import json

import pytest

from eventscache.errors import InvalidEvent
from eventscache.sources.jitsu_redis.entry import parse_entry
from eventscache.sources.jitsu_redis.key_name import KeyName
from eventscache.sources.jitsu_redis.log_entry import parse_log_entry
from eventscache.stream import Namespace, Stream

STREAM = Stream(Namespace.TOKEN, "key")
LEVELS = 5


def nested(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


def test_an_object_may_have_so_many_levels_and_no_more() -> None:
    entry = parse_entry(json.dumps({"original": nested(LEVELS)}).encode(), STREAM, LEVELS)
    assert entry.event.original == nested(LEVELS).encode()
    with pytest.raises(InvalidEvent, match="nested deeper"):
        parse_entry(json.dumps({"original": nested(LEVELS + 1)}).encode(), STREAM, LEVELS)
    name = KeyName(STREAM, errors=False, kind="incoming")
    for levels, malformed in ((LEVELS, ""), (LEVELS + 1, nested(LEVELS + 1))):
        raw = json.dumps({"body": nested(levels)}).encode()
        assert parse_log_entry(raw, name, b"key", "1-1", LEVELS).event.malformed == malformed


KEY, HIDDEN = '{"n": 1.10,"api_key":"k:secret"}', b'{"n": 1.10,"api_key":"k:***"}'


def test_secret_halves_of_write_keys_are_hidden() -> None:
    text = f"no row: {KEY}"
    fields = {"original": KEY, "success": KEY, "malformed": text, "error": text}
    event = parse_entry(json.dumps(fields).encode(), STREAM, LEVELS).event
    assert (event.original, event.success) == (HIDDEN, HIDDEN)
    assert "secret" not in event.malformed + event.error


@pytest.mark.parametrize("kind", ["incoming", "bulker_stream", "bulker_batch"])
@pytest.mark.parametrize("status", ["SUCCESS", "SKIPPED", "FAILED"])
@pytest.mark.parametrize("text", [KEY, KEY[:-1], "writeKey=k:secret"])
def test_secret_halves_are_hidden_in_the_logs_of_jitsu_2(kind: str, status: str, text: str) -> None:
    fields = {"body": text, "original": text, "status": status, "error": f"no row: {text}"}
    row = {"mappedData": json.loads(KEY), "representation": {"name": "t", "writeKey": "k:secret"}}
    raw = json.dumps({**fields, **row}).encode()
    event = parse_log_entry(raw, KeyName(STREAM, errors=False, kind=kind), b"key", "1-1", LEVELS).event
    assert "secret" not in repr(event)
    assert event.original in {HIDDEN, b""}


@pytest.mark.parametrize("text", ["[1]", "1", '{"a":1}x', '{"a":', '{"a":NaN}'])
def test_what_is_no_object_is_not_taken(text: str) -> None:
    with pytest.raises(InvalidEvent):
        parse_entry(json.dumps({"original": text}).encode(), STREAM, LEVELS)
