"""The nginx lines of the README, read out of it: a mirror loses nothing for Jitsu, whatever the sidecar does."""

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
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from eventscache.server.routing import INGESTION_ROUTES
from tests.support import nginx
from tests.support.jitsu_server import OK, JitsuServer
from tests.support.missing import missing
from tests.support.paths import ROOT
from tests.support.readme import nginx_lines
from tests.support.redis_server import HOST, free_port, short_folder

CONFIGURATION = nginx_lines()
(MIRRORED_PATHS,) = re.findall(r"location ~ (\S+) \{", CONFIGURATION)
CLASSIC = ("/api/v1/event", "/api/v1/events", "/api/v1/s2s/event", "/api/v1/s2s/event/", "/api/v1/s2s/events")
MIRRORED = (
    *CLASSIC,
    "/api/v1/segment",
    "/api/v1/segment/v1/batch",
    "/api/v1/segment/compat",
    "/api/v1/segment/compat/v1/batch",
    "/api/v1/events/bulk",
    "/api/v1/p.gif",
    "/api.xyz",
    "/api/s/track",
    "/api/s/s2s/track",
    "/api/s/s2s/batch",
    "/api/px/track",
    *(prefix + path for prefix in ("/v1", "") for path in ("/batch", "/b", "/batch/b")),
)
# Default paths of Segment's libraries, which reach no Jitsu.
NOT_JITSUS = re.compile(r"/v1/(track|page|identify|group|screen|alias)|(/v1)?/[tpigsa]")
NOT_MIRRORED = (
    "/",
    "/ui/",
    "/api/v1/events/cache",
    "/api/v1/eventsx",
    "/api/v1/statistics",
    "/log/incoming.all/key",
    "/v1/projects/key/settings",
    "/v1/bx",
    "/x/api/v1/event",
)
GENEROUS_SECONDS = 60
BUSY_CLIENTS = 350  # so many broke with Debian's 768 connections


@pytest.fixture
async def jitsu() -> AsyncIterator[JitsuServer]:
    jitsu = JitsuServer()
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

    async def has_received(self, count: int) -> None:
        async with asyncio.timeout(GENEROUS_SECONDS):
            while await self.received() < count:
                await asyncio.sleep(0.05)
        assert await self.received() == count


@pytest.fixture
def sidecar() -> Iterator[SidecarProcess]:
    sidecar = SidecarProcess()
    yield sidecar
    sidecar.stop()
    assert sidecar.process.stderr
    sidecar.process.stderr.close()


@asynccontextmanager
async def in_front_of(jitsu: JitsuServer, sidecar_port: int) -> AsyncIterator[nginx.Nginx]:
    """Run Debian's nginx with the README's lines."""
    if not nginx.BINARY:
        missing("no nginx: apt-get install nginx-light")
    port = free_port()
    await web.TCPSite(jitsu.runner, HOST, port, backlog=1024).start()
    addresses = {"http://jitsu:8001": f"http://{HOST}:{port}", "127.0.0.1:8095": f"{HOST}:{sidecar_port}"}
    with short_folder() as folder, nginx.Nginx(folder, CONFIGURATION, addresses) as running:
        yield running


@pytest.fixture
async def proxy(jitsu: JitsuServer, sidecar: SidecarProcess) -> AsyncIterator[nginx.Nginx]:
    async with in_front_of(jitsu, sidecar.port) as running:
        yield running


async def send(url: str, *, clients: int, requests: int, paths: tuple[str, ...] = CLASSIC) -> list[str]:
    """Let clients send so many requests each, one after another on a connection of their own; return the answers."""

    async def client(number: int) -> list[str]:
        answers = []
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
            for index in range(requests):
                path = paths[(number + index) % len(paths)]
                async with session.post(f"{url}{path}?token=key", data=b'{"n":1,"batch":[]}') as answer:
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


JITSUS = sorted({path for _, path, _ in INGESTION_ROUTES if not NOT_JITSUS.fullmatch(path)})


