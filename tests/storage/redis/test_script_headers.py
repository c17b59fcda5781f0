"""Each Lua script explains itself in its first lines, and somebody calls it."""

import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT

SCRIPTS = sorted((ROOT / "lua").glob("*.lua"))
NAMES = [script.stem for script in SCRIPTS]


def header(text: str) -> str:
    """Return the comment that a script begins with."""
    return text[: re.search(r"^(?!--)", text, re.MULTILINE).start()]  # type: ignore[union-attr]


@pytest.mark.parametrize("script", SCRIPTS, ids=NAMES)
def test_every_script_explains_its_keys_and_arguments(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    explained = header(text)
    assert re.match(rf"-- {script.stem}: [a-z]", explained), "it begins with its name and one sentence"
    code = text[len(explained) :]
    for slot in ("KEYS", "ARGV"):
        numbers = set(re.findall(rf"\b{slot}\[(\d+)\]", code))
        described = {
            str(number)
            for first, last in re.findall(rf"{slot}\[(\d+)(?:\.\.(\d+))?", explained)
            for number in range(int(first), int(last or first) + 1)
        }
        assert numbers <= described, slot
        assert described, slot
    assert re.search(r"^-- Returns ", explained, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_every_script_is_called(name: str) -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "eventscache").rglob("*.py"))
    assert f'Script("{name}")' in sources or f'read_script("{name}")' in sources


@pytest.mark.parametrize("name", NAMES)
def test_every_script_is_driven_by_a_test(name: str) -> None:
    tests = (ROOT / "tests" / "storage" / "redis" / "test_scripts.py").read_text(encoding="utf-8")
    assert re.search(rf"""["']{name}["']""", tests)
