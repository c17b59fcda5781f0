"""The papers say what the program does: every setting, route and metric is documented."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from eventscache import __version__
from eventscache.config.settings import DEFINITIONS, Settings
from eventscache.metrics.definitions import DROP_REASONS, METRICS, Kind
from eventscache.server.routing import ROUTES
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_setting_is_in_the_readme_with_its_default(name: str) -> None:
    definition = DEFINITIONS[name]
    (row,) = [line for line in README.splitlines() if line.startswith(f"| `{definition.name}`")]
    default = getattr(Settings(), name)
    shown = (
        str(default).lower()
        if isinstance(default, bool)
        else str(default if default and (isinstance(default, str | int | float) or any(default)) else "none")
    )
    assert row.split("|")[2].strip().strip("`") in {shown, f"{default:,}" if isinstance(default, int) else shown}
    for key in definition.keys:
        assert key in row


def test_every_setting_is_used() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "eventscache").rglob("*.py"))
    assert [name for name in DEFINITIONS if not re.search(rf"(?:settings|self)\.{name}\b", sources)] == []


def test_every_route_is_in_the_readme() -> None:
    for method, path, _ in ROUTES:
        if method != "OPTIONS":
            assert re.search(rf"`{method} [^`]*{re.escape(path.rstrip('/'))}", README) or f"`{path}`" in README, path


def test_every_metric_and_reason_is_documented() -> None:
    operations = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    for metric in METRICS:
        name = f"{metric.name}_total" if metric.kind is Kind.COUNTER else metric.name
        assert f"`{name}`" in operations
        for label in (label for value in metric.values for label in value.labels):
            assert label == __version__ or metric.name.startswith("eventscache_source") or f"`{label}`" in operations
    for reason in DROP_REASONS:
        assert f"| `{reason}` |" in operations


def test_no_other_metric_is_documented() -> None:
    names = {metric.name for metric in METRICS}
    for path in [*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "benchmarks" / "README.md"]:
        for name in re.findall(r"`(eventscache_[a-z_]+)`", path.read_text(encoding="utf-8")):
            assert name in names or name.removesuffix("_total") in names, (path, name)


def test_the_library_example_runs() -> None:
    (example,) = [code for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "asyncio.run" in code]
    finished = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, check=False, cwd=ROOT)
    assert 'original=b\'{"event_type":"pageview"}\'' in finished.stdout, finished.stderr


@pytest.mark.slow
def test_the_storage_in_the_documentation_passes_the_suite(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "storages.md").read_text(encoding="utf-8")
    imports = re.findall(r"`(from eventscache[^`]*)`", page)
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "test_papers.py").write_text("\n".join([*imports, *blocks]), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=strict", "--rootdir"]
    finished = subprocess.run([*command, str(tmp_path), str(tmp_path)], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout
    assert int(re.findall(r"(\d+) passed", finished.stdout)[0]) >= 40


def test_the_changelog_tells_of_this_version() -> None:
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_make_target_in_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`make ([a-z-]+)`|^make ([a-z-]+)", README, re.MULTILINE)):
        assert f"\n{''.join(target)}:" in makefile


def test_no_drop_goes_by_a_reason_that_is_not_shown() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "eventscache").rglob("*.py"))
    used = set(re.findall(r'(?:_drop|Refusal)\([^"]*"(\w+)"', sources)) | set(
        re.findall(r'else "(storage_\w+)"', sources)
    )
    assert used <= set(DROP_REASONS)
    assert len(used) >= 5


DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").glob("*.md"),
    ROOT / "benchmarks" / "README.md",
    ROOT / "deploy" / "README.md",
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_within_the_repository_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_and_test_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"(?<![\w/]/)\b((?:eventscache|tests|lua|docs|examples|deploy)/[\w./-]+)(?:::(test_\w+))?", text)
    missing = [path for path, _ in named if not (ROOT / path.rstrip(".")).exists()]
    assert missing == []
    tests = [(path, test) for path, test in named if test]
    assert [test for path, test in tests if f"def {test}(" not in (ROOT / path).read_text(encoding="utf-8")] == []


def test_every_test_of_a_fault_is_in_the_list_of_faults() -> None:
    text = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    tests = [
        f"tests/faults/{path.name}::{name}"
        for path in (ROOT / "tests" / "faults").glob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert [test for test in tests if test not in text] == []
    rows = re.findall(r"^\| (\d+) \|.*\| (.+) \|$", text, re.MULTILINE)
    assert [int(number) for number, _ in rows] == [*range(1, len(rows) + 1)]
    assert all("::test_" in named or named == "the same" for _, named in rows)


def test_the_readme_leads_to_the_threat_model() -> None:
    assert "](SECURITY.md)" in README


def test_every_test_that_holds_a_promise_exists() -> None:
    promises = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
    rows = [row for row in promises.splitlines() if row.startswith("| **")]
    assert len(rows) > 15
    for row in rows:
        tests = re.findall(r"`(tests/[\w./]+)`", row)
        assert tests, row
        for path in tests:
            assert (ROOT / path).exists(), path
