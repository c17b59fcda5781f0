"""What each format writes, and that no event steers a terminal."""

import io
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from eventscache.characters import is_invisible
from eventscache.query.event_type import event_type
from eventscache.tail.formats import NAMES, Format, entry_format, json_format
from eventscache.tail.output import Output
from tests.support.tailing import Terminal

EVENT: dict[str, Any] = {
    "original": {"event_type": "purchase", "event_id": "e-1", "url": "/pay", "n": 1},
    "timestamp": "2026-11-23T21:18:53.893117Z",
    "uid": "u-1",
    "destination_id": "shop",
    "token_id": "",
    "seq": 3,
}
EVIL = "\x1b[2J\x9b1m\x07\r\n\t\x7f\u202e\u2066\u200b\u2028\U000e0041\x00\x1b]0;title\x07"


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("NO_COLOR", "TERM", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def format_of(name: str, file: io.BytesIO | None = None) -> Format:
    output = Output(file or io.BytesIO())
    return json_format(output) if name == "json" else entry_format(name, output, event_type)


def render(name: str, event: dict[str, Any], file: io.BytesIO | None = None) -> str:
    made = format_of(name, file)(json.dumps(event, ensure_ascii=False).encode())
    return made if isinstance(made, str) else made.decode()


def test_human_has_a_line_for_the_event_and_one_for_its_error() -> None:
    assert render("human", EVENT) == "11-23 21:18:53.893  pending    shop  purchase  e-1  url=/pay n=1\n"
    failed = {**EVENT, "error": "no such column", "attempt": 2, "response": {"status": 500}}
    assert render("human", failed) == (
        "11-23 21:18:53.893  error      shop  purchase  e-1  url=/pay n=1\n"
        "    attempt 2, HTTP 500, error: no such column\n"
    )
    skipped = {"token_id": "t", "skip": "a filter", "timestamp": "today"}
    assert render("human", skipped) == "today  skip       t  -  -  -\n    skipped: a filter\n"


def test_columns_of_human_grow_with_what_is_in_them() -> None:
    made = format_of("human")
    first = made(json.dumps({**EVENT, "destination_id": "a-long-name"}).encode())
    second = made(json.dumps(EVENT).encode())
    assert isinstance(first, str)
    assert isinstance(second, str)
    assert first.index("purchase") == second.index("purchase")


def test_compact_has_one_line_with_what_is_most_telling() -> None:
    assert render("compact", EVENT) == "21:18:53 pending   shop purchase url=/pay n=1\n"
    assert render("compact", {**EVENT, "error": "no"}) == "21:18:53 error     shop purchase no\n"


def test_logfmt_has_quotation_marks_where_a_value_needs_them() -> None:
    event = {**EVENT, "success": {}, "error": 'a "b"\nc=d', "attempt": 1, "response": {"status": 400}}
    assert render("logfmt", event) == (
        "time=2026-11-23T21:18:53.893117Z status=error namespace=destination id=shop type=purchase event_id=e-1 seq=3 "
        'uid=u-1 attempt=1 response_status=400 error="a \\"b\\"\\nc=d" summary="url=/pay n=1"\n'
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("on_terminal", [True, False])
def test_no_event_steers_a_terminal(name: str, on_terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    texts = ("error", "skip", "malformed", "timestamp", "uid", "destination_id", "token_id")
    event = {
        "original": {"event_type": EVIL, "event_id": EVIL, EVIL: EVIL, "url": EVIL},
        **dict.fromkeys(texts, EVIL),
    }
    if name == "json" and not on_terminal:
        return  # it is for programs: the bytes that the server sent
    for each in (event, {**event, "malformed": "", "error": ""}, {**event, "seq": EVIL}):
        file = Terminal() if on_terminal else None
        monkeypatch.setenv("COLUMNS", "100000")
        shown = render(name, each, file)
        assert shown.endswith("\n")
        assert not any(is_invisible(character) for character in shown.replace("\n", ""))
        assert shown.count("\n") <= 3


def test_json_is_the_same_bytes_and_on_a_terminal_the_same_meaning() -> None:
    data = json.dumps({**EVENT, "error": EVIL}, ensure_ascii=False).encode()
    assert format_of("json")(data) == data + b"\n"
    shown = format_of("json", Terminal())(data)
    assert isinstance(shown, str)
    assert json.loads(shown) == json.loads(data)


@pytest.mark.parametrize("name", ["human", "compact"])
def test_colours_are_for_terminals_that_want_them(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = {**EVENT, "error": "no"}
    assert "\x1b[31m" in render(name, failed, Terminal())
    assert "\x1b" not in render(name, failed)
    for variable, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as patch:
            patch.setenv(variable, value)
            assert "\x1b" not in render(name, failed, Terminal())


@pytest.mark.parametrize("name", ["human", "compact"])
def test_the_first_line_fits_the_terminal(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    event = {**EVENT, "original": {"url": "x" * 500}, "destination_id": "d" * 500}
    first = render(name, event, Terminal()).splitlines()[0]
    assert len(first) == 60
    assert first.endswith("…")


@pytest.mark.parametrize("timestamp", ["", "today", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "999999999999999"])
@pytest.mark.parametrize("name", NAMES)
def test_odd_times_are_shown(name: str, timestamp: str) -> None:
    assert "purchase" in render(name, {**EVENT, "timestamp": timestamp})


@pytest.mark.parametrize("name", ["human", "compact", "logfmt"])
def test_what_is_no_event_is_shown_as_text(name: str) -> None:
    assert format_of(name)(b"[\x1b]") == "[\\x1b]\n"
