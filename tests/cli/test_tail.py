"""`eventscache tail` as a user starts it: a process with pipes or a terminal, against a real server."""

import asyncio
import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import ssl
import struct
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eventscache.cli.tail import tail
from tests.support.certificates import Certificates
from tests.support.command import EVENTSCACHE, GENEROUS_SECONDS, Process, Serve, clean_environment, run, run_afresh
from tests.support.event_streams import until
from tests.support.paths import ROOT
from tests.support.push_server import PushServer
from tests.support.sidecar import CACHE

STORED = f"{CACHE}?ack=stored"
TAIL = (*EVENTSCACHE, "tail")


def event(number: int, **fields: Any) -> dict[str, Any]:
    return {"destination_id": "d", "original": {"n": number}, **fields}


class Started:
    """The command with a pipe for its output."""

    def __init__(self, *arguments: str, **environ: str) -> None:
        self.process = subprocess.Popen(
            [*TAIL, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=clean_environment(**environ),
        )
        assert self.process.stdout
        self.output = self.process.stdout

    def line(self) -> bytes:
        """Return the next line of its output."""
        ready, _, _ = select.select([self.output], [], [], GENEROUS_SECONDS)
        assert ready
        return self.output.readline()

    def is_full(self) -> bool:
        """Whether its pipe can hold hardly more of what it writes."""
        waiting = struct.unpack("i", fcntl.ioctl(self.output, termios.FIONREAD, b"\0" * 4))[0]
        return bool(waiting > fcntl.fcntl(self.output, fcntl.F_GETPIPE_SZ) // 2)

    def end(self) -> tuple[int, bytes, str]:
        """Wait for its end; return the code, the rest of the output and what it said."""
        output, said = self.process.communicate(timeout=GENEROUS_SECONDS)
        return self.process.returncode, output, said.decode()


@pytest.fixture
def started() -> Iterator[list[Started]]:
    commands: list[Started] = []
    yield commands
    for command in commands:
        command.process.kill()
        command.process.communicate()


def start(started: list[Started], *arguments: str, **environ: str) -> Started:
    started.append(Started(*arguments, **environ))
    return started[-1]


async def test_without_follow_it_prints_and_ends(serve: Serve) -> None:
    server = serve()
    await server.post(STORED, [event(number) for number in range(30)])

    finished = run("tail", server.address, "--format", "json")

    assert (finished.returncode, finished.stderr) == (0, "")
    assert [json.loads(line)["original"]["n"] for line in finished.stdout.splitlines()] == [*range(10, 30)]


def test_every_option_is_in_the_readme() -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## At a terminal")[2].partition("\n## ")[0]
    named = {option for parameter in tail.params for option in parameter.opts if option.startswith("--")}
    assert {option for option in named if option not in section} == {"--config", "--search"}  # -q is there


async def test_without_a_url_it_is_the_server_of_the_settings(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    await server.post(STORED, event(1))
    port = server.address.rpartition(":")[2]
    file = tmp_path / "eventnative.yaml"
    file.write_text(f"eventscache: {{port: {port}, host: 0.0.0.0}}\n")
    for arguments, environ in (((), {"EVENTSCACHE_PORT": port}), (("--config", str(file)), {})):
        finished = run("tail", "--format", "json", *arguments, **environ)
        assert finished.returncode == 0, finished.stderr
        assert '"n": 1' in finished.stdout


async def test_ctrl_c_ends_it_with_130_and_without_a_word(serve: Serve, started: list[Started]) -> None:
    server = serve()
    await server.post(STORED, event(1))
    command = start(started, server.address, "-f", "--format", "json")
    assert b'"n": 1' in command.line()

    command.process.send_signal(signal.SIGINT)

    assert command.end() == (130, b"", "")


async def test_ctrl_c_ends_it_while_nobody_reads_its_output(serve: Serve, started: list[Started]) -> None:
    server = serve()
    await server.post(STORED, [event(number, error="x" * 10_000) for number in range(90)])
    command = start(started, server.address, "-n", "1000", "--format", "json")
    ready, _, _ = select.select([command.output], [], [], GENEROUS_SECONDS)
    assert ready
    await until(command.is_full)

    command.process.send_signal(signal.SIGINT)

    assert await asyncio.to_thread(command.process.wait, GENEROUS_SECONDS) == 130


async def test_a_pipe_that_is_closed_ends_it_as_a_success(serve: Serve, started: list[Started]) -> None:
    server = serve()
    await server.post(STORED, [event(number) for number in range(30)])
    command = start(started, server.address, "-f", "--format", "json")
    assert command.line()

    command.output.close()  # and no event comes any more

    assert command.process.wait(GENEROUS_SECONDS) == 0
    assert command.process.stderr
    assert command.process.stderr.read() == b""


async def test_head_takes_the_first_lines(serve: Serve) -> None:
    server = serve()
    await server.post(STORED, [event(number, error="x" * 5000) for number in range(50)])
    command = f"{' '.join(TAIL)} {server.address} -n 50 | head -n 1; echo ${{PIPESTATUS[0]}}"

    finished = await asyncio.to_thread(_run, "bash", "-c", command)

    assert finished.stderr == ""
    assert finished.stdout.splitlines()[-1] == "0"


async def test_a_disk_that_is_full_is_one_line(serve: Serve) -> None:
    server = serve()
    await server.post(STORED, event(1))
    finished = await asyncio.to_thread(_run, "bash", "-c", f"{' '.join(TAIL)} {server.address} > /dev/full")
    assert finished.returncode == 1
    assert finished.stderr == "eventscache: the output cannot be written: No space left on device\n"


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env=clean_environment(), timeout=60
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--where", "a ? b"), 1, "answers 400: field: not an expression such as user.email ~ jitsu.com: 'a ? b'"),
        (("--where", "price > x"), 1, "answers 400: field: > compares numbers: 'price > x'"),
        (("--id", ""), 1, "answers 400: ids names no stream"),
        (("--id", "a\x1b[2Jb"), 1, "answers 400: the id holds the invisible character U+001B"),
        (("--since", "yesterday"), 2, "--since: it is a time such as 15m, 2d or 2026-11-23T21:18:53Z"),
        (("--token", "a\nb"), 2, "--token: it holds characters that no header can hold"),
    ],
)
def test_a_wrong_option_is_one_line(serve: Serve, arguments: tuple[str, ...], code: int, words: str) -> None:
    finished = run("tail", serve().address, *arguments)
    assert (finished.returncode, finished.stdout) == (code, "")
    assert words in finished.stderr
    assert finished.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("http://127.0.0.1:1", 1, "http://127.0.0.1:1 cannot be reached: Connection refused"),
        ("http://[::1]:1/below", 1, "http://[::1]:1/below cannot be reached: "),
        (f"http://{'a' * 70}.example", 1, "cannot be reached: "),
        ("127.0.0.1:8095", 2, "URL: it is http://HOST:PORT"),
        ("http://user:the-secret@127.0.0.1:1", 2, "no user and no password"),
        ("http://127.0.0.1:1/?token=the-secret", 2, "URL: it is http://HOST:PORT"),
    ],
)
@pytest.mark.parametrize("follow", [(), ("-f",)])
def test_a_server_that_cannot_be_read_is_one_line(url: str, code: int, words: str, follow: tuple[str, ...]) -> None:
    finished = run("tail", url, *follow, EVENTSCACHE_TOKEN="the-secret")
    assert (finished.returncode, finished.stdout) == (code, "")
    assert words in finished.stderr
    assert finished.stderr.count("\n") == 1
    assert "the-secret" not in finished.stderr


