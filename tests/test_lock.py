"""The locked dependencies, and how they are audited."""

import configparser
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.locks import locked
from tests.support.paths import ROOT

LOCKS = ("requirements.lock", "deploy/build.lock")


def required() -> list[Requirement]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = setup["options"]["install_requires"].strip().splitlines()
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("requirement", required(), ids=lambda requirement: requirement.name)
def test_the_lock_holds_what_setup_cfg_asks_for(requirement: Requirement) -> None:
    pinned, _ = locked("requirements.lock")[canonicalize_name(requirement.name)]
    (pin,) = pinned.specifier
    assert pin.operator == "=="
    assert requirement.specifier.contains(pin.version)
    # Where one is required, the other is installed.
    assert str(pinned.marker) in {str(requirement.marker), "None"}
    for extra in requirement.extras:
        assert extra in locked("requirements.lock")


def test_the_lock_of_the_build_holds_what_pyproject_toml_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for requirement in map(Requirement, project["build-system"]["requires"]):
        (pin,) = locked("deploy/build.lock")[canonicalize_name(requirement.name)][0].specifier
        assert requirement.specifier.contains(pin.version)


@pytest.mark.parametrize("name", LOCKS)
def test_everything_locked_has_a_version_and_hashes(name: str) -> None:
    for requirement, hashes in locked(name).values():
        assert [pin.operator for pin in requirement.specifier] == ["=="], requirement
        assert hashes, requirement


def test_the_lock_holds_what_the_dependencies_need_too() -> None:
    assert len(locked("requirements.lock")) > len(required())


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_says_nothing_of_where_it_was_made(name: str) -> None:
    lock = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"://|index|find-links|trusted|\.(org|com|net|io)\b|/[a-z]", lock)


# What pip-audit does in the end: its exit code, and what it writes into the file behind --output.
OUTCOMES = {
    "nothing is known": ("exit 0", 0, "no known vulnerability"),
    "a vulnerability is known": ('echo "aiohttp 3.14.5 GHSA-x" > "$report"; exit 1', 1, "aiohttp 3.14.5 GHSA-x"),
    "the database is away": ("echo Traceback >&2; echo no route to host >&2; exit 1", 2, "could not be reached"),
    "a package is not known there": ("echo a: Dependency not found >&2; exit 1", 2, "nothing was audited"),
    "pip-audit is not installed": (None, 2, "nothing was audited"),
}


@pytest.mark.parametrize(("script", "code", "message"), OUTCOMES.values(), ids=OUTCOMES)
def test_an_audit_tells_what_it_found_or_that_it_could_not(
    tmp_path: Path, script: str | None, code: int, message: str
) -> None:
    tool = tmp_path / "pip-audit"
    if script is not None:
        find = 'while [ "$1" != --output ]; do shift; done; report=$2'
        tool.write_text(f"#!/bin/bash\n{find}\n{script}\n", encoding="utf-8")
        tool.chmod(0o755)
    finished = subprocess.run(
        [ROOT / ".ci" / "audit"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PIP_AUDIT": str(tool)},
    )
    assert finished.returncode == code
    assert message in finished.stdout + finished.stderr
    assert "Traceback" not in finished.stderr