@pytest.mark.parametrize("path", [*MIRRORED, *JITSUS])
def test_every_path_that_takes_events_is_mirrored(path: str) -> None:
    assert re.search(MIRRORED_PATHS, re.sub(r"\{.*?\}", "x", path))


@pytest.mark.parametrize("path", NOT_MIRRORED)
def test_no_other_path_is_mirrored(path: str) -> None:
    assert not re.search(MIRRORED_PATHS, path)


def test_envoy_and_traefik_would_mirror_the_same_paths() -> None:
    guide = (ROOT / "docs" / "next-to-jitsu.md").read_text(encoding="utf-8")
    (envoy,) = re.findall(r"regex: '(\S+)'", guide)  # it has to match a whole path
    (traefik,) = re.findall(r"PathRegexp\(`(\S+)`\)", guide)
    assert traefik == MIRRORED_PATHS
    for declared in (*MIRRORED, *JITSUS, *NOT_MIRRORED, "/api/v1/event/x", "/api/v1/segments", "/v1/bat", "/x/api.y"):
        path = re.sub(r"\{.*?\}", "x", declared)
        assert bool(re.fullmatch(envoy, path)) is bool(re.search(traefik, path)), path


def test_the_page_shows_the_same_lines() -> None:
    page = (ROOT / "eventscache" / "ui" / "model" / "commands.js").read_text(encoding="utf-8")
    shown = page.partition("nginxMirror")[2].partition("String.raw`")[2].partition("`;")[0]
    lines = [line.strip() for line in shown.replace("${SERVER_ADDRESS}", "http://eventscache").splitlines()]
    assert len(lines) == 10
    ours = {line.strip() for line in CONFIGURATION.splitlines()}
    assert [line for line in lines if line not in ours] == []


async def test_everything_reaches_jitsu_and_a_running_sidecar(
    proxy: nginx.Nginx, jitsu: JitsuServer, sidecar: SidecarProcess
) -> None:
    answers = await send(proxy.url, clients=5, requests=20)
    assert answers == [f"200 {OK}"] * 100
    assert jitsu.received == dict.fromkeys(CLASSIC, 20)
    await sidecar.has_received(100)


async def test_clients_get_jitsus_own_answers_on_every_path(
    proxy: nginx.Nginx, jitsu: JitsuServer, sidecar: SidecarProcess
) -> None:
    ((direct, port, *_),) = jitsu.runner.addresses
    paths = (*MIRRORED, "/api/v1/event?token=key&x=%E4%zz", "/nothing")
    for method, origin in itertools.product(("POST", "GET", "OPTIONS"), ({}, {"Origin": "https://shop.example"})):
        for path in paths:
            answers = []
            async with aiohttp.ClientSession() as session:
                for url in (proxy.url, f"http://{direct}:{port}"):
                    body = b'{"n":1,"batch":[]}' if method == "POST" else None
                    async with session.request(method, url + path, data=body, headers=origin) as answer:
                        cors = {name for name in answer.headers if name.startswith("Access-Control")}
                        answers.append((answer.status, answer.content_type, cors, await answer.read()))
            assert answers[0] == answers[1], (method, path)
    assert "upstream" not in proxy.error_log  # the sidecar took all copies


@pytest.mark.parametrize("state", ["running", "stopped", "frozen"])
async def test_nothing_is_lost_to_jitsus_clients_while_the_sidecar_is(
    state: str, proxy: nginx.Nginx, jitsu: JitsuServer, sidecar: SidecarProcess
) -> None:
    await send(proxy.url, clients=1, requests=3)
    jitsu.received.clear()
    if state == "stopped":
        sidecar.stop()
    elif state == "frozen":
        sidecar.freeze()
    await check_that_nothing_is_lost(proxy, jitsu)


async def check_that_nothing_is_lost(proxy: nginx.Nginx, jitsu: JitsuServer) -> None:
    answers = await send(proxy.url, clients=BUSY_CLIENTS, requests=4)
    assert Counter(answers) == {f"200 {OK}": 4 * BUSY_CLIENTS}
    assert jitsu.received.total() == 4 * BUSY_CLIENTS
    assert "worker_connections are not enough" not in proxy.error_log