def test_a_wrong_token_is_one_line_that_does_not_show_it(serve: Serve) -> None:
    server = serve(EVENTSCACHE_ADMIN_TOKENS="of-an-admin-0123456789")
    for arguments, environ in (
        (("--token", "the-secret"), {}),
        (("-f",), {"EVENTSCACHE_TOKEN": "the-secret"}),
    ):
        finished = run("tail", server.address, *arguments, **environ)
        assert finished.returncode == 1
        assert re.fullmatch(r"eventscache: \S+ answers 401: .*; give another token by .*\n", finished.stderr)
        assert "the-secret" not in finished.stderr
    assert run("tail", server.address, EVENTSCACHE_TOKEN="of-an-admin-0123456789").returncode == 0
    assert "the-secret" not in run("tail", "--help", EVENTSCACHE_TOKEN="the-secret").stdout


async def test_a_certificate_is_checked(certificates: Certificates) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.certificate, certificates.key)
    script = [b'event: event\nid: a\ndata: {"seq":1}\n\nevent: ready\ndata: {}\n\n']
    for authority, code, said in (
        (certificates.wrong_authority, 1, "its certificate is not valid: unable to get local issuer certificate\n"),
        (certificates.authority, 0, ""),
    ):
        async with PushServer(script, [], tls=context) as pushes:
            arguments = ("tail", pushes.url, "--format", "json")
            finished = await asyncio.to_thread(run_afresh, *arguments, SSL_CERT_FILE=str(authority))
        assert finished.returncode == code, finished.stderr
        assert finished.stderr.endswith(said)
        assert finished.stderr.count("\n") == code


