"""Wheel, sdist, editable install and a bare checkout all find the files that are no Python."""

import configparser
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import eventscache
from eventscache.storage.redis.scripts import read_script
from tests.support.paths import PAGES, ROOT

READ_PAGES = (
    "from eventscache.server.routes.static_files import page_routes; "
    f"assert len(list(page_routes())) == 4 + 2 * {len(PAGES)}"
)
SCRIPTS = sorted(path.name for path in (ROOT / "lua").glob("*.lua"))
C_MODULES = [str(path.relative_to(ROOT).with_suffix("")) for path in (ROOT / "eventscache").rglob("*.c")]
READ_ALL = f"from eventscache.storage.redis.scripts import read_script; [read_script(n[:-4]) for n in {SCRIPTS}]"
DESCRIBE = "from eventscache.server.routes.openapi import document; document()"
OPEN_MEMORY = (
    "from eventscache.storage.plugins import storage_from_url; from eventscache.storage.options import StorageOptions; "
    "print(type(storage_from_url('memory://', StorageOptions())).__name__)"
)
PARSE_WITHOUT_C = (
    "from eventscache.ingest import jitsu, limits; from eventscache.ingest.json import scan; assert not scan.COMPILED; "
    "from eventscache.server.http import whole_request; assert not whole_request.COMPILED; "
    "assert [*jitsu.parse_events(b'[{}, {\"a\":1}]', limits.Limits())] == [b'{}', b'{\"a\":1}']"
)


def python(*arguments: str, **options: object) -> str:
    finished = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert finished.returncode == 0, finished.stderr
    return str(finished.stdout)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist of a clean copy of the sources."""
    clean, target = tmp_path_factory.mktemp("clean"), tmp_path_factory.mktemp("dist")
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=False
    )
    for name in listing.stdout.decode().splitlines():
        if (ROOT / name).is_file():
            (clean / name).parent.mkdir(parents=True, exist_ok=True)
            (clean / name).write_bytes((ROOT / name).read_bytes())
    # With the setuptools that is installed: to fetch another one takes longer than to build, and needs the network.
    python("-m", "build", "--no-isolation", "--outdir", str(target), str(clean))
    return target


def test_the_wheel_holds_the_scripts_and_the_types(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {f"eventscache/lua/{name}" for name in SCRIPTS} <= names
    assert {"eventscache/py.typed", "eventscache/server/routes/openapi.json"} <= names
    assert {f"eventscache/ui/{name}" for name in PAGES} <= names
    for module in C_MODULES:
        assert any(name.startswith(f"{module}.") and name.endswith(".so") for name in names)
        assert f"{module}.pyi" in names
    assert not any(name.startswith(("tests/", "benchmarks/", "lua/")) for name in names)


def test_the_wheel_holds_every_package_of_the_checkout(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "eventscache").rglob("*.py")}
    assert modules - names == set()


def test_the_sdist_holds_the_scripts(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"lua/{name}" for name in SCRIPTS} <= names
    assert {f"{name}.c" for name in C_MODULES} <= names
    assert {f"eventscache/ui/{name}" for name in PAGES} <= names


def test_the_sdist_holds_what_builds_the_image_and_no_tests(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    copied = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text(encoding="utf-8")
    assert {line[1:] for line in copied.split() if line.startswith("!")} <= names
    assert {"deploy/Dockerfile", "deploy/helm/eventscache/Chart.yaml", "CHANGELOG.md"} <= names
    assert not any(name.startswith("tests") for name in names)


def test_wheels_are_built_for_each_python_that_is_named() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    named = re.findall(r"Python :: 3\.(\d+)", setup["metadata"]["classifiers"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["cibuildwheel"]["build"] == [f"cp3{minor}-*" for minor in named]


def test_an_unpacked_wheel_works(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    environ = {"PYTHONPATH": str(tmp_path)}
    python("-c", READ_ALL, cwd=tmp_path, env=environ)
    where = python("-c", "import eventscache; print(eventscache.__file__)", cwd=tmp_path, env=environ)
    assert where.startswith(str(tmp_path))


def test_a_zipped_wheel_works(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    for code in (READ_ALL, READ_PAGES, DESCRIBE):
        python("-c", code, cwd=tmp_path, env={"PYTHONPATH": str(wheel)})


def test_a_bare_checkout_works(tmp_path: Path) -> None:
    for folder in ("eventscache", "lua"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".lua"}:
                copy = tmp_path / path.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes())
    python("-c", READ_ALL, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})
    python("-c", PARSE_WITHOUT_C, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})
    assert python("-c", OPEN_MEMORY, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}) == "MemoryStorage\n"


def test_scripts_are_what_the_checkout_holds() -> None:
    for name in SCRIPTS:
        assert read_script(name[:-4]) == (ROOT / "lua" / name).read_text(encoding="utf-8")


def test_the_version_is_one() -> None:
    assert python("-m", "eventscache", "--version", cwd=ROOT).split()[-1] == eventscache.__version__
