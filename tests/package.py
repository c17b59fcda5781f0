"""What `make dist` built, installed as users install it, and used away from the checkout: `make package` runs this.

tests/test_packaging.py looks into the wheel and the sdist. Here commands of others install the wheel, with the
dependencies that they choose.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from eventscache import __version__
from eventscache.server.routes.static_files import served
from tests.support.command import Process
from tests.support.missing import program
from tests.support.paths import PAGES, ROOT, UI
from tests.support.redis_server import RedisServer

DIST = ROOT / "dist"
SUPPLY = "make .venv/installed-supply"
IMPORTS = (
    "import eventscache; from eventscache.cache import _splice; from eventscache.ingest.json import _scan; "
    "from eventscache.server.http import _head; from eventscache.storage.redis import _entries"
)
WHERE = f"{IMPORTS}; print(eventscache.__file__, end='')"


def run(command: list[str], folder: Path, environ: dict[str, str]) -> str:
    """Run a command to its end, with nothing of the checkout in its environment; return what it writes."""
    finished = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environ)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


class Installation(NamedTuple):
    """The command that an installer provides, and the Python that runs it."""

    folder: Path
    command: list[str]
    python: list[str]
    environ: dict[str, str]

    def run(self, *command: str) -> str:
        return run([*command], self.folder, self.environ)


def clean_environment(folder: Path, **others: Path | str) -> dict[str, str]:
    """Return the variables of installers, for folders of their own; they share the caches of the machine."""
    foreign = ("PYTHON", "VIRTUAL_ENV", "EVENTSCACHE_", "SERVER_", "REDIS_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, "PATH": "/usr/bin:/bin", "TMPDIR": str(folder), **{name: str(at) for name, at in others.items()}}


def with_uv(wheel: Path, folder: Path) -> Installation:
    environ = clean_environment(folder, UV_TOOL_DIR=folder / "tools", UV_TOOL_BIN_DIR=folder / "bin")
    run([program("uv", SUPPLY), "tool", "install", "--python", sys.executable, str(wheel)], folder, environ)
    python = folder / "tools" / "eventscache" / "bin" / "python"
    return Installation(folder, [str(folder / "bin" / "eventscache")], [str(python)], environ)


def with_uvx(wheel: Path, folder: Path) -> Installation:
    environ = clean_environment(folder, UV_TOOL_DIR=folder / "tools")
    start = [program("uvx", SUPPLY), "--quiet", "--python", sys.executable, "--from", str(wheel)]
    return Installation(folder, [*start, "eventscache"], [*start, "python"], environ)


def with_pipx(wheel: Path, folder: Path) -> Installation:
    places = {"PIPX_HOME": folder / "home", "PIPX_BIN_DIR": folder / "bin", "PIPX_MAN_DIR": folder / "man"}
    environ = clean_environment(folder, **places, PIPX_DEFAULT_BACKEND="pip")  # not uv, which is tried by itself
    run([program("pipx", SUPPLY), "install", "--python", sys.executable, str(wheel)], folder, environ)
    python = folder / "home" / "venvs" / "eventscache" / "bin" / "python"
    return Installation(folder, [str(folder / "bin" / "eventscache")], [str(python)], environ)


@pytest.fixture(scope="module")
def wheel() -> Path:
    (wheel,) = DIST.glob(f"eventscache-{__version__}-*.whl")
    return wheel


@pytest.fixture(scope="module", params=[with_uv, with_uvx, with_pipx], ids=lambda install: install.__name__)
def installed(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    install: Callable[[Path, Path], Installation] = request.param
    return install(wheel, tmp_path_factory.mktemp("installed"))


def test_the_checksums_are_those_of_the_files() -> None:
    lines = (DIST / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    assert sums.keys() == {path.name for path in DIST.iterdir()} - {"SHA256SUMS"}
    assert len(sums) == 2
    for name, digest in sums.items():
        assert hashlib.sha256((DIST / name).read_bytes()).hexdigest() == digest


def test_the_command_tells_its_version(installed: Installation) -> None:
    assert installed.run(*installed.command, "--version").split()[-1] == __version__


def test_it_runs_from_the_wheel_with_the_modules_in_c(installed: Installation) -> None:
    place = installed.run(*installed.python, "-I", "-c", WHERE)
    assert not Path(place).is_relative_to(ROOT)


@pytest.mark.parametrize("storage", ["memory", "redis"])
async def test_it_serves(storage: str, installed: Installation, redis_server: RedisServer) -> None:
    url = redis_server.storage_url if storage == "redis" else "memory://"
    redis_server.ask("FLUSHALL")
    command = [*installed.command, "serve", "--port", "0", "--storage", url]
    with Process(command, installed.environ, installed.folder) as server:
        await server.post("/api/v1/event?token=a", {"n": 1})
        found = await server.get("/api/v1/events/cache?namespace=token&ids=a")
        pages = {name: await server.read(f"/ui/{name.removesuffix('index.html')}") for name in PAGES}

    assert [event["original"] for event in found["events"]] == [{"n": 1}]
    assert pages == {name: served((UI / name).read_bytes(), Path(name).suffix) for name in PAGES}
    assert server.process.returncode == 0
    assert (redis_server.ask("DBSIZE") != 0) == (storage == "redis")