def slow_sidecar(seconds: float) -> web.ServerRunner:
    """Return what answers as the mirror does, but late."""

    async def answer(request: web.BaseRequest) -> web.Response:
        await request.content.read()
        await asyncio.sleep(seconds)  # this is what a slow sidecar does, and no test waits for it
        return web.Response(status=204)

    return web.ServerRunner(web.Server(answer))


@pytest.mark.parametrize("seconds", [0.2, 0.6], ids=["within nginx's limit", "beyond it"])
async def test_nothing_is_lost_to_jitsus_clients_while_the_sidecar_is_slow(seconds: float, jitsu: JitsuServer) -> None:
    runner, port = slow_sidecar(seconds), free_port()
    await runner.setup()
    await web.TCPSite(runner, HOST, port, backlog=1024).start()
    async with in_front_of(jitsu, port) as proxy:
        await check_that_nothing_is_lost(proxy, jitsu)
    await runner.cleanup()


async def test_a_frozen_sidecar_is_soon_not_asked_any_more(
    proxy: nginx.Nginx, jitsu: JitsuServer, sidecar: SidecarProcess
) -> None:
    sidecar.freeze()
    await send(proxy.url, clients=1, requests=30)
    asked = proxy.error_log.count(f"http://{HOST}:{sidecar.port}/")
    assert 3 <= asked <= 10  # not 30: three failures, and perhaps once more after ten seconds


async def test_raw_bytes_and_odd_heads_lose_no_event(
    proxy: nginx.Nginx, jitsu: JitsuServer, sidecar: SidecarProcess
) -> None:
    several = "".join(f"X-{number}: a\r\n" for number in range(140))
    targets = [
        "/api/v1/event?token=key&x=\u00e9",
        "/api/v1/event?token=key&x=" + "\u00e9" * 3500,
        "/api.\u00e9?p_x=key",
    ]
    for target, headers in [*((target, "") for target in targets), ("/api/v1/event?token=key", several)]:
        head = f"POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 7\r\n{headers}\r\n"
        reader, writer = await asyncio.open_connection(HOST, proxy.port)
        writer.write(head.encode() + b'{"n":1}')
        await reader.read()  # what stands for Jitsu here is aiohttp's too, and refuses some: that is its own affair
        writer.close()
    await sidecar.has_received(4)
    async with aiohttp.ClientSession() as session:
        url = f"{sidecar.url}/api/v1/events/cache?namespace=token&ids=key"
        async with session.get(url) as answer:
            assert (await answer.json())["total_events"] == 4
    assert "upstream" not in proxy.error_log


async def test_what_the_sidecar_rejects_keeps_it_in_use(
    proxy: nginx.Nginx, jitsu: JitsuServer, sidecar: SidecarProcess
) -> None:
    async with aiohttp.ClientSession() as session:
        for body in [b"no json"] * 10:
            async with session.post(f"{proxy.url}/api/v1/event?token=key", data=body) as answer:
                assert answer.status == 400  # Jitsu's
    assert "upstream" not in proxy.error_log
    await send(proxy.url, clients=1, requests=1)
    await sidecar.has_received(11)


async def test_a_body_that_nginx_would_refuse_by_default_reaches_jitsu(proxy: nginx.Nginx, jitsu: JitsuServer) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{proxy.url}/api/v1/events?token=key", data=io.BytesIO(b"[" + b" " * 2_000_000 + b"{}]")
        ) as answer,
    ):
        assert (answer.status, await answer.text()) == (200, OK)


async def test_reading_stays_with_jitsu(proxy: nginx.Nginx, jitsu: JitsuServer, sidecar: SidecarProcess) -> None:
    answers = []
    async with aiohttp.ClientSession() as session:
        for path in ("/api/v1/events/cache?ids=a", "/ui/", "/_eventscache"):
            async with session.get(proxy.url + path) as answer:
                answers.append(answer.status)
    assert answers == [200, 404, 404]
    assert jitsu.received == {"/api/v1/events/cache": 1, "/ui/": 1}  # the mirror is internal
    assert await sidecar.received() == 0
