"""Storages are found by the scheme of their URL: in an installation by entry points, in a bare checkout by a table."""

import configparser

from eventscache.storage import plugins
from tests.support.paths import ROOT


def test_a_checkout_and_an_installation_know_the_same_storages() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = setup["options.entry_points"][plugins.ENTRY_POINT_GROUP].strip().splitlines()
    installed = {scheme.strip(): target.strip() for scheme, _, target in (line.partition("=") for line in lines)}
    assert installed == plugins._BUILT_IN
