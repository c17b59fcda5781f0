"""The settings in the files of deploy/: each exists."""

import re
from pathlib import Path

import pytest

from eventscache.config.settings import DEFINITIONS
from eventscache.sources.plugins import source_names
from tests.support.paths import ROOT

FILES = [path for path in sorted((ROOT / "deploy").rglob("*")) if path.is_file()]
VARIABLES = {variable for definition in DEFINITIONS.values() for variable in definition.variables}
OTHERS = {"EVENTSCACHE_CONFIG", *(f"EVENTSCACHE_SOURCES_{name.upper()}" for name in source_names())}


def variables(path: Path) -> set[str]:
    return set(re.findall(r"\b(?:EVENTSCACHE|SERVER)_[A-Z_]+", path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT / "deploy")))
def test_each_variable_is_one_of_a_setting(path: Path) -> None:
    assert variables(path) - VARIABLES - OTHERS == set()


def test_variables_are_found() -> None:
    assert set.union(*map(variables, FILES)) >= {"EVENTSCACHE_HOST", "EVENTSCACHE_STORAGE", "EVENTSCACHE_CONFIG"}
