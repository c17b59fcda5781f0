"""The locked dependencies, and how they are audited."""

import configparser
import os
import re
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.paths import ROOT

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


def locked() -> dict[str, tuple[Requirement, int]]:
    """Return what is locked by name, with the number of its hashes."""
    found: dict[str, tuple[Requirement, int]] = {}
    for text in re.sub(r"^ *#.*\n|\\\n", "", LOCK, flags=re.MULTILINE).splitlines():
        requirement, *hashes = text.split(" --hash=sha256:")
        assert all(re.fullmatch("[0-9a-f]{64}", digest.strip()) for digest in hashes), text
        parsed = Requirement(requirement)
        assert canonicalize_name(parsed.name) not in found, text
        found[canonicalize_name(parsed.name)] = (parsed, len(hashes))
    return found


def required() -> list[Requirement]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = setup["options"]["install_requires"].strip().splitlines()
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("requirement", required(), ids=lambda requirement: requirement.name)
def test_the_lock_holds_what_setup_cfg_asks_for(requirement: Requirement) -> None:
    pinned, _ = locked()[canonicalize_name(requirement.name)]
    (pin,) = pinned.specifier
    assert pin.operator == "=="
    assert requirement.specifier.contains(pin.version)
    # Where one is required, the other is installed.
    assert str(pinned.marker) in {str(requirement.marker), "None"}
    for extra in requirement.extras:
        assert extra in locked()


def test_everything_locked_has_a_version_and_hashes() -> None:
    assert len(locked()) > len(required())
    for name, (requirement, hashes) in locked().items():
        assert [pin.operator for pin in requirement.specifier] == ["=="], name
        assert hashes, name


def test_the_lock_says_nothing_of_where_it_was_made() -> None:
    assert not re.search(r"://|index|find-links|trusted|\.(org|com|net|io)\b|/[a-z]", LOCK)


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
