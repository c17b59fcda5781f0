"""The server loads nothing that only other commands need."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from eventscache.cli.main import COMMANDS, main
from tests.support.paths import ROOT

# rich is missing here: structlog imports it by itself if it is installed. So does redis with a part of opentelemetry.
HEAVY = (
    "hdrh",
    "eventscache.loadtest",
    "eventscache.demo",
    "eventscache.conformance",
    "eventscache.tail",
    "eventscache.telemetry.telemetry",
    "opentelemetry.exporter",
    "google.protobuf",
    "requests",
)


@pytest.mark.parametrize("arguments", [["serve", "--port", "99999"], ["config"], ["--version"]])
def test_the_server_imports_no_module_of_the_other_commands(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom eventscache.cli.main import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    print(*sys.modules)"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    modules = finished.stdout.split()
    assert "eventscache.cli.main" in modules
    assert [name for name in modules if name.startswith(HEAVY)] == []


def test_the_help_names_every_command() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in result.output


def test_an_unknown_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["serv"])
    assert result.exit_code == 2
    assert "No such command 'serv'" in result.output
