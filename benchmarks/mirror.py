"""What a mirror costs Jitsu's clients: the README's lines for nginx, with a sidecar in each of its states.

    python -m benchmarks.mirror

One client sends requests one after another, first on one connection and then each on a new one. Jitsu is a stand-in
that answers at once, in a process of its own.
"""

import asyncio
import json
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from aiohttp import web

from tests.support import nginx
from tests.support.jitsu_server import JitsuServer
from tests.support.paths import ROOT
from tests.support.redis_server import HOST, free_port, short_folder, wait_until

_LINES = re.findall(r"```nginx\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)[0]
_STATES = ("no mirror", "up", "stopped", "frozen", "slow")
_REQUESTS = 500
_SLOW_SECONDS = 0.2
_BODY = json.dumps({"event_type": "pageview", "text": "x" * 1000}).encode()


async def _serve(kind: str, port: int) -> None:
    """Serve a stand-in for ever: for Jitsu, or for a slow sidecar."""
    runner = JitsuServer().runner if kind == "jitsu" else web.ServerRunner(web.Server(_answer_late))
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    await asyncio.Event().wait()


async def _answer_late(request: web.BaseRequest) -> web.Response:
    await request.content.read()
    await asyncio.sleep(_SLOW_SECONDS)
    return web.Response(status=204)


@contextmanager
def _process(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-m", *command], stderr=subprocess.DEVNULL, cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def _proxy(state: str) -> Iterator[int]:
    """Run nginx before a Jitsu and a sidecar in that state, and yield its port."""
    jitsu_port, sidecar_port = free_port(), free_port()
    lines = _LINES.replace("mirror /_eventscache; mirror_request_body on;", "") if state == "no mirror" else _LINES
    addresses = {"http://jitsu:8001": f"http://{HOST}:{jitsu_port}", "127.0.0.1:8095": f"{HOST}:{sidecar_port}"}
    with ExitStack() as stack:
        stack.enter_context(_process("benchmarks.mirror", "jitsu", str(jitsu_port)))
        command = ("benchmarks.mirror", "slow") if state == "slow" else ("eventscache", "serve", "--port")
        sidecar = stack.enter_context(_process(*command, str(sidecar_port)))
        folder = stack.enter_context(short_folder())
        proxy = stack.enter_context(nginx.Nginx(folder, lines, addresses))
        for port in (jitsu_port, sidecar_port):
            wait_until(lambda port=port: _listens(port), "everything listens")  # type: ignore[misc]
        if state == "stopped":
            sidecar.kill()
            sidecar.wait()
        if state == "frozen":
            sidecar.send_signal(signal.SIGSTOP)
        yield proxy.port


def _listens(port: int) -> bool:
    async def connect() -> bool:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            return False
        writer.close()
        return True

    return asyncio.run(connect())


async def _times(port: int, count: int, *, keeps: bool) -> list[float]:
    """Return the milliseconds of each request, with those of its connection if it has one of its own."""
    times = []
    connection = None
    head = b"POST /api/v1/event?token=key HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n" % len(_BODY)
    head += b"\r\n" if keeps else b"Connection: close\r\n\r\n"
    for _ in range(count):
        start = time.perf_counter()
        if connection is None or not keeps:
            connection = await asyncio.open_connection(HOST, port)
        reader, writer = connection
        writer.write(head + _BODY)
        answer = await reader.readuntil(b"}")
        times.append((time.perf_counter() - start) * 1000)
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise SystemExit(f"Jitsu's answer was lost: {answer!r}")
        if not keeps:
            writer.close()
    return times


def _measure() -> None:
    print(f"{'sidecar':<12}{'kept: p50':>12}{'p99':>10}{'max':>10}{'new: p50':>12}{'p99':>10}{'max':>10}   ms")
    for state in _STATES:
        row = f"{state:<12}"
        for keeps in (True, False):
            with _proxy(state) as port:
                times = asyncio.run(_times(port, 50 if state == "slow" else _REQUESTS, keeps=keeps))
            p99 = statistics.quantiles(times, n=100, method="inclusive")[98]
            row += f"{statistics.median(times):>12.2f}{p99:>10.2f}{max(times):>10.1f}"
        print(row, flush=True)


if __name__ == "__main__":
    if sys.argv[1:]:
        asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
    else:
        _measure()
