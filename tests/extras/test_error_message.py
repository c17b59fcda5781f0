import hypothesis
import pytest
from hypothesis import strategies as st

from eventscache.extras.error_message import LONGEST_MESSAGE, LONGEST_TEMPLATE, template

# Messages of Jitsu, its destinations and their drivers, and what each becomes.
MESSAGES = {
    # Jitsu
    "Unsupported column [local_tz_offset] type changing from: INT64 to: STRING": (
        "Unsupported column […] type changing from: INT64 to: STRING"
    ),
    "error parsing HTTP body: unexpected EOF": "error parsing HTTP body: unexpected EOF",
    "table name template: no value": "table name template: no value",
    "connection refused": "connection refused",
    "cannot unmarshal bytes into Go value of type map[string]interface {}: unexpected EOF": (
        "cannot unmarshal bytes into Go value of type map[…]interface {…}: unexpected EOF"
    ),
    "invalid character '<' looking for beginning of value": "invalid character '…' looking for beginning of value",
    # PostgreSQL and Redshift
    'error inserting: column "n" is of type text': 'error inserting: column "…" is of type text',
    'Error executing insert statement: pq: column "price" is of type bigint but expression is of type double '
    'precision\nquery: INSERT INTO "events" ...': (
        'Error executing insert statement: pq: column "…" is of type bigint but expression is of type double '
        'precision query: INSERT INTO "…" ...'
    ),
    'pq: invalid input syntax for type integer: "abc" (22P02)': ('pq: invalid input syntax for type integer: "…" (…)'),
    "pq: value too long for type character varying(255)": "pq: value too long for type character varying(…)",
    # BigQuery
    "googleapi: Error 400: Provided Schema does not match Table shop:ds.events_20201130. Field price has changed type "
    "from FLOAT to STRING, invalid": (
        "googleapi: Error <number>: Provided Schema does not match Table shop:ds.events_<number>. Field price has "
        "changed type from FLOAT to STRING, invalid"
    ),
    "googleapi: Error 403: Exceeded rate limits: too many table update operations for this table.": (
        "googleapi: Error <number>: Exceeded rate limits: too many table update operations for this table."
    ),
    # Snowflake
    "100038 (22018): Numeric value 'abc' is not recognized": "<number> (…): Numeric value '…' is not recognized",
    "390114 (08001): Authentication token has expired. The user must authenticate again.": (
        "<number> (…): Authentication token has expired. The user must authenticate again."
    ),
    # ClickHouse
    "Code: 27. DB::Exception: Cannot parse input: expected '\"' before: 'abc\"}': (at row 12) (version 21.3.4.25 "
    "(official build))": "Code: <number>. DB::Exception: Cannot parse input: expected '…' before: '…': (…) (…)",
    # HTTP destinations, and the network
    'Post "https://hooks.slack.example/services/T0/B0": dial tcp 10.0.0.5:443: connect: connection refused': (
        'Post "https://hooks.slack.example/…": dial tcp <address>: connect: connection refused'
    ),
    "Post https://hooks.slack.example/services/T0/B0: EOF": "Post https://hooks.slack.example: EOF",
    "read tcp 10.0.0.2:45678->10.0.0.5:5432: i/o timeout": "read tcp <address>-><address>: i/o timeout",
    "HTTP POST https://hooks.slack.example/services/T0: 429 Too Many Requests: rate_limited": (
        "HTTP POST https://hooks.slack.example: <number> Too Many Requests: rate_limited"
    ),
    'HTTP 429: {"error":{"message":"Rate limit","retry":[1,2]}}': "HTTP <number>: {…}",
    "<html><head><title>502 Bad Gateway</title></head>": "<…><…><…><number> Bad Gateway<…><…>",
}


