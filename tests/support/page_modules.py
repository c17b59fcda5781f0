"""Functions of the live view's modules, called in Node: a table of cases takes a second, and no page."""

import json
import shutil
import subprocess
from typing import Any

from tests.support.missing import missing
from tests.support.paths import ROOT

_CALLS = ROOT / "tests" / "ui" / "modules.mjs"


def call_each(module: str, name: str, arguments: list[list[Any]]) -> list[Any]:
    """Return what a function of a module returns for each list of arguments, None for what is undefined."""
    if shutil.which("node") is None:
        missing("no Node: install Debian's nodejs")
    calls = json.dumps([[module, name, each] for each in arguments])
    command = ["node", "--no-warnings", str(_CALLS)]
    done = subprocess.run(command, input=calls, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    results: list[Any] = json.loads(done.stdout)
    return results
