"""Checks before the server starts: aiohttp's HTTP parser and private names, open files, and what is told."""

import resource

import aiohttp
import pytest
from aiohttp import http_parser, web_protocol

from eventscache.config.loading import load
from eventscache.config.settings import Settings
from eventscache.errors import ConfigError
from eventscache.server import app
from eventscache.server.http import aiohttp_internals
from eventscache.server.startup_checks import (
    check_start,
    connections_that_fit,
    require_aiohttp_internals,
    require_c_parser,
)
from eventscache.storage.memory import MemoryStorage
from tests.support.command import run_afresh
from tests.support.sidecar import Log, Start


def test_the_server_uses_the_http_parser_in_c() -> None:
    require_c_parser()
    assert vars(web_protocol)["HttpRequestParser"] is http_parser.HttpRequestParser
    assert http_parser.HttpRequestParser is not http_parser.HttpRequestParserPy


async def test_no_sidecar_is_made_with_the_python_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="AIOHTTP_NO_EXTENSIONS"):
        require_c_parser(http_parser.HttpRequestParserPy)
    monkeypatch.setattr(http_parser, "HttpRequestParser", http_parser.HttpRequestParserPy)
    with pytest.raises(ConfigError, match="AIOHTTP_NO_EXTENSIONS"):
        app.Sidecar(Settings(), MemoryStorage())


def test_the_server_does_not_start_with_the_python_parser_and_says_what_to_do() -> None:
    finished = run_afresh("serve", "--port", "0", AIOHTTP_NO_EXTENSIONS="1")
    assert finished.returncode == 2
    assert "unset AIOHTTP_NO_EXTENSIONS" in finished.stderr
    assert finished.stderr.startswith("eventscache: aiohttp works without its HTTP parser in C")
    assert finished.stderr.count("\n") == 1


def test_the_installed_aiohttp_has_every_private_name_that_is_used() -> None:
    assert aiohttp_internals.missing() == []
    require_aiohttp_internals()


def test_an_aiohttp_without_a_private_name_is_rejected_with_its_version() -> None:
    class Renamed:
        _loop = _manager = _message_tail = _messages = _request_count = _waiter = None

    with pytest.raises(ConfigError) as rejected:
        require_aiohttp_internals(Renamed)
    assert f"aiohttp {aiohttp.__version__} lacks" in str(rejected.value)
    for name in ("_keepalive_timeout", "_next_keepalive_close_time", "_read_bufsize"):
        assert f"RequestHandler.{name}" in str(rejected.value)
    assert "RequestHandler._messages" not in str(rejected.value)


async def test_no_sidecar_is_made_with_an_aiohttp_that_lacks_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(aiohttp_internals._MODULE_NAMES, "web_protocol._ErrInfo", None)
    with pytest.raises(ConfigError, match=r"lacks web_protocol\._ErrInfo"):
        app.Sidecar(Settings(), MemoryStorage())


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The soft and the hard limit of open files; the real ones of the test process do not change."""
    limits = [100, 1000]
    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(limits))
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: limits.__setitem__(slice(2), wanted))
    return limits


def test_a_sufficient_limit_is_not_changed(limits: list[int]) -> None:
    assert connections_that_fit(60, 40) == 60
    assert limits == [100, 1000]


def test_the_soft_limit_is_raised_as_far_as_needed(limits: list[int]) -> None:
    assert connections_that_fit(500, 40) == 500
    assert limits == [540, 1000]


def test_the_hard_limit_bounds_the_connections(limits: list[int]) -> None:
    assert connections_that_fit(5000, 40) == 960
    assert limits == [1000, 1000]


@pytest.mark.parametrize(("soft", "hard", "left"), [(resource.RLIM_INFINITY,) * 2 + (-1,), (100, -1, 5040)])
def test_without_a_limit_all_connections_fit(limits: list[int], soft: int, hard: int, left: int) -> None:
    limits[:] = soft, hard
    assert connections_that_fit(5000, 40) == 5000
    assert limits[0] == left


async def test_fewer_connections_than_configured_are_logged(limits: list[int], start: Start, log: Log) -> None:
    limits[:] = 300, 300
    sidecar = await start(max_connections=1000)
    assert sidecar.server._connections._limits.most < 300
    assert any("'max_connections': 1000" in line for line in log.lines)


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"EVENTSCACHE_ALERTS_SILENT_MINUTES": "5"}, ["no alerts are sent: set eventscache.alerts.webhook"]),
        ({"EVENTSCACHE_ALERTS_SILENT_MINUTES": "5", "EVENTSCACHE_ALERTS_WEBHOOK": "http://h/"}, []),
        ({}, []),
    ],
)
def test_alerts_without_a_webhook_are_told(environ: dict[str, str], told: list[str], log: Log) -> None:
    check_start(load(None, environ, {"port": 0}))
    assert [line["event"] for line in log._ours] == told
