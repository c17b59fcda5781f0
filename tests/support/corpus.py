"""Bad input, one table per theme; bad bytes on the wire are in `wire.py`.

The rows are those of this project's list of bad inputs, 1 to 92; `each` and `covers` name the rows of a test, and
`tests/test_tests.py` reads there that every row has one.
"""

import base64
import gzip
import zlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

import pytest

from tests.support.forms import BOUNDARY, END, form, part
from tests.support.sidecar import CACHE

Test = TypeVar("Test", bound=Callable[..., Any])

ALL_ROWS = frozenset(range(1, 93))
MEGABYTE = 2**20
BACKSLASH = b"\\"


class Case(NamedTuple):
    """One variant of a row: what is sent, and what is expected; each table has its own meaning of `expected`."""

    row: int
    name: str
    sent: Any
    expected: Any = None


def each(*tables: Iterable[Case]) -> pytest.MarkDecorator:
    """Run a test with each case of some tables."""
    cases = [case for table in tables for case in table]
    parameters = [pytest.param(case, id=f"{case.row} {case.name}") for case in cases]
    return pytest.mark.parametrize("case", parameters)


def covers(*_rows: int) -> Callable[[Test], Test]:
    """Name the rows that a test is about which needs no table."""
    return lambda test: test


def nested(levels: int) -> bytes:
    """Objects in one another."""
    return b'{"a":' * (levels - 1) + b"{}" + b"}" * (levels - 1)


def arrays(levels: int) -> bytes:
    """Arrays in one another, in an object: `levels` in all."""
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def escaped(text: str) -> bytes:
    r"""Return an event whose text is a JSON escape, such as \u0000."""
    return b'{"a":"' + BACKSLASH + text.encode() + b'"}'


NOTHING = (
    Case(1, "empty", b""),
    Case(2, "white space", b" \r\n\t "),
    Case(2, "a line break", b"\n"),
)

# Rejected everywhere, and kept as a malformed event.
NO_JSON = (
    Case(3, "an opening brace", b"{"),
    Case(3, "truncated event", b'{"a": {"b": 1}'),
    Case(3, "truncated in a name", b'{"a'),
    Case(3, "truncated in a text", b'{"a":"x'),
    Case(3, "truncated after a colon", b'{"a":'),
    Case(3, "truncated array", b'[{"a":1},{"a":2}'),
    Case(4, "trailing comma", b'{"a":1,}'),
    Case(4, "trailing comma in an array", b'[{"a":1},]'),
    Case(5, "single quotes", b"{'a':1}"),
    Case(6, "NaN", b'{"a":NaN}'),
    Case(7, "-Infinity", b'{"a":-Infinity}'),
    Case(7, "Infinity", b'{"a":Infinity}'),
    Case(14, "leading zero", b'{"a":01}'),
    Case(14, "leading zero behind a minus", b'{"a":-01}'),
    Case(18, "raw NUL", b'{"a":"\0"}'),
    Case(18, "raw NUL in a name", b'{"\0":1}'),
    Case(19, "raw 0x1f", b'{"a":"\x1f"}'),
    Case(19, "raw line break", b'{"a":"\n"}'),
    Case(20, "ff outside of a text", b'{"a":\xff}'),
    Case(23, "byte order mark", b'\xef\xbb\xbf{"a":1}'),
    Case(24, "UTF-16", '{"a":1}'.encode("utf-16")),
    Case(24, "UTF-16LE", '{"a":1}'.encode("utf-16-le")),
    Case(24, "UTF-16BE", '{"a":1}'.encode("utf-16-be")),
    Case(25, "UTF-7", b'+AHs-"a":1}'),
    Case(27, "1,024 objects", nested(1024)),
    Case(27, "1,024 arrays", arrays(1024)),
    Case(28, "100,000 arrays that do not end", b"[" * 100_000),
    Case(28, "100,000 arrays", b"[" * 100_000 + b"]" * 100_000),
    Case(28, "100,000 objects", nested(100_000)),
    Case(28, "400,000 arrays that do not end", b"[" * 400_000),
)

# Bytes that are not UTF-8, in texts. Expected is what Jitsu's ingestion keeps: U+FFFD for each. Records are rejected.
NOT_UTF8 = (
    Case(20, "ff fe", b'{"a":"\xff\xfe"}', '{"a":"\ufffd\ufffd"}'),
    Case(20, "beyond Unicode", b'{"a":"\xf4\x90\x80\x80"}', '{"a":"\ufffd\ufffd\ufffd\ufffd"}'),
    Case(20, "half a character", b'{"a":"x\xc3","b":"\xc3\xa9"}', '{"a":"x\ufffd","b":"\u00e9"}'),
    Case(20, "a part of a character", b'{"a":"\xe2\x82x\xf0\x9f\x98"}', '{"a":"\ufffd\ufffdx\ufffd\ufffd\ufffd"}'),
    Case(21, "overlong", b'{"a":"\xc0\xaf"}', '{"a":"\ufffd\ufffd"}'),
    Case(21, "overlong in a name", b'{"\xc0\xaf": 1.10}', '{"\ufffd\ufffd": 1.10}'),
    Case(22, "encoded surrogate", b'{"a":"\xed\xa0\x80"}', '{"a":"\ufffd\ufffd\ufffd"}'),
    Case(25, "latin-1", b'{"a":"caf\xe9"}', '{"a":"caf\ufffd"}'),
)

