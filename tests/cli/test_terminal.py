"""`eventscache serve` at a terminal prints for people, elsewhere for programs."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

GENEROUS_SECONDS = 30
_LAST_LINE = re.compile(r"Open (http://\S+/)\r?\n")


class TerminalServer:
    """A server whose output goes to a pseudo-terminal, as a person's does."""

    def __init__(self, command: list[str], **environ: str) -> None:
        self._master, terminal = pty.openpty()
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.process = subprocess.Popen(
            command,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            cwd=ROOT,
            env={**kept, "TERM": "xterm", **environ},
        )
        os.close(terminal)
        self.shown = ""

    def read(self) -> bool:
        """Read what is there; return False at the end."""
        try:
            data = os.read(self._master, 65_536)
        except OSError:  # nobody has the terminal open any more
            return False
        self.shown += data.decode()
        return bool(data)

    def read_until_it_is_open(self) -> str:
        """Return the address that the output ends in."""
        while not (found := _LAST_LINE.search(self.shown)):
            assert self.read(), self.shown
        assert self.shown.endswith(found[0])
        return found[1]

    def stop(self) -> str:
        """Stop it as Ctrl-C does; return what it showed meanwhile."""
        before = len(self.shown)
        self.process.send_signal(signal.SIGINT)
        while self.read():
            pass
        assert self.process.wait(GENEROUS_SECONDS) == 0
        os.close(self._master)
        return self.shown[before:]


@pytest.fixture
def started() -> Iterator[list[TerminalServer]]:
    servers: list[TerminalServer] = []
    yield servers
    for server in servers:
        server.process.kill()
        server.process.wait()


def serve(started: list[TerminalServer], *options: str, **environ: str) -> TerminalServer:
    command = [sys.executable, "-m", "eventscache", "serve", "--port", "0", "--storage", "memory://", *options]
    started.append(TerminalServer(command, **environ))
    return started[-1]


def test_at_a_terminal_the_output_is_readable_and_ends_in_the_address_to_open(started: list[TerminalServer]) -> None:
    server = serve(started, NO_COLOR="1")
    address = server.read_until_it_is_open()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
    lines = server.shown.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d \[info\] listening url=\S+", lines[-3])
    assert lines[-2].startswith("Each stream takes 100 events in 60 s. EVENTSCACHE_CACHE_EVENTS_LIMITED=false ")
    assert lines[-1] == f"Ctrl-C stops it. Open {address}"
    assert "{" not in server.shown
    assert "\x1b" not in server.shown
    assert "[info] stopped" in server.stop()


def test_a_terminal_gets_colours_unless_it_has_none(started: list[TerminalServer]) -> None:
    for environ, coloured in (({}, True), ({"TERM": "dumb"}, False)):
        server = serve(started, **environ)
        server.read_until_it_is_open()
        assert ("\x1b[" in server.shown) is coloured
        server.stop()


def test_an_address_that_stands_for_all_is_shown_as_one_that_opens(
    started: list[TerminalServer], tmp_path: Path
) -> None:
    (tmp_path / "tokens").write_text("of-an-admin-0123456789\n")
    server = serve(started, "--host", "0.0.0.0", EVENTSCACHE_ADMIN_TOKENS_FILE=str(tmp_path / "tokens"))
    assert server.read_until_it_is_open().startswith("http://127.0.0.1:")
    server.stop()


def test_elsewhere_each_line_is_json() -> None:
    command = [sys.executable, "-m", "eventscache", "serve", "--port", "0", "--storage", "memory://"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT) as process:
        assert process.stdout
        lines = []
        for line in process.stdout:
            lines.append(json.loads(line)["event"])
            if lines[-1] == "listening":
                process.terminate()
    assert process.returncode == 0
    assert lines[-3:] == ["listening", "stopping", "stopped"]
