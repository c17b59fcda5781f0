"""Prometheus's own checker of rules and configurations."""

import shutil
import subprocess
from pathlib import Path

from tests.support.missing import missing


def promtool(*arguments: str, folder: Path) -> str:
    """Run a command of promtool in a folder, and return what it said; fail if it found a fault."""
    binary = shutil.which("promtool")
    if not binary:
        missing("no promtool: apt-get install prometheus")
    finished = subprocess.run([binary, *arguments], capture_output=True, text=True, check=False, cwd=folder)
    said = finished.stdout + finished.stderr
    assert finished.returncode == 0, said
    return said