# JSON that Jitsu's ingestion rejects and keeps as malformed; in a body of records, errors have its index.
NO_EVENT = (
    Case(12, "100,000 digits", b'{"a":' + b"1" * 100_000 + b"}"),
    Case(27, "201 objects", nested(201)),
    Case(27, "201 arrays", arrays(201)),
    Case(27, "500 objects", nested(500)),
    Case(27, "900 arrays", arrays(900)),
    Case(29, "200,000 empty arrays in an event", b'{"a":[' + b"[]," * 200_000 + b"[]]}"),
    Case(30, "100,000 keys", b"{" + b",".join(b'"%d":1' % number for number in range(100_000)) + b"}"),
    Case(31, "a name of a megabyte", b'{"' + b"x" * MEGABYTE + b'":1}'),
    Case(32, "scalar", b"5"),
    Case(32, "negative scalar", b"-1.5"),
    Case(32, "null", b"null"),
    Case(32, "true", b"true"),
    Case(32, "string", b'"event"'),
    Case(33, "array with a scalar", b'[{"a":1},5]'),
    Case(33, "array with null", b'[null,{"a":1}]'),
    Case(33, "array with an array", b'[[{"a":1}]]'),
    Case(36, "larger than an event may be", b'{"a":"' + b"x" * 51_200 + b'"}'),
)

