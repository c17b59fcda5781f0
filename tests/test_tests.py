"""What holds for the tests themselves."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import corpus, wire
from tests.support.paths import ROOT

MODULES = sorted(
    path for path in (ROOT / "tests").rglob("*.py") if path.name.startswith("test_") or path.name == "conftest.py"
)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_test_module_imports_no_other_test_module(path: Path) -> None:
    others = [name for name in imports(path) if name.startswith(("tests.", "."))]
    assert [name for name in others if not name.startswith("tests.support.")] == []


def rows_named_by(decorator: ast.Call) -> Iterator[int]:
    """Yield the rows of the tables that are given to `each`, and those that are given to `covers`."""
    for argument in decorator.args:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, int):
            yield argument.value
        elif isinstance(argument, ast.Attribute):
            assert isinstance(argument.value, ast.Name)
            table = getattr({"corpus": corpus, "wire": wire}[argument.value.id], argument.attr)
            yield from (case.row for case in table)


def test_every_row_of_the_list_of_bad_inputs_has_a_test() -> None:
    tested = {
        row
        for path in MODULES
        for test in ast.walk(tree(path))
        if isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef)
        for decorator in test.decorator_list
        if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name)
        if decorator.func.id in {"each", "covers"}
        for row in rows_named_by(decorator)
    }
    assert tested == corpus.ALL_ROWS
