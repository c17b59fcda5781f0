"""Storages are found by the scheme of their URL: those of this package, and those that others installed."""

import configparser
from pathlib import Path

import pytest

from eventscache.errors import ConfigError
from eventscache.storage import plugins
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.plugins import storage_class
from tests.support.command import run_afresh
from tests.support.paths import ROOT

OURS = {"memory", "redis", "rediss", "unix", "sentinel", "sentinels", "redis+cluster", "rediss+cluster"}


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with a distribution as pip leaves it, which brings two storages; one of them cannot be imported."""
    (tmp_path / "a_plugin.py").write_text(
        "from eventscache.storage.memory import MemoryStorage\n\n\nclass Mine(MemoryStorage): ...\n"
    )
    info = tmp_path / "a_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: a-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[eventscache.storages]\nmine = a_plugin:Mine\nbroken = a_plugin.gone:Gone\n"
    )
    return tmp_path


@pytest.fixture
def on_path(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(installed)


def names_in(message: str) -> list[str]:
    return message.partition("there are ")[2].split(", ")


def test_the_storages_of_this_package_are_listed_whatever_else_is_installed() -> None:
    with pytest.raises(ConfigError, match="no storage for nothing: URLs; there are ") as raised:
        storage_class("nothing://")
    names = names_in(str(raised.value))
    assert set(names) >= OURS
    assert names == sorted(names)


def test_an_installed_storage_is_found_by_the_scheme_of_its_url(on_path: None) -> None:
    found = storage_class("mine://")
    assert (found.__module__, found.__name__) == ("a_plugin", "Mine")
    assert issubclass(found, MemoryStorage)


def test_an_installed_storage_is_listed_with_the_others(on_path: None) -> None:
    with pytest.raises(ConfigError) as raised:
        storage_class("nothing://")
    names = names_in(str(raised.value))
    assert set(names) >= {*OURS, "mine", "broken"}
    assert names == sorted(names)


def test_an_installed_storage_that_cannot_be_imported_is_an_error_in_words(on_path: None) -> None:
    with pytest.raises(ConfigError, match="the storage for broken: URLs cannot be loaded: No module named 'a_plugin"):
        storage_class("broken://")


def test_the_command_lists_an_installed_storage_in_one_line(installed: Path) -> None:
    finished = run_afresh("serve", "--storage", "nothing://", PYTHONPATH=str(installed))
    assert finished.returncode == 2
    (line,) = finished.stderr.splitlines()
    assert set(names_in(line)) >= {*OURS, "mine", "broken"}


def test_a_checkout_and_an_installation_know_the_same_storages() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = setup["options.entry_points"][plugins.ENTRY_POINT_GROUP].strip().splitlines()
    installed = {scheme.strip(): target.strip() for scheme, _, target in (line.partition("=") for line in lines)}
    assert installed == plugins._BUILT_IN
