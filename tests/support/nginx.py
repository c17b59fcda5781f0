"""A real nginx, which runs a configuration of our papers on ports and in a folder of its own."""

import shutil
import socket
import subprocess
from pathlib import Path
from typing import Self

from tests.support.redis_server import HOST, free_port, wait_until

BINARY = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
# What a test must not share with the machine's own nginx; `http` takes them.
_OWN_FILES = """
    access_log off;
    client_body_temp_path {0}/body; proxy_temp_path {0}/proxy; fastcgi_temp_path {0}/fastcgi;
    uwsgi_temp_path {0}/uwsgi; scgi_temp_path {0}/scgi;
"""


class Nginx:
    """Runs a complete configuration that listens on port 80; `addresses` are replaced in it, each by another one."""

    def __init__(self, folder: Path, configuration: str, addresses: dict[str, str]) -> None:
        self.port = free_port()
        self._folder = folder
        for address, other in {"listen 80;": f"listen {HOST}:{self.port};", **addresses}.items():
            assert address in configuration, f"the configuration has no {address}"
            configuration = configuration.replace(address, other)
        own = _OWN_FILES.format(folder)
        (folder / "nginx.conf").write_text(configuration.replace("http {", f"http {{{own}", 1), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def _command(self, *more: str) -> list[str]:
        assert BINARY
        globals_ = f"daemon off; pid {self._folder}/nginx.pid;"
        return [BINARY, "-p", str(self._folder), "-c", "nginx.conf", "-e", "error.log", "-g", globals_, *more]

    def check(self) -> str:
        """Return what nginx says about the configuration."""
        finished = subprocess.run(self._command("-t"), capture_output=True, text=True, check=False)
        return finished.stdout + finished.stderr

    def _is_up(self) -> bool:
        assert self._process
        assert self._process.poll() is None, self.error_log
        with socket.socket() as connection:
            return connection.connect_ex((HOST, self.port)) == 0

    @property
    def error_log(self) -> str:
        path = self._folder / "error.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def __enter__(self) -> Self:
        self._folder.chmod(0o755)  # the workers of an nginx that root starts run as somebody else
        self._process = subprocess.Popen(self._command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._is_up, "nginx starts")
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait()