# Bodies that Jitsu 2 rejects as a batch, and which are kept as malformed; expected is a part of the message.
NO_BATCH = (
    Case(1, "empty batch body", b"", "empty JSON body"),
    Case(3, "truncated batch", b'{"batch":[{"a":1}', "unexpected EOF"),
    Case(27, "a batch of an event that is too deep", b'{"batch":[' + nested(201) + b"]}", "nested deeper"),
    Case(28, "a batch of 100,000 arrays", b'{"batch":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested"),
    Case(32, "scalar for a batch", b"5", "not a JSON object"),
    Case(32, "an array for a batch", b'[{"a":1}]', "not a JSON object"),
    Case(32, "batch is a scalar", b'{"batch":5}', "batch is not an array"),
    Case(32, "batch is an object", b'{"batch":{"a":1}}', "batch is not an array"),
    Case(33, "batch of scalars", b'{"batch":[1,"x",true]}', "cannot unmarshal number"),
    Case(33, "batch with a scalar", b'{"batch":[{"a":1},5]}', "cannot unmarshal number"),
    Case(33, "batch with null", b'{"batch":[{"a":1},null]}', "null"),
    Case(33, "batch in a batch", b'{"batch":[[{"a":1}]]}', "cannot unmarshal array"),
    Case(33, "key is a scalar", b'{"batch":[],"writeKey":5}', "writeKey is not a text"),
    Case(33, "name is an object", b'{"batch":[],"eventsName":{}}', "eventsName is not a text"),
    Case(36, "batch of one that is too large", b'{"batch":[{"a":"' + b"x" * 51_200 + b'"}]}', "exceeds limit"),
)

# Write keys that belong to nobody; each is a header line.
WRITE_KEYS = (
    Case(74, "no write key", b""),
    Case(74, "wrong write key", b"X-Write-Key: wrong\r\n"),
    Case(74, "empty write key", b"X-Write-Key: \r\n"),
    Case(74, "id without secret", b"X-Write-Key: site\r\n"),
    Case(74, "id with an empty secret", b"X-Write-Key: site:\r\n"),
    Case(74, "id with a wrong secret", b"X-Write-Key: site:wrong\r\n"),
    Case(74, "secret at the wrong place", b"X-Write-Key: site:wrong:secret-key\r\n"),
    Case(74, "write key that is no UTF-8", b"X-Write-Key: \xff\xfe\r\n"),
    Case(74, "8 kB of write key", b"X-Write-Key: " + b"x" * 8000 + b"\r\n"),
    Case(74, "Basic that is no base64", b"Authorization: Basic ???\r\n"),
    Case(74, "Basic of no UTF-8", b"Authorization: Basic //79\r\n"),
    Case(74, "bearer with a wrong write key", b"Authorization: Bearer wrong\r\n"),
    Case(74, "empty bearer", b"Authorization: Bearer \r\n"),
    Case(74, "Basic before a good one", b"Authorization: Basic Og==\r\nX-Write-Key: \r\n"),
)

# A write key of Jitsu 2, whose half behind the colon must never be kept; and where requests have it, by what they add
# to a query and to the headers. Expected is whether Jitsu 2's own routes look there too.
HALF = "H4LFSECRET"
WRITE_KEY = f"kid:{HALF}"
_BASIC_KEY = base64.b64encode(WRITE_KEY.encode()).decode()
WRITE_KEY_PLACES = (
    Case(74, "token", (f"token={WRITE_KEY}", {}), False),
    Case(74, "token with an escape", (f"token=kid%3A{HALF}", {}), False),
    Case(74, "p_ of a random name", (f"p_1={WRITE_KEY}", {}), False),
    Case(74, "X-Auth-Token", ("", {"X-Auth-Token": WRITE_KEY}), False),
    Case(74, "api_key", ("", {"api_key": WRITE_KEY}), False),
    Case(74, "Basic", ("", {"Authorization": f"Basic {_BASIC_KEY}"}), True),
    Case(74, "Bearer", ("", {"Authorization": f"Bearer {WRITE_KEY}"}), True),
    Case(74, "X-Write-Key", ("", {"X-Write-Key": WRITE_KEY}), True),
    Case(74, "writekey", (f"writekey={WRITE_KEY}", {}), True),
    Case(74, "token encoded twice", (f"token=kid%253A{HALF}", {}), False),
    Case(74, "X-Auth-Token with an escape", ("", {"X-Auth-Token": f"kid%3A{HALF}"}), False),
    Case(74, "X-Write-Key with an escape", ("", {"X-Write-Key": f"kid%3a{HALF}"}), True),
    Case(74, "X-Write-Key encoded twice", ("", {"X-Write-Key": f"kid%253a{HALF}"}), True),
    Case(74, "writekey with an escape", (f"%77ritekey=kid%3a{HALF}", {}), True),
)

# Bodies that have a write key in them; expected is what is kept, None if it is malformed. Those of the first table have
# it where it is found by its name, and those of the second one where it is found if the request names the same key.
WRITE_KEY_NAMES = (
    Case(74, "writeKey", b'{"n": 1.10,"writeKey":"kid:H4LFSECRET"}', b'{"n": 1.10,"writeKey":"kid:***"}'),
    Case(
        74,
        "other cases",
        b'{"WriteKey":"k:H4LFSECRET","WRITEKEY":"k:H4LFSECRET"}',
        b'{"WriteKey":"k:***","WRITEKEY":"k:***"}',
    ),
    Case(
        74,
        "write_key and api_key",
        b'{"write_key":"k:H4LFSECRET","api_key":"k:H4LFSECRET"}',
        b'{"write_key":"k:***","api_key":"k:***"}',
    ),
    Case(
        74,
        "apiKey and write-key",
        b'{"apiKey":"k:H4LFSECRET","write-key":"k:H4LFSECRET"}',
        b'{"apiKey":"k:***","write-key":"k:***"}',
    ),
    Case(74, "deep", b'{"a":[{"context":{"writeKey":"k:H4LFSECRET"}}]}', b'{"a":[{"context":{"writeKey":"k:***"}}]}'),
    Case(
        74,
        "array",
        b'{"writeKey":["a","k:H4LFSECRET",["k:H4LFSECRET"]],"b":"c:d"}',
        b'{"writeKey":["a","k:***",["k:***"]],"b":"c:d"}',
    ),
    Case(
        74,
        "array of objects",
        b'{"writeKey":["k:H4LFSECRET",{"a":["c:d"],"apiKey":1,"b":"c:d"},"k:H4LFSECRET"],"c":"d:e"}',
        b'{"writeKey":["k:***",{"a":["c:d"],"apiKey":1,"b":"c:d"},"k:***"],"c":"d:e"}',
    ),
    Case(
        74,
        "array of objects with keys",
        b'{"apiKey":[{"a":[{"apiKey":"k:H4LFSECRET"}],"apiKey":["k:H4LFSECRET",["k:H4LFSECRET"]]},"k:H4LFSECRET"]}',
        b'{"apiKey":[{"a":[{"apiKey":"k:***"}],"apiKey":["k:***",["k:***"]]},"k:***"]}',
    ),
    Case(
        74,
        "escapes in a name",
        rb'{"write\u004bey":"k:H4LFSECRET","\u0061pi\u005FKey":"k:H4LFSECRET"}',
        rb'{"write\u004bey":"k:***","\u0061pi\u005FKey":"k:***"}',
    ),
    Case(
        74,
        "escapes in a key",
        rb'{"writeKey":"\u006b\u003aH4LFSECRET","api_key":"k\u003AH4LFSECRET"}',
        rb'{"writeKey":"\u006b:***","api_key":"k:***"}',
    ),
    Case(74, "quote in a half", rb'{"writeKey":"k:x\"H4LFSECRET","a":"b:c"}', b'{"writeKey":"k:***","a":"b:c"}'),
    Case(
        74,
        "blanks",
        b'{"writeKey"' + b" " * 120 + b":\r\n" + b"\t" * 120 + b'"k:H4LFSECRET"}',
        b'{"writeKey"' + b" " * 120 + b":\r\n" + b"\t" * 120 + b'"k:***"}',
    ),
    Case(74, "twice", b'{"api_key":"k:H4LFSECRET","api_key":"js.a.b"}', b'{"api_key":"k:***","api_key":"js.a.b"}'),
    Case(
        74,
        "half a surrogate pair beside",
        rb'{"writeKey":"k:H4LFSECRET","a":"\ud83d"}',
        rb'{"writeKey":"k:***","a":"\ud83d"}',
    ),
    Case(74, "broken object", b'{"n":1,"writeKey":"k:H4LFSECRET"'),
    Case(74, "broken text", b'{"n":1,"writeKey":"k:H4LFSECRET'),
    Case(74, "broken form", b"writeKey=k:H4LFSECRET&x"),
    Case(74, "broken form with an escape", b"a=1&api_key=k%3AH4LFSECRET"),
    Case(74, "other quotes", b"{'writeKey': 'k:H4LFSECRET'}"),
    Case(74, "JSON in a text", rb'{"a":"{\"writeKey\":\"k:H4LFSECRET\"}'),
)
WRITE_KEYS_ANYWHERE = (
    Case(
        74,
        "address",
        b'{"context":{"page":{"url":"https://x/?k=kid:H4LFSECRET&b"}}}',
        b'{"context":{"page":{"url":"https://x/?k=kid:***&b"}}}',
    ),
    Case(
        74,
        "escape in an address",
        b'{"url":"https://x/?k=kid%3AH4LFSECRET","b":"kid%3aH4LFSECRET"}',
        b'{"url":"https://x/?k=kid%3A***","b":"kid%3a***"}',
    ),
    Case(
        74,
        "half alone",
        rb'{"a":"x \u0041\\H4LFSECRET\n","H4LFSECRET":[1.10]}',
        rb'{"a":"x \u0041\\***\n","***":[1.10]}',
    ),
    Case(74, "broken JSON", b'{"a":"kid:H4LFSECRET'),
    Case(74, "no JSON", b"H4LFSECRET"),
)
# Expected to stay byte for byte, though the names and colons are there.
NO_SECRET_HALVES = (
    Case(74, "no colon", rb'{"api_key": "js.a.b","writeKey":"\u0061\n\"b","b":"c:d"}'),
    Case(74, "hidden already", b'{"writeKey":"k:***","api_key":["k:***"]}'),
    Case(74, "nothing behind the colon", b'{"writeKey":"k:","api_key":":"}'),
    Case(74, "no text", b'{"writeKey":1,"api_key":null,"write_key":{"a":"b:c"},"apiKey":[1,{"a":"b:c"}]}'),
    Case(74, "other names", b'{"primary_key":"a:b","key":"a:b","writeKeys":"a:b","xwriteKey":"a:b","api key":"a:b"}'),
    Case(74, "name as a value", b'{"a":"writeKey","b":"c:d","e":["api_key","f:g"],"h":"writeKey:"}'),
    Case(74, "name in a text", rb'{"a":"\"writeKey\"","b":"api_key: x","c:d":"e:f"}'),
)

# Kept as malformed without being decoded; expected is a part of the message.
TOO_MANY_VALUES = (
    Case(28, "a megabyte of brackets", b"[" * MEGABYTE, "500000 values"),
    Case(29, "a megabyte of empty arrays", b"[" + b"[]," * (MEGABYTE // 3) + b"[]]", "500000 values"),
)
TOO_MANY_VALUES_IN_AN_EVENT = (
    Case(28, "a megabyte of brackets in an event", b'{"a":' + b"[" * MEGABYTE, "500000 values"),
    Case(29, "a megabyte of empty arrays in an event", b'{"a":[' + b"[]," * (MEGABYTE // 3) + b"[]]}", "500000 values"),
    Case(30, "600,000 keys", b"{" + b",".join(b'"%d":1' % number for number in range(600_000)) + b"}", "500000 values"),
)

# Expected is a part of the message; the status is 413.
TOO_MANY = (Case(29, "200,000 empty arrays", b"[" + b"[]," * 200_000 + b"[]]", "at most 10000"),)

# Accepted, and returned byte for byte.
EXACT = (
    Case(9, "20 digits", b'{"a":12345678901234567890}'),
    Case(10, "2^63", b'{"a":9223372036854775808}'),
    Case(10, "-2^63-1", b'{"a":-9223372036854775809}'),
    Case(10, "2^64", b'{"a":18446744073709551616}'),
    Case(8, "1e400", b'{"a":[1e400,-1e400,1e-400,1E+99999999999999999999]}'),
    Case(11, "4,300 digits", b'{"a":' + b"1" * 4300 + b"}"),
    Case(11, "4,301 digits", b'{"a":' + b"1" * 4301 + b"}"),
    Case(12, "50,000 digits", b'{"a":0.' + b"1" * 50_000 + b"}"),
    Case(16, "lone high surrogate", escaped("ud800")),
    Case(16, "lone low surrogate", escaped("uDC00")),
    Case(16, "surrogates the wrong way round", escaped("udc00\\ud800")),
    Case(16, "half a pair before a whole one", escaped("ud83d\\ud83d\\ude00")),
    Case(16, "lone surrogate in a name", b'{"' + BACKSLASH + b'ud800":1,"b":2}'),
    Case(13, "1.10", b'{"a":1.10}'),
    Case(13, "-0", b'{"a":[-0,-0.0]}'),
    Case(13, "1E5", b'{"a":1E5}'),
    Case(13, "more digits than a float has", b'{"a":0.30000000000000004441}'),
    Case(15, "duplicate keys", b'{"a":1,"b":2,"a":3}'),
    Case(17, "escaped NUL", escaped("u0000")),
    Case(26, "200 objects", nested(200)),
    Case(26, "200 arrays", arrays(200)),
    Case(78, "script", b'{"a":"<script>alert(1)</script>"}'),
    Case(78, "image", b'{"a":"</script><img src=x onerror=alert(1)>"}'),
    Case(78, "link", b'{"a":"javascript:alert(1)"}'),
    Case(78, "prototype", b'{"__proto__":{"x":1},"constructor":{"prototype":{}}}'),
    Case(78, "line separators", '{"a":"\u2028\u2029"}'.encode()),
    Case(78, "white space", b'{ "a" :\t[ 1 ,\n2 ] }'),
    Case(79, "terminal escapes", escaped('u001b[31m\\r\\n\\" 200 0 \\"')),
)

# Objects that Jitsu's own routes would take apart, or that look like records: whole events to a webhook.
WHOLE_EVENTS = (
    Case(33, "template", b'{"event_type":"order","template":{"id":1},"events":[{"n":1},{"n":2}]}'),
    Case(33, "template without events", b'{"template":{"id":1},"events":[]}'),
    Case(33, "template alone", b'{"template":{}}'),
    Case(33, "batch", b'{"batch":[{"n":1}]}'),
    Case(33, "original of a text", b'{"original":"{}","n":1}'),
    Case(33, "original within", b'{"a":{"original":{}}}'),
    Case(16, "template with half a pair", b'{"template":{"a":"' + BACKSLASH + b'ud800"},"events":[{}]}'),
)

# Each as one of several records; expected is a part of its error message.
BAD_RECORDS = (
    Case(16, "half a pair in a text of ours", b'{"original":{},"error":"' + BACKSLASH + b'ud83d"}', "surrogate"),
    Case(20, "ff", b'{"original":{"a":"\xff"}}', "UTF-8"),
    Case(27, "too deep", b'{"original":' + nested(201) + b"}", "nested deeper"),
    Case(32, "null", b"null", "not an object"),
    Case(32, "scalar", b"5", "not an object"),
    Case(32, "string", b'"x"', "not an object"),
    Case(33, "array", b'[{"original":{}}]', "not an object"),
    Case(33, "empty", b"{}", "none of original"),
    Case(33, "original no object", b'{"original":[1]}', "original is not an object"),
    Case(33, "success a text", b'{"success":"{}"}', "success is not an object"),
    Case(33, "error no text", b'{"original":{},"error":5}', "$.error"),
    Case(33, "bad time", b'{"original":{},"timestamp":"yesterday"}', "timestamp"),
    Case(33, "no token's text", b'{"original":{},"token_id":5}', "$.token_id"),
    Case(36, "too large", b'{"original":{"a":"' + b"x" * 51_200 + b'"}}', "too_large"),
    Case(63, "id of 513 bytes", b'{"original":{},"token_id":"' + b"x" * 513 + b'"}', "513 bytes"),
    Case(63, "id of 10 kB", b'{"original":{},"destination_id":"' + b"x" * 10_000 + b'"}', "10000 bytes"),
    Case(64, "comma in an id", b'{"original":{},"token_id":"a,b"}', "comma"),
    Case(66, "control in an id", b'{"original":{},"token_id":"a' + BACKSLASH + b'u0007"}', "U+0007"),
    Case(66, "NUL in an id", b'{"original":{},"token_id":"' + BACKSLASH + b'u0000"}', "U+0000"),
    Case(66, "bidi in an id", '{"original":{},"token_id":"\u202e"}'.encode(), "U+202E"),
)

# Sent is the encoding of a text, an e with an acute accent; expected is what Jitsu's ingestion reads, None if it
# rejects the body. A body of records is rejected with 415.
TYPES = (
    Case(25, "application/json; charset=latin1", "utf-8", "\u00e9"),
    Case(25, "application/json; charset=iso-8859-1", "latin-1", "\ufffd"),
    Case(25, "application/json; charset=utf-7", "utf-7", "+AOk"),
    Case(25, "application/json; charset=utf-16", "utf-16"),
    Case(25, "application/json; charset=nonsense", "utf-8", "\u00e9"),
    Case(80, "", "utf-8", "\u00e9"),
    Case(80, "text/plain", "utf-8", "\u00e9"),
    Case(80, "text/plain; charset=utf-8", "utf-8", "\u00e9"),
    Case(80, "multipart/form-data; boundary=x", "utf-8", "\u00e9"),
    Case(80, "application/x-www-form-urlencoded", "utf-8", "\u00e9"),
    Case(80, "json", "utf-8", "\u00e9"),
)


def bomb(size: int) -> bytes:
    """Return the beginning of a gzip stream that unzips to so many megabytes, and more: one block again and again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    start = packer.compress(bytes(MEGABYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(MEGABYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    return start + block * (size - 1)


ZIPPED = gzip.compress(b'{"original":{}}')
# Expected is the status of the response to them as gzip.
GZIP = (
    Case(41, "gzip", ZIPPED, 200),
    Case(41, "two members", gzip.compress(b" ") + ZIPPED, 200),
    Case(42, "bomb of a gigabyte", bomb(1024), 413),
    Case(43, "truncated", ZIPPED[:-5], 400),
    Case(43, "truncated in the header", ZIPPED[:5], 400),
    Case(43, "without its check sum", ZIPPED[:-8], 400),
    Case(43, "empty", b"", 400),
    Case(44, "no gzip", b'{"original":{}}', 400),
    Case(44, "zlib", zlib.compress(b'{"original":{}}'), 400),
    Case(44, "wrong check sum", ZIPPED[:-8] + bytes(4) + ZIPPED[-4:], 400),
    Case(45, "junk behind", ZIPPED + b"junk", 400),
    Case(45, "zeros behind", ZIPPED + bytes(4), 400),
    Case(45, "half a member behind", ZIPPED + ZIPPED[:12], 400),
    Case(46, "17 members", gzip.compress(b" ") * 17, 400),
    Case(46, "200,000 members", gzip.compress(b"") * 200_000, 400),
)

ENCODINGS = tuple(
    Case(47, encoding, encoding)
    for encoding in ("br", "zstd", "deflate", "compress", "foo", "gzip, gzip", "identity, gzip", "gzip;q=1", "\u00fc")
)

# Expected is a part of the message; the status is 400.
BAD_QUERIES = (
    Case(63, "id of 513 bytes", "ids=" + "x" * 513, "513 bytes"),
    Case(63, "id of 513 bytes among others", "ids=a," + "x" * 513, "513 bytes"),
    Case(63, "id of 258 characters", "ids=" + "%C3%A9" * 258, "516 bytes"),
    Case(65, "ff", "ids=%ff", "UTF-8"),
    Case(65, "overlong", "ids=%c0%af", "UTF-8"),
    Case(65, "surrogate", "ids=%ed%a0%80", "UTF-8"),
    Case(65, "no digits", "ids=%zz", "escape"),
    Case(65, "one digit", "ids=%a", "escape"),
    Case(65, "no more", "ids=a%", "escape"),
    Case(66, "NUL", "ids=%00", "U+0000"),
    Case(66, "line break", "ids=%0A", "U+000A"),
    Case(66, "escape", "ids=%1B", "U+001B"),
    Case(66, "delete", "ids=%7F", "U+007F"),
    Case(66, "next line", "ids=%C2%85", "U+0085"),
    Case(66, "bidi override", "ids=%E2%80%AE", "U+202E"),
    Case(66, "bidi isolate", "ids=a%E2%81%A6b", "U+2066"),
    Case(68, "0", "limit=0", "limit"),
    Case(68, "-1", "limit=-1", "limit"),
    Case(68, "+5", "limit=+5", "limit"),
    Case(68, "+5 escaped", "limit=%2B5", "limit"),
    Case(68, "1e3", "limit=1e3", "limit"),
    Case(68, "space in front", "limit=%205", "limit"),
    Case(68, "space behind", "limit=5%20", "limit"),
    Case(68, "line break behind", "limit=5%0A", "limit"),
    Case(68, "0x5", "limit=0x5", "limit"),
    Case(68, "Arabic digit", "limit=%D9%A3", "limit"),
    Case(68, "1_0", "limit=1_0", "limit"),
    Case(68, "1.0", "limit=1.0", "limit"),
    Case(68, "10^30", f"limit={10**30}", "limit"),
    Case(68, "5,000 digits", "limit=" + "9" * 5000, "limit"),
    Case(70, "Destination", "namespace=Destination", "namespace"),
    Case(70, "x", "namespace=x", "namespace"),
    Case(71, "ERROR", "status=ERROR", "status"),
    Case(72, "limit", "limit=1&limit=2", "more than once"),
    Case(72, "the same limit", "limit=1&limit=1", "more than once"),
    Case(72, "namespace", "namespace=token&namespace=destination", "more than once"),
    Case(72, "status", "status=error&status=", "more than once"),
)

# Expected are the events returned, of streams a and b with two events each, the older one an error.
QUERIES = (
    Case(58, "no ids", "", ["b2", "b1", "a2", "a1"]),
    Case(59, "empty ids", "ids=", []),
    Case(59, "ids without a value", "ids", []),
    Case(59, "only commas", "ids=,,", []),
    Case(61, "duplicate", "ids=a,a", ["a2", "a1"]),
    Case(61, "duplicate in another parameter", "ids=a&ids=b,a", ["a2", "a1", "b2", "b1"]),
    Case(62, "empty id", "ids=a,,b", ["a2", "a1", "b2", "b1"]),
    Case(62, "empty ids around", "ids=,a,", ["a2", "a1"]),
    Case(69, "limit over the size", "ids=a&limit=5000", ["a2", "a1"]),
    Case(69, "limit over 64 bits", f"ids=a&limit={10**18 - 1}", ["a2", "a1"]),
    Case(69, "limit", "ids=a&limit=1", ["a2"]),
    Case(70, "empty namespace", "ids=a&namespace=", ["a2", "a1"]),
    Case(71, "empty status", "ids=a&status=", ["a2", "a1"]),
    Case(71, "success", "ids=a&status=success", ["a2"]),
    Case(71, "error", "ids=a&status=error", ["a1"]),
    Case(65, "ff in another parameter", "ids=a&x=%E4&whatever=%ff", ["a2", "a1"]),
    Case(65, "ff in a name", "ids=a&%ff=1", ["a2", "a1"]),
    Case(65, "no escape in another parameter", "ref=100%&ids=a&%zz=%&limit=5&=%", ["a2", "a1"]),
    Case(73, "unknown parameter", "ids=a&whatever=1&whatever=2&&=&x", ["a2", "a1"]),
)

# Expected is the id that each text of a query decodes to. An event of one id is in no other stream.
IDS = (
    Case(64, "plain", "x", "x"),
    Case(64, "colon", "x%3Aerror", "x:error"),
    Case(64, "number sign", "x%23y", "x#y"),
    Case(64, "hash tag", "%7Bx%7D", "{x}"),
    Case(64, "hash tag the wrong way round", "%7D%7B", "}{"),
    Case(64, "backslash", "%5Cn", "\\n"),
    Case(64, "star", "%2A", "*"),
    Case(64, "path", "..%2F", "../"),
    Case(64, "space", "a+b", "a b"),
    Case(64, "percent", "%2500", "%00"),
    Case(67, "composed", "caf%C3%A9", "caf\u00e9"),
    Case(67, "decomposed", "cafe%CC%81", "cafe\u0301"),
)

# Header lines that do not authenticate.
CREDENTIALS = (
    Case(74, "none", b""),
    Case(74, "wrong", b"X-Admin-Token: wrong\r\n"),
    Case(74, "empty", b"X-Admin-Token: \r\n"),
    Case(74, "a part", b"X-Admin-Token: secre\r\n"),
    Case(74, "not ASCII", b"X-Admin-Token: s\xc3\xa9cret\r\n"),
    Case(74, "no UTF-8", b"X-Admin-Token: \xff\xfe\r\n"),
    Case(74, "8 kB", b"X-Admin-Token: " + b"x" * 8000 + b"\r\n"),
    Case(74, "twice", b"X-Admin-Token: secret\r\nX-Admin-Token: secret\r\n"),
    Case(74, "twice, one wrong", b"X-Admin-Token: secret\r\nX-Admin-Token: wrong\r\n"),
    Case(74, "bearer wrong", b"Authorization: Bearer wrong\r\n"),
    Case(74, "bearer empty", b"Authorization: Bearer \r\n"),
    Case(74, "bearer no UTF-8", b"Authorization: Bearer \xff\r\n"),
    Case(74, "basic", b"Authorization: Basic c2VjcmV0Og==\r\n"),
    Case(74, "ingest", b"X-Auth-Token: ingest\r\n"),
)
GUARDED = (f"GET {CACHE}", f"DELETE {CACHE}?ids=a", "GET /api/v1/streams")

# Headers that change nothing in a response.
IGNORED_HEADERS = (
    Case(86, "range", {"Range": "bytes=0-1"}),
    Case(86, "range with a condition", {"Range": "bytes=0-1", "If-Range": '"x"'}),
    Case(86, "if none match", {"If-None-Match": "*"}),
    Case(86, "if modified since", {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}),
    Case(86, "method override", {"X-HTTP-Method-Override": "DELETE"}),
    Case(86, "method", {"X-HTTP-Method": "DELETE", "X-Method-Override": "DELETE"}),
)

# Segment's bodies; expected is a part of the message. They are kept as malformed.
BATCHES = (
    Case(92, "scalars", b'{"batch":[1,2,3]}', "Expected array of objects"),
    Case(92, "a scalar behind an event", b'{"batch":[{},"x"]}', "Expected array of objects"),
    Case(92, "null", b'{"batch":[null]}', "Expected array of objects"),
    Case(92, "arrays", b'{"batch":[[{}]]}', "Expected array of objects"),
    Case(92, "no array", b'{"batch":"[]"}', "Expected array of objects"),
    Case(92, "no object", b"[[{}]]", "cannot unmarshal array"),
    Case(92, "not closed", b'{"batch":[{}', "unexpected EOF"),
    Case(92, "too deep", b'{"batch":[' + nested(201) + b"]}", "nested deeper than 200 levels"),
    Case(92, "100,000 arrays", b'{"batch":[' + b"[" * 100_000 + b"]" * 100_000 + b"]}", "nested too deeply"),
)

# Keys of a pixel: the event in `data`, the key, and the members that the event has then.
PIXEL_KEYS = (
    (b"{}", "user.id||uid", b'"uid":"1",'),
    (b'{"user":{}}', "user.id||uid", b'"user":{"id":"1"},'),
    (b'{"user":{"id":7}}', "/user/id||uid", b'"user":{"id":"1"},'),
    (b'{"user":7}', "user.id||uid", b'"user":7,'),
    (b'{"user":null}', "user.id||uid", b'"user":null,'),
    (b'{"b":{}}', "a.x||b.y.z||b.x", b'"b":{"x":"1"},'),
    (b"{}", "a||b", b'"a":"1",'),
    (b"{}", "a.x||b.x", b""),
    (b"{}", "||a", b""),
    (b"{}", "a.x||/||a", b""),
    (b"{}", "a.x||", b""),
    (b"{}", "a.x|| b c ||d", b'"bc":"1",'),
    (b"{}", "a|b", b'"a|b":"1",'),
    (b"{}", "a|||b", b'"a":"1",'),
    (b"{}", "a.x|||b", b'"|b":"1",'),
)

# Forms of bulk files, and the encoding of their file; expected is a part of the message.
BROKEN_FORMS = (
    Case(88, "no gzip", (form(b'{"n":1}'), "gzip"), "payload from input file: gzip: invalid header"),
    Case(88, "truncated gzip", (form(gzip.compress(b'{"n":1}')[:-5]), "gzip"), "input file: unexpected EOF"),
    Case(88, "empty gzip", (form(b""), "gzip"), "input file: EOF"),
    Case(88, "17 members", (form(gzip.compress(b" ") * 17), "gzip"), "more than 16 members"),
    Case(88, "other encoding", (form(b'{"n":1}'), "br"), "only 'gzip' encoding is supported"),
    Case(89, "without its end", (part(b'{"n":1}\n'), ""), "'file' form parameter: unexpected EOF"),
    Case(89, "within its end", (form(b'{"n":1}\n')[:-5], ""), "'file' form parameter: unexpected EOF"),
    Case(89, "within a header", (part(b"")[:50], ""), "'file' form parameter: multipart: NextPart: EOF"),
    Case(89, "no form", (b'{"n":1}', ""), "'file' form parameter: multipart: NextPart: EOF"),
    Case(89, "nothing", (b"", ""), "'file' form parameter: multipart: NextPart: EOF"),
    Case(89, "no header", (b"--" + BOUNDARY + b"\r\nx\r\n" + END, ""), "multipart: NextPart: the form is not valid"),
    Case(89, "a header of 100 kB", (part(b"", b"x" * 100_000), ""), "multipart: NextPart: the form is not valid"),
    Case(89, "no file", (part(b'{"n":1}', b"files") + END, ""), "http: no such file"),
    Case(89, "a field", (part(b'{"n":1}', file_name=b"") + END, ""), "http: no such file"),
    Case(90, "10,000 parts", (part(b"x", b"x") * 10_000 + END, ""), "multipart: message too large"),
    Case(90, "10,000 files", (part(b'{"n":1}') * 10_000 + END, ""), "multipart: message too large"),
)

# Lines of a bulk file that fail it; expected is a part of the message.
BROKEN_LINES = (
    Case(87, "no JSON", b"x", "invalid character 'x'"),
    Case(87, "blank", b" \t\r", "EOF"),
    Case(87, "truncated", b'{"a":', "unexpected EOF"),
    Case(87, "NaN", b'{"a":NaN}', "invalid character 'N'"),
    Case(87, "array", b"[{}]", "cannot unmarshal array"),
    Case(87, "null", b"null", "not an object"),
    Case(87, "byte order mark", b"\xef\xbb\xbf{}", "invalid character"),
    Case(87, "NULs in front", b"\0\0x", "invalid character 'x'"),
)

# Queries of the pixel; expected is a part of the message, None if the image comes.
PIXELS = (
    Case(91, "no field", ""),
    Case(91, "no token", "event_type=pageview"),
    Case(91, "an unusable token", "token=a%2Cb"),
    Case(91, "no UTF-8", "%ff=%ff"),
    Case(91, "bad escapes", "token=%zz&%zz=1&;=2"),
    Case(91, "empty data", "data="),
    Case(91, "a path of 3,000 levels", "a." * 3_000 + "a=1", "nested deeper than 200 levels"),
    Case(91, "broken base64", "data=%25%25%25", "illegal base64 data at input byte 0"),
    Case(91, "half of base64", "data=e30", "illegal base64 data at input byte 0"),
    Case(91, "base64 of no JSON", "data=AAAA", "invalid character"),
    Case(91, "base64 of an array", "data=W10%3D", "cannot unmarshal array"),
    Case(91, "base64 of too many levels", "data=" + "W1tb" * 1_500, "nested too deeply"),
)
