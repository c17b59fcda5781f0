"""The modules of the live view: what they import, and what they may not contain."""

import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT

FOLDER = ROOT / "eventscache" / "ui"
INDEX = (FOLDER / "index.html").read_text(encoding="utf-8")
MODULES = {path: path.read_text(encoding="utf-8") for path in sorted(FOLDER.rglob("*.js"))}
# Which folders a module may import from, by its own folder; "" is the top.
ALLOWED = {
    "lib": {"lib"},
    "model": {"lib", "model"},
    "api": {"lib", "model", "api"},
    "view": {"lib", "model", "view"},
    "actions": {"lib", "model", "api", "view", "actions"},
    "": {"lib", "model", "api", "view", "actions", ""},
}
MOST_LINES = 350


def name_of(path: Path) -> str:
    return path.relative_to(FOLDER).as_posix()


def folder_of(path: Path) -> str:
    return name_of(path).rpartition("/")[0]


def imports_of(path: Path) -> list[Path]:
    """Return the modules that a module imports, in any of the forms that JavaScript has."""
    found = re.findall(r"""\b(?:from|import)\s*\(?\s*["']([^"']+)["']""", MODULES[path])
    return [(path.parent / target).resolve() if target.startswith(".") else Path(target) for target in found]


EACH = pytest.mark.parametrize("path", MODULES, ids=map(name_of, MODULES))


@EACH
def test_a_module_imports_modules_of_the_page_by_relative_path(path: Path) -> None:
    assert [str(target) for target in imports_of(path) if target not in MODULES] == []


@EACH
def test_a_module_imports_only_from_the_folders_that_its_own_may_use(path: Path) -> None:
    assert {folder_of(target) for target in imports_of(path)} <= ALLOWED[folder_of(path)]


def test_imports_make_no_circle() -> None:
    waiting = {path: set(imports_of(path)) for path in MODULES}

    while ready := {path for path, targets in waiting.items() if not targets & waiting.keys()}:
        waiting = {path: targets for path, targets in waiting.items() if path not in ready}

    assert sorted(map(name_of, waiting)) == []


def test_every_module_is_used() -> None:
    page = {(FOLDER / name).resolve() for name in re.findall(r'src="([^"]+[.]js)"', INDEX)}
    imported = {target for path in MODULES for target in imports_of(path)}

    assert sorted(name_of(path) for path in MODULES.keys() - page - imported) == []


@EACH
def test_a_module_is_short(path: Path) -> None:
    assert MODULES[path].count("\n") < MOST_LINES


@EACH
def test_a_module_builds_no_markup_and_names_no_other_server(path: Path) -> None:
    text = MODULES[path]

    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function", text)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg|example\.com|jitsu:8001)", text)


@EACH
def test_every_id_that_a_module_uses_is_on_the_page(path: Path) -> None:
    known = set(re.findall(r'\bid="([\w-]+)"', INDEX))

    assert set(re.findall(r'byId\("([\w-]+)"\)', MODULES[path])) <= known
