"""Bodies as Go reads them, and Go's words for what is wrong with others."""

import pytest

from eventscache.errors import InvalidEvent
from eventscache.ingest.jitsu import parse_events
from eventscache.ingest.json import go
from eventscache.ingest.limits import BatchTooLarge, Limits

LIMITS = Limits(max_event_bytes=200, max_batch=5, max_depth=6, max_body_bytes=1000)

# What Jitsu caches as the error of a body.
WORDS = {
    b"": "empty JSON body",
    b" {}": 'malformed JSON body begins with: " "',
    b"\r\n": r'malformed JSON body begins with: "\r"',
    b'\xef\xbb\xbf{"a":1}': 'malformed JSON body begins with: "ï"',
    b'"x"': r'malformed JSON body begins with: "\""',
    b"\\": r'malformed JSON body begins with: "\\"',
    b"'": 'malformed JSON body begins with: "\'"',
    b"\x00": r'malformed JSON body begins with: "\x00"',
    b"\x7f": r'malformed JSON body begins with: "\x7f"',
    b"\x80": r'malformed JSON body begins with: "\u0080"',
    b"\xa0": r'malformed JSON body begins with: "\u00a0"',
    b"\xad": r'malformed JSON body begins with: "\u00ad"',
    b"5": 'malformed JSON body begins with: "5"',
    b"{": "error parsing HTTP body: unexpected EOF",
    b"[": "error parsing HTTP body: unexpected EOF",
    b'{"a":1': "error parsing HTTP body: unexpected EOF",
    b'{"a":1, ': "error parsing HTTP body: unexpected EOF",
    b'{"a":"x': "error parsing HTTP body: unexpected EOF",
    b'{"a":"\\ud8': "error parsing HTTP body: unexpected EOF",
    b'{"a":tru': "error parsing HTTP body: unexpected EOF",
    b'{"a":-': "error parsing HTTP body: unexpected EOF",
    b'{"a":1.': "error parsing HTTP body: unexpected EOF",
    b"{a:1}": "error parsing HTTP body: invalid character 'a' looking for beginning of object key string",
    b"{'a':1}": r"error parsing HTTP body: invalid character '\'' looking for beginning of object key string",
    b'{"a":1,}': "error parsing HTTP body: invalid character '}' looking for beginning of object key string",
    b'{"a" 1}': "error parsing HTTP body: invalid character '1' after object key",
    b'{"a":}': "error parsing HTTP body: invalid character '}' looking for beginning of value",
    b'{"a":1 "b":2}': "error parsing HTTP body: invalid character '\"' after object key:value pair",
    b'{"a":[1}': "error parsing HTTP body: invalid character '}' after array element",
    b'{"a":[1,]}': "error parsing HTTP body: invalid character ']' looking for beginning of value",
    b'[{"a":1},,]': "error parsing HTTP body: invalid character ',' looking for beginning of value",
    b'{"a":NaN}': "error parsing HTTP body: invalid character 'N' looking for beginning of value",
    b'{"NaN":"-Infinity","a":[1,Infinity]}': (
        "error parsing HTTP body: invalid character 'I' looking for beginning of value"
    ),
    b'{"a":-Infinity}': "error parsing HTTP body: invalid character 'I' in numeric literal",
    b'{"a":nil}': "error parsing HTTP body: invalid character 'i' in literal null (expecting 'u')",
    b'{"a":True}': "error parsing HTTP body: invalid character 'T' looking for beginning of value",
    b'{"a":01}': "error parsing HTTP body: invalid character '1' after object key:value pair",
    b'{"a":1.x}': "error parsing HTTP body: invalid character 'x' after decimal point in numeric literal",
    b'{"a":1.5.2}': "error parsing HTTP body: invalid character '.' after object key:value pair",
    b'{"a":1e+}': "error parsing HTTP body: invalid character '}' in exponent of numeric literal",
    b'{"a":1e5e}': "error parsing HTTP body: invalid character 'e' after object key:value pair",
    b'{"a":"\n"}': r"error parsing HTTP body: invalid character '\n' in string literal",
    b'{"a":"\\x41"}': "error parsing HTTP body: invalid character 'x' in string escape code",
    b'{"a":"\\u12G4"}': r"error parsing HTTP body: invalid character 'G' in \u hexadecimal character escape",
    b'{"a":"x"\xff}': "error parsing HTTP body: invalid character 'ÿ' after object key:value pair",
    b"[5]": "error parsing HTTP body: json: cannot unmarshal number into Go value of type events.Event",
    b'[{},"x"]': "error parsing HTTP body: json: cannot unmarshal string into Go value of type events.Event",
    b"[{},true,5]": "error parsing HTTP body: json: cannot unmarshal bool into Go value of type events.Event",
    b"[[{}]]": "error parsing HTTP body: json: cannot unmarshal array into Go value of type events.Event",
    b"[5,": "error parsing HTTP body: unexpected EOF",
    b'{"a":"' + b"x" * 200: "Event size 206 exceeds limit: 200",
    b"{}" + b" " * 199: "Event size 201 exceeds limit: 200",
    b'[{"a":"' + b"x" * 200 + b'"}]': "Size of one of events exceeds limit: 200",
    # Jitsu has no words of its own for these: it takes 10,000 levels, and fails later over null.
    b'{"a":' + b"[" * 6 + b"]" * 6 + b"}": "error parsing HTTP body: nested deeper than 6 levels",
    b"[{},null]": "error parsing HTTP body: event 1 is null, and not an object",
}


