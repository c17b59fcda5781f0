"""Components that a machine may lack."""

import importlib
import os
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pytest

DEPLOY_TOOLS = "make .venv/installed-deploy"


def missing(reason: str) -> NoReturn:
    """Skip on a developer's machine what CI must not."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def program(name: str, package: str) -> str:
    """Return the path of a program, of this environment or of the machine."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath), "/usr/sbin"])
    return shutil.which(name, path=places) or missing(f"no {name}: {package}")


def module(name: str, package: str) -> ModuleType:
    """Return a module of a library that not everybody installs."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        missing(f"no {name}: {package}")
