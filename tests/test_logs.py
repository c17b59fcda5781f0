"""Log lines: nothing that a client sends can forge or colour one."""

import io
import json
import logging
import sys
from typing import Any

import pytest
import structlog

from eventscache import logs
from tests.support.command import run

HOSTILE = {
    "\x1b[31mred": "\\x1b[31mred",
    "a\r\n{forged}": "a\\r\\n{forged}",
    '" 200 0 "': '" 200 0 "',
    "tab\tnul\0del\x7f": "tab\\tnul\\x00del\\x7f",
    "c1\x85\x9b": "c1\\x85\\x9b",
    "bidi\u202e\u2066\u2069": "bidi\\u202e\\u2066\\u2069",
    "lines\u2028\u2029": "lines\\u2028\\u2029",
    "zero\u200b\u200c\u200d\u2060\ufeff width": "zero\\u200b\\u200c\\u200d\\u2060\\ufeff width",
    "soft\u00adhyphen": "soft\\xadhyphen",
    "tag\U000e0041": "tag\\U000e0041",
    "half\ud800": "half\\ud800",
    "größe \U0001f600 \\": "größe \U0001f600 \\",
}


class Terminal(io.StringIO):
    """What is written to a terminal, or to a file."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return started(monkeypatch, terminal=False)


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return started(monkeypatch, terminal=True)


def started(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> Terminal:
    stream = Terminal(terminal=terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    logs.start_logging()
    return stream


@pytest.mark.parametrize(("text", "shown"), HOSTILE.items())
def test_invisible_characters_are_shown_as_escapes(text: str, shown: str) -> None:
    assert logs.visible(text) == shown
    entry = logs.escape_invisible(None, "", {text: text, "deep": [{text: (text,)}], "fault": b"\x1b", "n": 1})
    assert entry[shown] == shown
    assert entry["deep"] == [{shown: [shown]}]
    assert (entry["fault"], entry["n"]) == ("b'\\x1b'", 1)


@pytest.mark.parametrize(("text", "shown"), HOSTILE.items())
def test_without_a_terminal_an_entry_is_one_line_of_json(machine: Terminal, text: str, shown: str) -> None:
    structlog.get_logger().warning(text, reason=text)

    (line,) = machine.getvalue().splitlines()
    assert json.loads(line)["event"] == json.loads(line)["reason"] == shown


@pytest.mark.parametrize("text", HOSTILE)
def test_on_a_terminal_an_entry_is_one_line_without_a_clients_colours(person: Terminal, text: str) -> None:
    logger: Any = structlog.get_logger()
    logger.warning("told", reason="calm", calm=1)
    logger.warning("told", reason=text, **{text: 1})

    calm, line = person.getvalue().rstrip("\n").split("\n")
    assert line.count("\x1b") == calm.count("\x1b")
    assert not set(line) & set("\r\0\x7f\x85\x9b\u202e\u2066\u2028")


@pytest.mark.parametrize("fixture", ["machine", "person"])
def test_a_traceback_stays_readable_and_forges_nothing(request: pytest.FixtureRequest, fixture: str) -> None:
    stream: Terminal = request.getfixturevalue(fixture)
    try:
        raise ValueError("a\x1b[31m\r\n2026-01-01 [info] forged")  # noqa: TRY301
    except ValueError:
        structlog.get_logger().exception("a handler failed")

    text = stream.getvalue()
    shown = json.loads(text)["exception"] if fixture == "machine" else text.partition("\n")[2].rstrip("\n")
    assert "Traceback (most recent call last):\n" in shown
    assert "ValueError: a\\x1b[31m\\r\n  2026" in shown
    assert all(line.startswith("  ") for line in shown.split("\n"))


def test_a_record_of_a_library_is_an_entry_too(machine: Terminal) -> None:
    logging.getLogger("asyncio").error("lost\n{}", exc_info=ValueError("x\x1b"))
    logging.getLogger("asyncio").info("chatter")

    (line,) = machine.getvalue().splitlines()
    entry = json.loads(line)
    assert (entry["event"], entry["level"], entry["logger"]) == ("lost\\n{}", "error", "asyncio")
    assert "ValueError: x\\x1b" in entry["exception"]


def test_logging_that_is_started_again_logs_a_library_once(monkeypatch: pytest.MonkeyPatch) -> None:
    before, now = (started(monkeypatch, terminal=False) for _ in range(2))
    logging.getLogger("asyncio").error("lost")

    assert before.getvalue() == ""
    (line,) = now.getvalue().splitlines()
    assert json.loads(line)["event"] == "lost"


def test_an_error_at_the_start_is_one_line() -> None:
    finished = run("config", "--config", "no\x1b[31m\nforged.yaml")
    assert finished.returncode == 2
    assert finished.stderr.count("\n") == 1
    assert "no\\x1b[31m\\nforged.yaml" in finished.stderr
