"""The unit of systemd: what systemd-analyze says of it, and the command in it."""

import configparser
import socket
import subprocess
from pathlib import Path

from tests.support.command import run
from tests.support.missing import program
from tests.support.paths import ROOT

UNIT = ROOT / "deploy" / "systemd" / "eventscache.service"
COMMAND = "/opt/eventscache/bin/eventscache"
MOST_EXPOSED = 12  # of 100, where 0 is a service that can do nothing


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [program("systemd-analyze", "apt-get install systemd"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def service() -> configparser.SectionProxy:
    unit = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=")
    unit.read(UNIT, encoding="utf-8")
    return unit["Service"]


def test_systemd_understands_each_line(tmp_path: Path) -> None:
    installed = tmp_path / UNIT.name
    installed.write_text(UNIT.read_text(encoding="utf-8").replace(COMMAND, "/bin/true"), encoding="utf-8")
    finished = analyze("verify", "--man=no", "--recursive-errors=no", installed)
    assert (finished.returncode, finished.stdout + finished.stderr) == (0, "")


def test_it_may_do_little() -> None:
    finished = analyze("security", "--no-pager", "--offline=true", f"--threshold={MOST_EXPOSED}", UNIT)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "Overall exposure level" in finished.stdout


def test_a_wrong_setting_is_not_tried_again_and_again() -> None:
    command, *arguments = service()["ExecStart"].split()
    assert command == COMMAND
    finished = run(*arguments, EVENTSCACHE_PORT="many")
    assert finished.returncode == int(service()["RestartPreventExitStatus"]) == 2


def test_a_port_that_is_taken_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        finished = run("serve", "--port", str(taken.getsockname()[1]))
    assert finished.returncode not in {0, int(service()["RestartPreventExitStatus"])}
    assert service()["Restart"] == "always"
