"""Forms, files and pixels of any bytes are rejected with a reason, or their events come back byte for byte."""

import gzip
import json
from urllib.parse import quote_plus

from hypothesis import example, given
from hypothesis import strategies as st

from eventscache.errors import InvalidEvent
from eventscache.ingest.bulk import BulkFile
from eventscache.ingest.limits import Limits
from eventscache.ingest.pixel import PixelEvent
from eventscache.ingest.segment import parse
from eventscache.server.http.parameters import pairs_as_in_go
from tests.support.forms import BOUNDARY, END, FORM, form, part
from tests.support.fuzz import fuzz
from tests.support.go_json import GoFault, go_end, go_text
from tests.support.json_fuzz import NAMES, ODD, VALUES

LIMITS = Limits(max_event_bytes=500, max_malformed_bytes=50, max_batch=8, max_depth=6, max_bulk_bytes=4000)
OBJECTS = st.dictionaries(NAMES | st.text(max_size=3), VALUES, max_size=4)
LINES = OBJECTS.map(lambda value: json.dumps(value, ensure_ascii=False).encode(errors="replace"))
LINES |= st.binary(max_size=30) | st.sampled_from(
    [b"", b" ", b"null", b'{"event":null}', b"[1]", b'{"event":{"a":1.10}}', b"{} x", b"\0{}"]
)
DELIMITER = b"\r\n--" + BOUNDARY
PIECES = st.sampled_from(
    [DELIMITER, DELIMITER + b"\r\n", END, b"\r\n", b"--", b"\r", b"\n", part(b"{}"), part(b"x", b"y", b"")]
)
PIECES |= st.sampled_from([b"Content-Disposition: form-data; name=file", b'; filename="x"', b":", b"\xff"])
PIECES |= st.binary(max_size=5)
# As the HTTP parser returns them: bytes that are not UTF-8 are surrogates.
HEADERS = st.binary(max_size=60).map(lambda data: data.decode(errors="surrogateescape"))


def taken(file: BulkFile, body: bytes, size: int) -> list[bytes]:
    """Return the events of a form that comes in pieces of a size."""
    for start in range(0, len(body), size):
        file.feed(body[start : start + size])
    file.end()
    return [event for events in file.events for event in events]


def check_reason(fault: InvalidEvent) -> None:
    assert str(fault).encode()


def check_object(data: bytes) -> None:
    assert isinstance(json.loads(data.decode(), parse_int=str), dict)


@fuzz
@given(st.lists(PIECES, max_size=12).map(b"".join), st.integers(1, 50), st.booleans(), st.sampled_from([FORM, "x", ""]))
@example(b"--" + BOUNDARY + b"\r\n\r\n" + DELIMITER, 1, False, FORM)
def test_any_form_is_rejected_or_read_in_pieces_of_any_size(body: bytes, size: int, zipped: bool, kind: str) -> None:
    results = []
    for pieces in (size, len(body) or 1):
        try:
            results.append((taken(file := BulkFile(kind, LIMITS, zipped=zipped), body, pieces), file.fault, ""))
        except InvalidEvent as fault:
            check_reason(fault)
            results.append(([], "", str(fault)))
    assert results[0] == results[1]
    for event in results[0][0]:
        check_object(event)


@fuzz
@given(HEADERS | st.text('multipart/form-data;boundary="=*\\ %x\r\n', max_size=60))
def test_any_content_type_is_rejected_or_read(kind: str) -> None:
    try:
        BulkFile(kind, LIMITS)
    except InvalidEvent as fault:
        check_reason(fault)


def go_event(line: bytes) -> bytes | None:
    """Return the object that a line begins with, as Go reads it; None if there is none within the limits."""
    text = line.lstrip(b"\0").lstrip(b" \t\r\n")
    if not text.startswith(b"{") or len(line) > LIMITS.max_event_bytes:
        return None
    try:
        return go_text(text[: go_end(text)]).encode()
    except GoFault:
        return None


@fuzz
@given(st.lists(LINES.map(lambda line: line.replace(b"\n", b"")), max_size=12), st.integers(1, 200), st.booleans())
def test_a_file_has_the_events_that_go_finds_or_fails(lines: list[bytes], size: int, zipped: bool) -> None:
    content = b"\n".join(lines)
    file = BulkFile(FORM, LIMITS, zipped=zipped)
    try:
        events = taken(file, form(gzip.compress(content) if zipped else content), size)
    except InvalidEvent:
        assert len(content) > LIMITS.max_bulk_bytes or b"\r\n--" in content
        return
    if lines and not lines[-1].strip():
        lines = lines[:-1]
    expected = [event for line in lines if (event := go_event(line)) is not None]
    if file.fault:
        assert events == []
        assert len(file.broken) == 1
        assert len(expected) < len(lines)
    else:
        kept = [event for event in expected if event in events]
        assert events == kept
        assert len(events) + len(file.broken) + file.omitted == len(lines)
    for line in file.broken:
        assert len(line.text.encode()) <= LIMITS.max_malformed_bytes
        assert len(line.reason.encode()) <= LIMITS.max_malformed_bytes


@fuzz
@given(st.lists(LINES, max_size=12).map(b"\n".join), st.booleans())
def test_any_line_of_failed_events_is_an_event_or_broken(content: bytes, skip: bool) -> None:
    file = BulkFile(FORM, LIMITS, fallback=True, skip=skip)
    try:
        events = taken(file, form(content), 64)
    except InvalidEvent:
        return
    for event in events:
        check_object(event)
    assert not (skip and file.fault)


QUERY_NAMES = st.text("ab./ |", max_size=8) | st.sampled_from(["data", "token", "user.id"]) | st.text(max_size=3)


@fuzz
@given(
    st.lists(
        st.tuples(QUERY_NAMES, st.text(max_size=4) | st.sampled_from(["e30=", "eyJhIjp7ImIiOjF9fQ=="])), max_size=6
    )
)
@example([("a", "1"), ("a.b", "2"), ("data", "eyJhIjp7ImIiOjF9fQ==")])
@example([("a.c||b", "1"), ("||", "2"), ("|||", "3"), ("data", "eyJhIjp7ImIiOjF9fQ==")])
def test_any_query_of_a_pixel_is_rejected_or_an_event(pairs: list[tuple[str, str]]) -> None:
    raw = "&".join(
        f"{quote_plus(name, errors='replace')}={quote_plus(value, errors='replace')}" for name, value in pairs
    )
    read = [*pairs_as_in_go(raw)]
    event = PixelEvent(LIMITS)
    try:
        if data := next((value for name, value in read if name == "data"), ""):
            event.read_data(data)
        event.set_all(read)
        original = event.original()
    except InvalidEvent as fault:
        check_reason(fault)
        return
    check_object(original)
    event.token.encode()
    event.text("cookie_domain").encode()


@fuzz
@given(st.lists(OBJECTS, max_size=8), OBJECTS, st.sampled_from(ODD), st.integers(0))
def test_the_events_of_a_batch_are_its_elements_byte_for_byte(
    events: list[dict[str, object]], around: dict[str, object], odd: bytes, place: int
) -> None:
    body = json.dumps({**around, "batch": events}).encode(errors="replace")
    try:
        found = [*map(bytes, parse(body, None, LIMITS).originals)]
    except InvalidEvent as fault:
        check_reason(fault)
    else:
        assert [*map(json.loads, found)] == events
        assert all(event in body for event in found)
    place %= len(body)
    try:
        damaged = parse(body[:place] + odd + body[place:], None, LIMITS)
    except InvalidEvent as fault:
        check_reason(fault)
    else:
        for event in damaged.originals:
            check_object(bytes(event))
