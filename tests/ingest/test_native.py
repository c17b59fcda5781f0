"""Native records: what a body costs before it is known to be too large, and how many of its faults are named."""

import tracemalloc

import pytest

from eventscache.errors import InvalidEvent
from eventscache.ingest.limits import BatchTooLarge, Limits
from eventscache.ingest.native import parse_json, parse_msgpack, parse_ndjson
from eventscache.ingest.parsed import MAX_ERRORS, Parsed, Parser
from eventscache.stream import Namespace, Stream

STREAM = Stream(Namespace.TOKEN, "key")
LIMITS = Limits()
MIB = 1024 * 1024


def peak_bytes(body: bytes) -> int:
    """Return how much memory is in use at most while a body is parsed."""
    tracemalloc.start()
    try:
        parse_ndjson(body, STREAM, LIMITS)
    except InvalidEvent:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return peak


@pytest.mark.parametrize("blank", [b"\n", b" \n", b"\r\n", b" "])
def test_blank_lines_cost_no_memory(blank: bytes) -> None:
    assert peak_bytes(blank * (2 * MIB)) < 100_000
    assert peak_bytes(blank * MIB + b"{}\n" + blank * MIB) < 100_000


def test_no_more_lines_are_cut_out_than_records_are_allowed() -> None:
    assert peak_bytes(b"1\n" * 20_000) < 1.1 * peak_bytes(b"1\n" * 10_001)
    with pytest.raises(BatchTooLarge, match="more than 10000 records"):
        parse_ndjson(b"\n1" * 10_001, STREAM, LIMITS)
    with pytest.raises(InvalidEvent, match="empty"):
        parse_ndjson(b"\n \r\n" * 10_001, STREAM, LIMITS)


@pytest.mark.parametrize("between", [b"\n", b"\r\n", b"\n\n \t\r\n"])
def test_lines_are_read_whatever_is_between_them(between: bytes) -> None:
    lines = [b'{"skip":"a b"}', b"no", b'{"skip":"2"} ']
    for body in (between.join(lines), between + between.join(lines) + between):
        parsed = parse_ndjson(body, STREAM, LIMITS)
        assert [event.skip for _, event in parsed.records] == ["a b", "2"]
        assert [index for index, _ in parsed.errors] == [1]


@pytest.mark.parametrize(
    ("parse", "body"),
    [
        (parse_ndjson, b"1\n" * 9_999 + b'{"skip":"x"}'),
        (parse_json, b"[" + b"1," * 9_999 + b'{"skip":"x"}]'),
        (parse_msgpack, b"\xdc\x27\x10" + b"\x01" * 9_999 + b"\x81\xa4skip\xa1x"),
    ],
)
def test_the_first_invalid_records_are_named_and_the_others_are_counted(parse: Parser, body: bytes) -> None:
    parsed = parse(body, STREAM, LIMITS)
    assert [index for index, _ in parsed.errors] == [*range(MAX_ERRORS)]
    assert parsed.errors_omitted == 9_999 - MAX_ERRORS
    assert [event.skip for _, event in parsed.records] == ["x"]


def test_a_body_with_few_invalid_records_names_them_all() -> None:
    parsed = parse_json(b"[" + b",".join([b"1"] * MAX_ERRORS) + b"]", STREAM, LIMITS)
    assert (len(parsed.errors), parsed.errors_omitted) == (MAX_ERRORS, 0)
    assert Parsed().errors_omitted == 0
