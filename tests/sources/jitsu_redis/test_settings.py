"""The setting of the source, in all its forms; and the line that says that Jitsu's Redis could be followed."""

from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml

from eventscache.config.loading import load
from eventscache.errors import ConfigError
from eventscache.server.configured_sources import configured_sources
from eventscache.server.startup_checks import check_start

JITSUS: dict[str, Any] = {"meta": {"storage": {"redis": {"host": "redis.example", "password": "secret"}}}}


def places(tmp_path: Path, jitsu_redis: Any = None, environ: dict[str, str] | None = None, **content: Any) -> list[str]:
    path = tmp_path / "eventnative.yaml"
    sources = {} if jitsu_redis is None else {"eventscache": {"sources": {"jitsu_redis": jitsu_redis}}}
    path.write_text(yaml.safe_dump({**content, **sources}))
    settings = load(path, environ or {}).settings
    return [source.place for _, source in configured_sources(settings)]


@pytest.mark.parametrize("value", [True, "true", "YES", "on", {"url": True}, {"layout": "classic"}])
def test_true_is_the_redis_of_jitsus_file(tmp_path: Path, value: Any) -> None:
    assert places(tmp_path, value, **JITSUS) == ["redis://***@redis.example:6379/0"]


@pytest.mark.parametrize("value", [False, "false", "off", None])
def test_false_or_nothing_follows_nothing(tmp_path: Path, value: Any) -> None:
    assert places(tmp_path, value, **JITSUS) == []


@pytest.mark.parametrize(
    "url", ["redis://other:1234/3", "rediss://other:1234", "unix:///run/redis.sock", "sentinel://m@a:1,b:2/1"]
)
def test_a_url_is_another_redis(tmp_path: Path, url: str) -> None:
    shown = url.replace("m@", "***@")
    assert places(tmp_path, url, **JITSUS) == [shown]
    assert places(tmp_path, {"url": url}) == [shown]
    assert places(tmp_path, environ={"EVENTSCACHE_SOURCES_JITSU_REDIS": url}) == [shown]


def test_the_variable_counts_more_than_the_file(tmp_path: Path) -> None:
    assert places(tmp_path, True, {"EVENTSCACHE_SOURCES_JITSU_REDIS": "false"}, **JITSUS) == []


def test_the_storage_may_be_another_one_than_what_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "eventnative.yaml"
    path.write_text(
        yaml.safe_dump({**JITSUS, "eventscache": {"sources": {"jitsu_redis": True}, "storage": "memory://"}})
    )
    settings = load(path, {}).settings
    assert settings.storage == "memory://"
    assert [source.place for _, source in configured_sources(settings)] == ["redis://***@redis.example:6379/0"]


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("other", "must be true, false, or the URL of a Redis"),
        ("redis://", "not a usable Redis URL"),
        ("http://x", "must be true, false, or the URL of a Redis"),
        ("redis+cluster://h:1", "must be true, false, or the URL of a Redis"),
        (["redis://x"], "must be a string"),
        ({"adress": "redis://x"}, "has an unknown key, adress; known are layout, url"),
        ({"url": "redis://x", "layout": "jitsu3"}, "layout must be"),
        (True, "true needs the Redis of Jitsu's file"),
    ],
)
def test_a_value_that_cannot_be_used_stops_the_start_with_its_key(tmp_path: Path, value: Any, fault: str) -> None:
    with pytest.raises(ConfigError) as stopped:
        places(tmp_path, value)
    assert str(stopped.value).startswith("eventscache.sources.jitsu_redis: ")
    assert fault in str(stopped.value)


def test_an_unknown_source_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^eventscache\.sources\.jitsu_rediss: no such source; there are .*"):
        places(tmp_path, eventscache={"sources": {"jitsu_rediss": True}})
    with pytest.raises(ConfigError, match=r"eventscache\.sources: must be a section"):
        places(tmp_path, eventscache={"sources": True})


def hints(tmp_path: Path, **content: Any) -> list[str]:
    path = tmp_path / "eventnative.yaml"
    path.write_text(yaml.safe_dump(content))
    with structlog.testing.capture_logs() as log:
        check_start(load(path, {}))
    return [entry["event"] for entry in log if "can be followed" in entry["event"]]


def test_the_start_says_that_jitsus_redis_could_be_followed(tmp_path: Path) -> None:
    assert len(hints(tmp_path, **JITSUS)) == 1
    assert hints(tmp_path, **JITSUS, eventscache={"sources": {"jitsu_redis": True}}) == []
    assert hints(tmp_path, **JITSUS, eventscache={"sources": {"jitsu_redis": False}}) == []
    assert hints(tmp_path) == []