async def test_at_a_terminal_it_has_colours_and_no_event_steers_it(serve: Serve) -> None:
    server = serve()
    evil = "\x1b[2J\x9b1m\x07\u202e"
    await server.post(STORED, event(1, error=evil, original={"url": evil, "event_type": evil}))
    for environ, colours in (({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False)):
        for name in ("human", "json", "compact", "logfmt"):
            shown = _on_terminal(server, "--format", name, **environ)
            without = re.sub(r"\x1b\[[0-9;]*m", "", shown)
            assert without.replace("\r\n", "").isprintable()
            assert ("\x1b" in shown) is (colours and name in {"human", "compact"})


def _on_terminal(server: Process, *arguments: str, **environ: str) -> str:
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        [*TAIL, server.address, *arguments],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=ROOT,
        env=clean_environment(**environ),
    )
    os.close(terminal)
    shown = b""
    try:
        while piece := os.read(master, 65_536):
            shown += piece
    except OSError:  # nobody has the terminal open any more
        pass
    os.close(master)
    assert process.wait(GENEROUS_SECONDS) == 0
    return shown.decode()


async def test_it_goes_on_after_the_server_was_restarted(serve: Serve, started: list[Started]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
    first = serve("--port", port)
    await first.post(STORED, event(1))
    command = start(started, first.address, "-f", "--format", "json")
    assert b'"n": 1' in command.line()
    first.stop()
    second = serve("--port", port)
    await second.post(STORED, event(2))

    assert b'"n": 2' in await asyncio.to_thread(command.line)

    command.process.send_signal(signal.SIGINT)
    code, rest, said = command.end()
    assert (code, rest) == (130, b"")
    assert [json.loads(line)["notice"] for line in said.splitlines()][-2:] == ["back", "restart"]


async def test_a_slow_reader_costs_no_memory_and_loses_nothing_silently(serve: Serve, started: list[Started]) -> None:
    server = serve(EVENTSCACHE_CACHE_EVENTS_LIMITED="false", SERVER_CACHE_EVENTS_SIZE="1000")
    await server.post(STORED, event(0))
    command = start(started, server.address, "-f", "--format", "json")
    assert b'"n": 0' in command.line()
    before = _memory_bytes(command)
    text = "x" * 40_000
    for number in range(1, 901, 20):  # 36 MB, which nobody reads
        await server.post(STORED, [event(each, error=text) for each in range(number, number + 20)])
    await until(command.is_full)

    memory = [_memory_bytes(command)]
    for number in range(1, 901):
        assert json.loads(await asyncio.to_thread(command.line))["original"]["n"] == number
        if number % 50 == 0:
            memory.append(_memory_bytes(command))

    assert max(memory) < before + 20_000_000


def _memory_bytes(command: Started) -> int:
    status = Path(f"/proc/{command.process.pid}/status").read_text(encoding="utf-8")
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) * 1024
