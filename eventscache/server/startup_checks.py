"""Checks before the server starts: the HTTP parser, aiohttp's version, open files, and workers against the storage."""

import resource

import aiohttp
import structlog
from aiohttp import http_parser, web

from eventscache.config.settings import Settings
from eventscache.errors import ConfigError
from eventscache.logs import hide_secrets
from eventscache.server.http import aiohttp_internals
from eventscache.storage.plugins import storage_class

_log = structlog.get_logger()

# Open files beside those of clients: libraries, logs, listeners and reloaded files; and connections to the storage, of
# which a Redis Cluster has some with each of its nodes.
_OTHER_FILES, _FILES_PER_STORAGE_CALL = 48, 6


def require_c_parser(parser: type | None = None) -> None:
    """Raise `ConfigError` if requests are parsed by aiohttp's Python code.

    That is several times slower, and more than once it read a request differently than a proxy in front does
    (GHSA-8495-4g3g-x7pr, GHSA-9548-qrrj-x5pj).
    """
    if (parser or http_parser.HttpRequestParser) is http_parser.HttpRequestParserPy:
        raise ConfigError(
            "aiohttp works without its HTTP parser in C, which is not safe on a network: unset "
            "AIOHTTP_NO_EXTENSIONS if it is set, else install aiohttp from a wheel (pip install --force-reinstall "
            "--only-binary aiohttp aiohttp)"
        )


def require_aiohttp_internals(connection: type = web.RequestHandler) -> None:
    """Raise `ConfigError` if this version of aiohttp lacks a private name that the server uses."""
    if missing := aiohttp_internals.missing(connection):
        raise ConfigError(
            f"aiohttp {aiohttp.__version__} lacks {', '.join(missing)}, which eventscache uses: install the version "
            "that it requires (pip install --upgrade eventscache)"
        )


def max_connections(settings: Settings) -> int:
    """Return how many connections may be open; log a warning if these are fewer than configured.

    Raises `ConfigError` if there can be none.
    """
    others = _OTHER_FILES + _FILES_PER_STORAGE_CALL * settings.pool_size
    most = connections_that_fit(settings.max_connections, others)
    if most < 1:
        raise ConfigError(f"the system allows too few open files: more than {others} are needed (ulimit -n)")
    if most < settings.max_connections:
        _log.warning(
            "the limit of open files allows fewer connections than eventscache.max_connections",
            max_connections=settings.max_connections,
            connections=most,
        )
    return most


def connections_that_fit(wanted: int, others: int) -> int:
    """Return how many of the `wanted` connections may be open at a time, beside `others` open files of the process.

    The process's own limit of open files is raised as far as needed and allowed.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + others
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else min(wanted, soft - others)


def check_workers(settings: Settings) -> None:
    """Raise `ConfigError` if several workers cannot share the configured storage."""
    if settings.enabled and not storage_class(settings.storage).multiprocess:
        raise ConfigError(
            f"eventscache.workers: {settings.workers} processes cannot share {hide_secrets(settings.storage)}: use 1, "
            "or a storage outside the process, such as --storage redis://localhost:6379/0"
        )
