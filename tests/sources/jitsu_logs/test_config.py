"""The setting `eventscache.sources.jitsu_logs`."""

from pathlib import Path
from typing import Any

import pytest

from eventscache.errors import ConfigError
from eventscache.sources.base import SourceOptions
from eventscache.sources.jitsu_logs import JitsuLogs
from eventscache.sources.jitsu_logs.config import LogsConfig
from eventscache.sources.jitsu_logs.file_name import Kind
from eventscache.sources.jitsu_logs.start_point import StartPoint
from eventscache.sources.plugins import source_from_config, source_names


def test_a_directory_alone_follows_all_kinds_from_the_end() -> None:
    config = LogsConfig.parse("/logs/events")
    assert config == LogsConfig(Path("/logs/events"), tuple(Kind), None, StartPoint(0), "")


def test_a_mapping_says_more() -> None:
    config = LogsConfig.parse(
        {"dir": "/logs", "kinds": ["failed", "failed", "archive"], "state": "/var/s", "start": "2h", "node": "n1"}
    )
    assert config == LogsConfig(Path("/logs"), (Kind.FAILED, Kind.ARCHIVE), Path("/var/s"), StartPoint(7200), "n1")
    assert LogsConfig.parse({"dir": "/logs", "kinds": "failed, incoming"}) == LogsConfig(
        Path("/logs"), (Kind.FAILED, Kind.INCOMING)
    )


@pytest.mark.parametrize("value", [False, None, "false", "No", "off", "0"])
def test_it_can_be_switched_off(value: Any) -> None:
    assert LogsConfig.parse(value) is None
    assert JitsuLogs.from_config(value, SourceOptions()) is None


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (True, "directory"),
        (5, "directory"),
        (["/logs"], "directory"),
        ("", "dir"),
        ({}, "dir is missing"),
        ({"dir": ""}, "dir"),
        ({"dir": 5}, "dir"),
        ({"dir": "a\0b"}, "dir"),
        ({"directory": "/logs"}, "'directory'"),
        ({"dir": "/logs", 5: 1}, "5"),
        ({"dir": "/logs", "kinds": []}, "kinds"),
        ({"dir": "/logs", "kinds": ["failed", "wal"]}, "'wal'"),
        ({"dir": "/logs", "kinds": [["failed"]]}, "kinds"),
        ({"dir": "/logs", "kinds": 5}, "kinds"),
        ({"dir": "/logs", "state": True}, "state"),
        ({"dir": "/logs", "start": 5}, "start"),
        ({"dir": "/logs", "start": "yesterday"}, "beginning"),
        ({"dir": "/logs", "start": "0m"}, "beginning"),
        ({"dir": "/logs", "node": ["a"]}, "node"),
    ],
)
def test_what_is_not_understood_is_named(value: Any, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        LogsConfig.parse(value)


def test_start_points() -> None:
    assert [StartPoint.parse(text).since_us(10**15) for text in ("end", "beginning", "1d")] == [
        10**15,
        0,
        10**15 - 86_400_000_000,
    ]


def test_the_source_is_found_by_its_name_and_names_its_place() -> None:
    assert "jitsu_logs" in source_names()
    source = source_from_config("jitsu_logs", {"dir": "/logs", "node": "n1"}, SourceOptions())
    assert source is not None
    assert source.place == "n1:/logs"
    plain = source_from_config("jitsu_logs", "/logs", SourceOptions())
    assert plain is not None
    assert plain.place == "/logs"
