"""What we use of redis-py beyond its documented interface is there, or the start fails with a clear error."""

import configparser

import pytest
import redis.asyncio
from packaging.requirements import Requirement

from eventscache.errors import ConfigError
from eventscache.storage.options import StorageOptions
from eventscache.storage.redis import RedisStorage, driver_internals
from tests.support.paths import ROOT


@pytest.mark.parametrize(
    ("table", "names", "missing"),
    [
        ("_CONNECTION_ATTRIBUTES", ("_reader", "_gone"), "Connection._gone"),
        ("_METHODS", ((redis.asyncio.ConnectionPool, "gone"),), "ConnectionPool.gone"),
    ],
)
def test_a_driver_that_lacks_something_stops_the_start_and_names_the_versions(
    monkeypatch: pytest.MonkeyPatch, table: str, names: tuple[object, ...], missing: str
) -> None:
    monkeypatch.setattr(driver_internals, table, names)
    with pytest.raises(ConfigError) as raised:
        RedisStorage.from_url("redis://h", StorageOptions())
    message = str(raised.value)
    for part in (f"redis-py {redis.__version__}", missing, driver_internals.SUPPORTED_VERSIONS):
        assert part in message


def test_the_installed_driver_has_everything() -> None:
    driver_internals.check_driver()


def test_the_supported_versions_are_those_of_setup_cfg() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = setup["options"]["install_requires"].strip().splitlines()
    (required,) = [line for line in map(Requirement, lines) if line.name == "redis"]
    assert required.specifier == Requirement(driver_internals.SUPPORTED_VERSIONS).specifier