@pytest.mark.parametrize(("body", "words"), WORDS.items())
def test_jitsus_words_say_what_is_wrong(body: bytes, words: str) -> None:
    with pytest.raises(InvalidEvent) as said:
        parse_events(body, LIMITS)
    assert str(said.value) == words


EVENTS = {
    b'{"a":"Sale \\ud83d"}': [b'{"a":"Sale \\ud83d"}'],
    b'{"a":1e400} \xff what follows {': [b'{"a":1e400}'],
    b'{"a":"\xff"}]': ['{"a":"\ufffd"}'.encode()],
    b'[{"a":1},{"a":"\xe2\x82"},{"a": -1e-9999}]]\xff': [
        b'{"a":1}',
        '{"a":"\ufffd\ufffd"}'.encode(),
        b'{"a": -1e-9999}',
    ],
    b"[]{": [],
    b'{"template":{"b":1e400,"\\ud83d":"\xff"},"events":[{"\\ud83e":1,"a":"\\udc00"},{}]} x': [
        '{"\\ud83d":"\ufffd","a":"\\udc00","b":1e400}'.encode(),
        '{"b":1e400,"\\ud83d":"\ufffd"}'.encode(),
    ],
    b'{"\\u0074emplate":{"a":1},"events":[{"a":2,"a":3,"b":[ ]}, {}]}': [b'{"a":1,"b":[ ]}', b'{"a":1}'],
    b'{"template":{ },"events":[{}]}': [b"{}"],
}


@pytest.mark.parametrize(("body", "events"), EVENTS.items())
def test_odd_events_are_taken_as_jitsu_takes_them(body: bytes, events: list[bytes]) -> None:
    assert [*parse_events(body, LIMITS)] == events


def test_a_template_is_multiplied_within_bounds_only() -> None:
    body = b'{"template":{"a":"%b"},"events":[{},{},{},{}]}' % (b"x" * 140)
    assert len(parse_events(body, LIMITS)) == 4
    with pytest.raises(BatchTooLarge, match="template"):
        parse_events(body, LIMITS._replace(max_body_bytes=590))
    with pytest.raises(BatchTooLarge, match="at most 3"):
        parse_events(body, LIMITS._replace(max_batch=3))


def test_data_that_is_utf8_is_not_copied() -> None:
    data = '{"é":"😀"}'.encode()
    assert go.repaired(data) is data


def test_what_is_behind_the_first_value_is_not_looked_at() -> None:
    value = b'{"a":"\xc3"}'
    assert go.read(value + b"\xff[" * 100_000).data == '{"a":"\ufffd"}'.encode()


def test_a_fault_behind_many_escaped_quotes_is_found_in_one_pass() -> None:
    """A string that does not end is not tried again at each quote in it: that would take hours here."""
    with pytest.raises(InvalidEvent, match="in string literal"):
        go.read(b'{"a":"' + b'\\"' * 500_000 + b'\x01"}')
