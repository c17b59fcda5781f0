"""The nginx lines of the README, read out of it: a mirror costs Jitsu's clients nothing, whatever the sidecar does."""

import asyncio
import io
import itertools
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.support import nginx
from tests.support.missing import missing
from tests.support.paths import ROOT
from tests.support.redis_server import HOST, free_port, short_folder

README = (ROOT / "README.md").read_text(encoding="utf-8")
(CONFIGURATION,) = re.findall(r"```nginx\n(.*?)```", README, re.DOTALL)
MIRRORED = ("/api/v1/event", "/api/v1/events", "/api/v1/s2s/event", "/api/v1/s2s/event/", "/api/v1/s2s/events")
LEFT_OUT = ("/api/v1/segment", "/api.abc?p_abc=key", "/api/v1/events/bulk")
JITSUS_ANSWER = '{"status":"ok","of":"Jitsu"}'
GENEROUS_SECONDS = 60
BUSY_CLIENTS = 350  # so many broke with Debian's 768 connections


class Jitsu:
    """A stand-in for Jitsu: answers everything, and counts what reached it."""

    def __init__(self) -> None:
        self.received: Counter[str] = Counter()
        self.runner = web.ServerRunner(web.Server(self._answer))

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        await request.content.read()
        self.received[request.path] += 1
        return web.Response(text=JITSUS_ANSWER)


@pytest.fixture
async def jitsu() -> AsyncIterator[Jitsu]:
    jitsu = Jitsu()
    await jitsu.runner.setup()
    yield jitsu
    await jitsu.runner.cleanup()


class SidecarProcess:
    """`eventscache serve` in a process that can be stopped and frozen."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        command = [sys.executable, "-m", "eventscache", "serve", "--port", str(self.port), "--storage", "memory://"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        assert self.process.stderr
        assert any('"listening"' in line for line in self.process.stderr)

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    async def received(self) -> int:
        """Return how many events have arrived."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/metrics") as answer:
            text = await answer.text()
        (value,) = re.findall(r"^eventscache_events_received_total (\S+)$", text, re.MULTILINE)
        return int(float(value))


@pytest.fixture
def sidecar() -> Iterator[SidecarProcess]:
    sidecar = SidecarProcess()
    yield sidecar
    sidecar.stop()
    assert sidecar.process.stderr
    sidecar.process.stderr.close()


@pytest.fixture
async def proxy(jitsu: Jitsu, sidecar: SidecarProcess) -> AsyncIterator[nginx.Nginx]:
    """Debian's nginx with the README's lines, in front of both."""
    if not nginx.BINARY:
        missing("no nginx: apt-get install nginx-light")
    port = free_port()
    await web.TCPSite(jitsu.runner, HOST, port, backlog=1024).start()
    addresses = {"http://jitsu:8001": f"http://{HOST}:{port}", "127.0.0.1:8095": f"{HOST}:{sidecar.port}"}
    with short_folder() as folder, nginx.Nginx(folder, CONFIGURATION, addresses) as running:
        yield running


async def send(url: str, *, clients: int, requests: int, paths: tuple[str, ...] = MIRRORED) -> list[str]:
    """Let clients send so many requests each, one after another on a connection of their own; return the answers."""

    async def client(number: int) -> list[str]:
        answers = []
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
            for index in range(requests):
                path = paths[(number + index) % len(paths)]
                query = "" if "?" in path else "?token=key"
                async with session.post(f"{url}{path}{query}", data=b'{"n":1}') as answer:
                    answers.append(f"{answer.status} {await answer.text()}")
        return answers

    async with asyncio.timeout(GENEROUS_SECONDS):
        return [*itertools.chain(*await asyncio.gather(*map(client, range(clients))))]


def test_nginx_takes_the_lines_without_a_warning(tmp_path: Path) -> None:
    if not nginx.BINARY:
        missing("no nginx: apt-get install nginx-light")
    said = nginx.Nginx(tmp_path, CONFIGURATION, {"jitsu:8001": "127.0.0.1:8001"}).check()
    assert "syntax is ok" in said
    if os.geteuid() == 0:
        assert "warn" not in said


async def test_everything_reaches_jitsu_and_a_running_sidecar(
    proxy: nginx.Nginx, jitsu: Jitsu, sidecar: SidecarProcess
) -> None:
    answers = await send(proxy.url, clients=5, requests=20)
    assert answers == [f"200 {JITSUS_ANSWER}"] * 100
    assert jitsu.received == dict.fromkeys(MIRRORED, 20)
    async with asyncio.timeout(GENEROUS_SECONDS):
        while await sidecar.received() < 100:
            await asyncio.sleep(0.05)
    assert await sidecar.received() == 100


@pytest.mark.parametrize("state", ["stopped", "frozen"])
async def test_nothing_is_lost_to_jitsus_clients_while_the_sidecar_is(
    state: str, proxy: nginx.Nginx, jitsu: Jitsu, sidecar: SidecarProcess
) -> None:
    await send(proxy.url, clients=1, requests=3)
    jitsu.received.clear()
    if state == "stopped":
        sidecar.stop()
    else:
        sidecar.freeze()
    answers = await send(proxy.url, clients=BUSY_CLIENTS, requests=4)
    assert Counter(answers) == {f"200 {JITSUS_ANSWER}": 4 * BUSY_CLIENTS}
    assert jitsu.received.total() == 4 * BUSY_CLIENTS
    assert "worker_connections are not enough" not in proxy.error_log


async def test_a_frozen_sidecar_is_soon_not_asked_any_more(
    proxy: nginx.Nginx, jitsu: Jitsu, sidecar: SidecarProcess
) -> None:
    sidecar.freeze()
    await send(proxy.url, clients=1, requests=30)
    asked = proxy.error_log.count(f"http://{HOST}:{sidecar.port}/")
    assert 3 <= asked <= 10  # not 30: three failures, and perhaps once more after ten seconds


async def test_a_body_that_nginx_would_refuse_by_default_reaches_jitsu(proxy: nginx.Nginx, jitsu: Jitsu) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{proxy.url}/api/v1/events?token=key", data=io.BytesIO(b"[" + b" " * 2_000_000 + b"{}]")
        ) as answer,
    ):
        assert (answer.status, await answer.text()) == (200, JITSUS_ANSWER)


async def test_reading_and_the_paths_that_are_left_out_stay_with_jitsu(
    proxy: nginx.Nginx, jitsu: Jitsu, sidecar: SidecarProcess
) -> None:
    answers = await send(proxy.url, clients=1, requests=3, paths=LEFT_OUT)
    async with aiohttp.ClientSession() as session:
        for path in ("/api/v1/events/cache?ids=a", "/ui/", "/_eventscache"):
            async with session.get(proxy.url + path) as answer:
                answers.append(f"{answer.status} {await answer.text()}")
    assert answers[:-1] == [f"200 {JITSUS_ANSWER}"] * 5
    assert answers[-1].startswith("404 ")  # the mirror is internal
    await send(proxy.url, clients=1, requests=1)
    async with asyncio.timeout(GENEROUS_SECONDS):
        while not await sidecar.received():
            await asyncio.sleep(0.05)
    assert await sidecar.received() == 1


@pytest.mark.parametrize("path", LEFT_OUT)
def test_the_readme_names_what_the_lines_leave_out(path: str) -> None:
    section = README.partition("What these lines leave out:")[2].partition("\n## ")[0]
    named = [
        re.escape(name).replace(r"\*", ".*").replace(r"\.\.\.", ".*") for name in re.findall("`(/[^`]+)`", section)
    ]
    assert any(re.fullmatch(name, path) for name in named)