@pytest.mark.parametrize(("message", "expected"), MESSAGES.items())
def test_a_real_message_loses_what_varies(message: str, expected: str) -> None:
    assert template(message) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("took 10ms or 1m30s", "took <number> or <number>"),
        ("-2.5 and 1.5e+10 of 1,234,567 are 50%", "<number> and <number> of <number> are <number>"),
        ("a -7 b +7 c .5 d 2nd", "a <number> b <number> c <number> d <number>"),
        ("rows 1-5", "rows <number>-<number>"),
        ("INT64 utf8 sha256 s3 FLOAT64 v2 table_v2", "INT64 utf8 sha256 s3 FLOAT64 v2 table_v2"),
        ("events_20201130 failed", "events_<number> failed"),
        ("seq 1700000000 x", "seq <number> x"),
        ("seq 1700000000000000000 x", "seq <number> x"),
        ("of 0xDEADBEEF, da39a3ee5e6b4b0d3255bfef95601890afd80709", "of <id>, <id>"),
        ("of 00000000-0000-4000-8000-00000000000A gone", "of <id> gone"),
        ("of req8fh3k2l9x7q1z5 and 8fh3k2l9x7q1z5ab", "of <id> and <id>"),
        ("at 2026-11-28T15:00:01.120000Z x", "at <time> x"),
        ("at 2026-11-28 15:00:01 +0000 UTC x", "at <time> x"),
        ("at 2026-11-28 x", "at <time> x"),
        ("2020/11/30 21:48:12 failed", "<time> failed"),
        ("at Mon, 02 Jan 2006 15:04:05 GMT x", "at <time> x"),
        ("at Mon Jan  2 15:04:05 2006 x", "at <time> x"),
        ("at 12:30:05.123 x", "at <time> x"),
        ("from 203.0.113.7. Again", "from <address>. Again"),
        ("of anna.b+x@shop.example.com here", "of <email> here"),
        ("postgres://user:pass@10.0.0.1:5432/db?x=1, gone", "postgres://<address>, gone"),
        ("get http://localhost:8080/x?y#z.", "get http://localhost."),
        ("get https://user:secret@shop.example", "get https://shop.example"),
        ("a `c` “d e” 'f' \"g\"", "a `…` “…” '…' \"…\""),
        ('a "b \\"c\\" d" e', 'a "…" e'),
        ('a ["]"] b', "a […] b"),
        ("a [b (c] d", "a […] d"),
        ("a ) b ] c", "a ) b ] c"),
        ("expected <= 5, got > 3 -> no", "expected <= <number>, got > <number> -> no"),
        ("  a \t\n b\x00c\x85 ", "a b c"),
        ("", ""),
        ("\x00 \n", ""),
        ("42", "<number>"),
    ],
)
def test_each_kind_of_value_becomes_its_word(message: str, expected: str) -> None:
    assert template(message) == expected


@pytest.mark.parametrize("message", ["can't open, doesn't work", "the users' 'n roll", 'a 5" pipe', "it`s"])
def test_an_apostrophe_or_a_quote_without_an_end_begins_no_value(message: str) -> None:
    assert template(message).replace("<number>", "5") == message


def test_a_value_in_quotes_may_hold_apostrophes() -> None:
    assert template("can't open 'it's here' again") == "can't open '…' again"


def test_messages_about_two_columns_are_the_same() -> None:
    message = "Unsupported column [{}] type changing from: {} to: STRING"

    assert template(message.format("a", "INT64")) == template(message.format("b", "INT64"))
    assert template(message.format("a", "INT64")) != template(message.format("a", "FLOAT64"))


def test_a_message_of_nothing_but_brackets_and_quotes_keeps_what_is_in_them() -> None:
    assert template('{"error":{"message":"Invalid token","code":401}}') == (
        '{"error":{"message":"Invalid token","code":<number>}}'
    )
    assert template("'no space left'") == "'no space left'"


def test_of_a_long_message_the_beginning_counts() -> None:
    # when
    long = "cannot store " + "x y" * LONGEST_MESSAGE

    # then
    assert template(long + "a") == template(long + "b")
    assert len(template(long)) <= LONGEST_TEMPLATE
    assert template("cannot parse [" + "x" * 1_000_000 + "]") == "cannot parse […"


def test_half_a_surrogate_pair_becomes_a_character_that_can_be_sent() -> None:
    assert template("bad \ud800 character").encode() == "bad \ufffd character".encode()


# Each is read once, whatever it repeats: a reader that looked ahead for an end again and again would not return.
@pytest.mark.parametrize(
    "repeated",
    [
        " 'a",
        ' "a',
        " `",
        "[",
        "[]",
        "([{<a",
        "[{]",
        "a.",
        "a-",
        "+",
        "a@",
        "a@b.b",
        "1.",
        "f",
        "ffffffff-",
        "a://",
        "a+",
    ],
)
def test_a_message_of_beginnings_without_ends_has_a_template(repeated: str) -> None:
    for message in (repeated * 500_000, "[" * 2000 + repeated * 500_000, "([{<a" * 400 + "]" * 5000):
        assert len(template(message)) <= LONGEST_TEMPLATE


@pytest.mark.parametrize(
    "repeated", ["Mon, ", "11:", "2020-11-11 ", "_1111", "1.1.1.1.", "\\'", "\x00", "\ud800", "<a", "1e+1"]
)
def test_a_message_of_many_values_has_a_template(repeated: str) -> None:
    for message in (repeated * 500_000, "[" * 2000 + repeated * 500_000, "([{<a" * 400 + "]" * 5000):
        assert len(template(message)) <= LONGEST_TEMPLATE


@hypothesis.given(st.text(st.characters(exclude_categories=()) | st.sampled_from("'\"`[](){}<>0123456789 .-:/@e")))
def test_any_text_has_a_template_on_one_line(message: str) -> None:
    found = template(message)

    assert len(found) <= LONGEST_TEMPLATE
    assert found == " ".join(found.encode().decode().split())


@hypothesis.given(st.integers(), st.integers(), st.text("abcdef xyz_", min_size=1))
def test_numbers_and_values_do_not_tell_messages_apart(first: int, second: int, value: str) -> None:
    assert template(f"row {first} of [{value}] is wrong") == template(f"row {second} of [x] is wrong")
