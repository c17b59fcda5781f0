"""The suites as a package: pytest explains every assertion in them."""

import subprocess
import sys
from pathlib import Path

import pytest

LOADERS = """
import sys

import eventscache.testing


def test_loaders():
    loaders = {
        name: type(module.__spec__.loader).__name__
        for name, module in sys.modules.items()
        if name.startswith("eventscache.conformance.suites")
    }
    assert len(loaders) >= 8
    assert set(loaders.values()) == {"AssertionRewritingHook"}, loaders
"""


@pytest.mark.slow
def test_pytest_rewrites_the_assertions_of_every_suite(tmp_path: Path) -> None:
    (tmp_path / "test_loaders.py").write_text(LOADERS, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout
