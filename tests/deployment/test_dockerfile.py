"""The Dockerfile: what a linter says of it, and its instructions, which are run."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.support.command import Process
from tests.support.dockerfile import copy_context, instructions, stages
from tests.support.image import Image, Stage
from tests.support.locks import locked
from tests.support.missing import DEPLOY_TOOLS, program
from tests.support.paths import ROOT
from tests.support.redis_server import free_port

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
TOKEN = "a-token-of-some-length"
INSTALLED = "from importlib.metadata import distributions as all; print(*(found.name for found in all()))"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("context")
    copy_context(ROOT, folder, ROOT / "deploy" / "Dockerfile.dockerignore")
    return folder


@pytest.fixture(scope="module")
def image(context: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("image")
    yield Image(folder, DOCKERFILE, context).last
    shutil.rmtree(folder)  # a hundred megabytes


def test_the_linter_has_nothing_to_say() -> None:
    hadolint = program("hadolint", DEPLOY_TOOLS)
    finished = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stdout + finished.stderr) == (0, "")


def test_each_base_image_has_a_version() -> None:
    bases = [base.words[0] for base, *_ in stages(DOCKERFILE)]
    assert bases
    assert all(base.partition(":")[2] not in {"", "latest"} for base in bases)


def test_the_image_holds_no_compiler_and_no_sources() -> None:
    base, *rest = stages(DOCKERFILE)[-1]
    assert "slim" in base.text
    assert "RUN" not in {instruction.name for instruction in rest}
    copied = [instruction.text for instruction in rest if instruction.name == "COPY"]
    assert copied == ["--from=build /opt/eventscache /opt/eventscache"]


def test_its_user_is_a_number_and_not_root() -> None:
    (user,) = [instruction.text for instruction in instructions(DOCKERFILE) if instruction.name == "USER"]
    assert all(int(number) >= 10_000 for number in user.split(":"))


def test_all_files_that_are_copied_are_in_the_context_and_no_others(context: Path) -> None:
    copied = {
        Path(source).parts[0]
        for instruction in stages(DOCKERFILE)[0]
        if instruction.name == "COPY"
        for source in instruction.words[:-1]
    }
    assert {path.name for path in context.iterdir()} == copied
    assert [*context.rglob("*.so"), *context.rglob("__pycache__")] == []


def test_the_image_holds_what_is_locked_and_nothing_else(image: Stage) -> None:
    finished = image.run(["python", "-c", INSTALLED], user=image.user)
    names = {canonicalize_name(name) for name in finished.stdout.split()}
    needed = {name for name, (one, _) in locked("requirements.lock").items() if not one.marker or one.marker.evaluate()}
    assert names == {"eventscache", *needed}, finished.stderr


def test_nothing_can_be_written_to_the_image(image: Stage) -> None:
    for user in (image.user, "0:0"):
        finished = image.run(["touch", "/opt/eventscache/file", "/tmp/file"], user=user, read_only=True)
        assert finished.stderr.count("Read-only file system") == 2


async def test_it_serves_and_its_health_check_says_whether(image: Stage) -> None:
    settings = {**image.environ, "EVENTSCACHE_PORT": str(free_port()), "EVENTSCACHE_ADMIN_TOKENS": TOKEN}
    settings["EVENTSCACHE_OPEN_INGESTION"] = "true"
    command = image.argv(image.command, user=image.user, read_only=True)
    with Process(command, settings) as server:
        await server.post("/api/v1/event?token=a", {"n": 1})
        (event,) = (await server.get("/api/v1/events/cache?namespace=token&ids=a", X_Admin_Token=TOKEN))["events"]
        healthy = image.run(image.health, user=image.user, read_only=True, **settings)
    stopped = image.run(image.health, user=image.user, read_only=True, **settings)

    assert event["original"] == {"n": 1}
    assert (healthy.returncode, healthy.stderr) == (0, "")
    assert stopped.returncode == 1
    assert server.process.returncode == 0


def test_it_does_not_start_open_to_everybody(image: Stage) -> None:
    finished = image.run(image.command, user=image.user, read_only=True, EVENTSCACHE_PORT=str(free_port()))
    assert finished.returncode == 2
    assert "admin_tokens" in finished.stderr
