"""Requests are parsed in C, or not at all."""

import pytest
from aiohttp import http_parser, web_protocol

from eventscache.config.settings import Settings
from eventscache.errors import ConfigError
from eventscache.server import app
from eventscache.server.startup_checks import require_c_parser
from eventscache.storage.memory import MemoryStorage
from tests.support.command import run_afresh


def test_the_parser_in_c_is_what_the_server_uses() -> None:
    require_c_parser()
    assert vars(web_protocol)["HttpRequestParser"] is http_parser.HttpRequestParser
    assert http_parser.HttpRequestParser is not http_parser.HttpRequestParserPy


async def test_no_sidecar_is_made_over_the_python_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="AIOHTTP_NO_EXTENSIONS"):
        require_c_parser(http_parser.HttpRequestParserPy)
    monkeypatch.setattr(http_parser, "HttpRequestParser", http_parser.HttpRequestParserPy)
    with pytest.raises(ConfigError, match="AIOHTTP_NO_EXTENSIONS"):
        app.Sidecar(Settings(), MemoryStorage())


def test_the_start_is_refused_with_what_to_do() -> None:
    finished = run_afresh("serve", "--port", "0", AIOHTTP_NO_EXTENSIONS="1")
    assert finished.returncode == 2
    assert "unset AIOHTTP_NO_EXTENSIONS" in finished.stderr
    assert finished.stderr.startswith("eventscache: aiohttp works without its HTTP parser in C")
    assert finished.stderr.count("\n") == 1
