"""The architecture: which package may import which, and that no module imports itself through others."""

import ast
import graphlib
from pathlib import Path

import pytest

from tests.support.paths import ROOT

PACKAGE = ROOT / "eventscache"

# Each package, or module beside the packages, and what it may import. A line names only
# lines above it. docs/architecture.md draws most of it.
ALLOWED = {
    "characters": "",
    "clock": "",
    "errors": "",
    "timestamp": "",
    "uid": "",
    "address": "errors",
    "logs": "characters",
    "stream": "characters errors",
    "event": "errors stream timestamp",
    "storage": "clock errors stream",
    "masking": "errors event",
    "ingest": "errors event stream timestamp",
    "query": "event ingest stream timestamp",
    "access": "errors logs stream",
    "config": "access clock errors logs masking storage stream",
    "record": "clock errors event query stream",
    "delivery": "clock errors event masking record storage stream timestamp uid",
    "extras": "delivery errors event masking query storage stream",
    "alerts": "clock errors event extras logs storage stream timestamp",
    "cache": "clock delivery errors event extras masking query record storage stream",
    "follows": "cache clock errors extras storage stream",
    "lookup": "cache errors event extras query record storage stream timestamp",
    "live": "cache clock errors event query storage stream",
    "sources": "access cache clock errors event ingest logs storage stream timestamp",
    "metrics": "alerts cache clock delivery sources",
    "telemetry": "clock errors logs metrics storage stream",
    "server": "access alerts cache characters clock config delivery errors event extras follows ingest live logs "
    "lookup metrics query sources storage stream telemetry timestamp",
    "conformance": "clock errors storage stream",
    "testing": "conformance",
    "loadtest": "access address errors metrics stream",
    "tail": "address characters clock errors event logs query stream timestamp",
    "demo": "clock config event extras server storage stream timestamp",
    "cli": "address clock config conformance demo errors loadtest logs server storage stream tail",
    "__main__": "cli",
    "__init__": "cache event storage stream",
}
MAX_MODULES = 12


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports(name: str) -> set[str]:
    """Return the modules of the package that a module imports, inside functions and for type checkers too."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{name} has a relative import"
            members = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {member if member in MODULES else node.module for member in members}
    return {imported for imported in found if imported in MODULES} - {name}


def part(name: str) -> str:
    """Return the package, or the module beside the packages, that a module belongs to."""
    return name.split(".")[1] if "." in name else "__init__"


@pytest.mark.parametrize("name", ALLOWED)
def test_a_package_imports_only_what_the_table_allows(name: str) -> None:
    allowed = {*ALLOWED[name].split(), name}
    found = {(module, other) for module in MODULES if part(module) == name for other in imports(module)}
    assert {(module, other) for module, other in found if part(other) not in allowed | {"__init__"}} == set()
    assert allowed <= {part(other) for _, other in found} | {name}, "the table allows more than is used"


def test_every_package_is_in_the_table() -> None:
    assert {part(module) for module in MODULES} == set(ALLOWED)


def test_the_table_leads_in_one_direction() -> None:
    above: set[str] = set()
    for name, allowed in ALLOWED.items():
        assert set(allowed.split()) <= above, name
        above.add(name)


def test_no_module_imports_itself_through_others() -> None:
    # `from eventscache import __version__` needs nothing else of what the package exports.
    graph = {name: imports(name) - {"eventscache"} for name in MODULES}
    graphlib.TopologicalSorter(graph).prepare()


def test_few_modules_stand_beside_the_packages() -> None:
    assert len([*PACKAGE.glob("*.py")]) <= MAX_MODULES


def test_the_contract_stands_alone_in_its_module() -> None:
    text = (PACKAGE / "storage" / "base.py").read_text(encoding="utf-8")
    classes = [node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    assert classes == ["Storage"]
