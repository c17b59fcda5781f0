"""The live view's modules in Node, which takes a second and no page: tables of cases for functions, and their texts."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.support.missing import missing
from tests.support.paths import ROOT

_FOLDER = ROOT / "tests" / "ui"
_COMPARES = _FOLDER / "checks" / "minified.mjs"


def call_each(module: str, name: str, arguments: list[list[Any]]) -> list[Any]:
    """Return what a function of a module returns for each list of arguments, None for what is undefined."""
    return _run(_FOLDER / "modules.mjs", [[module, name, each] for each in arguments])


def faults_of(modules: dict[str, str]) -> list[Any]:
    """Return the names of texts that are no modules, and why."""
    return _run(_FOLDER / "parse.mjs", [*modules.items()], "--experimental-vm-modules")


def changed(modules: dict[str, tuple[str, str]]) -> list[str]:
    """Return the names of those of which the two texts are not the same program."""
    if not (_COMPARES.parent / "node_modules" / "typescript").is_dir():
        missing("no TypeScript: make .venv/installed-page-checks")
    return _run(_COMPARES, [[name, *texts] for name, texts in modules.items()])


def _run(script: Path, given: list[Any], *options: str) -> list[Any]:
    if shutil.which("node") is None:
        missing("no Node: install Debian's nodejs")
    command = ["node", "--no-warnings", *options, str(script)]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    results: list[Any] = json.loads(done.stdout)
    return results
