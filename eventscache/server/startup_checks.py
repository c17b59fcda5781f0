"""The HTTP parser: aiohttp's in C, or none."""

from aiohttp import http_parser

from eventscache.errors import ConfigError


def require_c_parser(parser: type | None = None) -> None:
    """Raise `ConfigError` if requests are parsed by aiohttp's Python code.

    That is several times slower, and took requests to be something else more than once than a proxy in front does
    (GHSA-8495-4g3g-x7pr, GHSA-9548-qrrj-x5pj).
    """
    if (parser or http_parser.HttpRequestParser) is http_parser.HttpRequestParserPy:
        raise ConfigError(
            "aiohttp works without its HTTP parser in C, which is no way to face a network: unset "
            "AIOHTTP_NO_EXTENSIONS if it is set, else install aiohttp from a wheel (pip install --force-reinstall "
            "--only-binary aiohttp aiohttp)"
        )
