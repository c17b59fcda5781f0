"""Sources are found by name: those of this package, and those that others installed."""

import configparser
import re
from pathlib import Path

import pytest

from eventscache.errors import ConfigError
from eventscache.sources import plugins
from eventscache.sources.base import SourceOptions
from eventscache.sources.plugins import source_from_config, source_names
from tests.support.command import run_afresh
from tests.support.paths import ROOT

PLUGIN = """
from eventscache.sources.base import Source


class Mine(Source):
    place = "mine"

    @classmethod
    def from_config(cls, value, options):
        return cls()

    async def start(self, feed):
        feed.reached()

    async def stop(self):
        pass
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with a distribution as pip leaves it, which brings two sources; one of them cannot be imported."""
    (tmp_path / "a_source.py").write_text(PLUGIN)
    info = tmp_path / "a_source-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: a-source\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[eventscache.sources]\nmine = a_source:Mine\nbroken = a_source.gone:Gone\n")
    return tmp_path


def test_an_installed_source_is_found_by_its_name(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(installed)
    source = source_from_config("mine", True, SourceOptions())
    assert source is not None
    assert source.place == "mine"
    assert {"jitsu_redis", "mine", "broken"} <= {*source_names()}
    with pytest.raises(ConfigError, match="this source cannot be loaded: No module named"):
        source_from_config("broken", True, SourceOptions())


def test_the_command_names_the_setting_of_a_source_that_is_not_installed(installed: Path) -> None:
    finished = run_afresh("config", EVENTSCACHE_SOURCES_MINE="true")
    assert finished.returncode == 2
    assert finished.stderr.splitlines()[-1].startswith(
        "eventscache: eventscache.sources.mine: no such source; there are "
    )
    finished = run_afresh("config", EVENTSCACHE_SOURCES_MINE="true", PYTHONPATH=str(installed))
    assert finished.returncode == 0, finished.stderr
    assert re.search(
        r"^eventscache.sources: mine +# environment EVENTSCACHE_SOURCES_MINE$", finished.stdout, re.MULTILINE
    )


def test_a_checkout_and_an_installation_know_the_same_sources() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = setup["options.entry_points"][plugins.ENTRY_POINT_GROUP].strip().splitlines()
    installed = {name.strip(): target.strip() for name, _, target in (line.partition("=") for line in lines)}
    assert installed == plugins._BUILT_IN
