"""Checks before the server starts: what would stop it, and what an operator should know."""

import resource
import socket

import aiohttp
import structlog
from aiohttp import http_parser, web

from eventscache.access.api_keys import ApiKeys
from eventscache.access.credential_reloaders import log_faults
from eventscache.access.loopback import is_loopback
from eventscache.access.tokens import PUBLISHED_TOKENS, Tokens
from eventscache.config.loading import LoadedSettings
from eventscache.config.settings import Settings
from eventscache.errors import CannotListen, ConfigError
from eventscache.logs import hide_secrets
from eventscache.server.configured_sources import configured_sources
from eventscache.server.configured_telemetry import check_telemetry
from eventscache.server.http import aiohttp_internals
from eventscache.storage.plugins import storage_class, storage_from_url

_log = structlog.get_logger()

# Open files beside those of clients: libraries, logs, listeners and reloaded files; and connections to the storage, of
# which a Redis Cluster has some with each of its nodes.
_OTHER_FILES, _FILES_PER_STORAGE_CALL = 48, 6


def check_start(loaded: LoadedSettings) -> None:
    """Raise `ConfigError` for whatever about the settings would stop the server; else log what an operator should know.

    Nothing is contacted, and nothing stays open. `eventscache serve` and `eventscache config` both call it.
    """
    settings = loaded.settings
    require_c_parser()
    require_aiohttp_internals()
    check_access(settings)
    check_storage(loaded)
    check_workers(settings)
    configured_sources(settings)
    check_telemetry(settings)
    check_host(settings.host)
    connections_that_fit(settings.max_connections, _other_files(settings))
    _warn(loaded)


def check_access(settings: Settings) -> None:
    """Raise `ConfigError` if others could reach the server, and there is no admin token that not everybody knows."""
    if is_loopback(settings.host) or Tokens(settings.all_admin_tokens, settings.admin_tokens_file).configured:
        return
    published = "; the one of Jitsu's published files counts as none" if settings.all_admin_tokens else ""
    raise ConfigError(
        f"eventscache.admin_tokens: needed to listen on {settings.host}, which others can reach{published}: set it, or "
        "server.admin_token, to a long random text (openssl rand -hex 32)"
    )


def check_storage(loaded: LoadedSettings) -> None:
    """Raise `ConfigError`, which names where the URL is from, if there is no such storage or it cannot use its URL."""
    settings, source = loaded.settings, loaded.sources["storage"]
    if not settings.enabled:  # then no storage is used
        return
    try:
        storage_from_url(settings.storage, settings.storage_options)
    except ConfigError as fault:
        key = "--storage" if source == "command line" else source.rpartition(" ")[2]
        raise ConfigError(f"{key}: {fault}") from None


def check_host(host: str) -> None:
    """Raise `ConfigError` if the host is no address of this machine: `CannotListen` where that may pass by itself.

    Whether a port is free shows when it is opened.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.bind(address)
    except (OSError, UnicodeError, ValueError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) and fault.strerror else "not a host name"
        kind_of_fault = CannotListen if isinstance(fault, OSError) else ConfigError
        raise kind_of_fault(
            f"eventscache.host: cannot listen on {host}: {reason}; use an address of this machine"
        ) from None


def _warn(loaded: LoadedSettings) -> None:
    """Log what does not count, and what will be refused."""
    settings = loaded.settings
    for warning in loaded.warnings:
        _log.warning("a setting does not count", reason=warning)
    log_faults(settings.api_keys.faults, loaded.sources["api_keys"])
    given = [name for name, source in loaded.sources.items() if name.startswith("alerts_") and source != "default"]
    if given and not settings.alerts_webhook:
        _log.warning("no alerts are sent: set eventscache.alerts.webhook")
    if PUBLISHED_TOKENS.intersection(settings.all_admin_tokens + settings.ingest_tokens):
        _log.warning("a token that Jitsu publishes counts as none: set your own in its place")
    if settings.enabled and settings.jitsu_redis_url and not settings.sources:
        _log.info(
            "processed events can be followed in the Redis that Jitsu's file names: set "
            "eventscache.sources.jitsu_redis: true, or set it to false to hide this line"
        )
    if not (is_loopback(settings.host) or settings.open_ingestion or ApiKeys(settings.api_keys).configured):
        _log.warning(
            "Jitsu's ingestion routes refuse every event: configure api_keys, or set eventscache.open_ingestion",
            host=settings.host,
        )


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
    most = connections_that_fit(settings.max_connections, _other_files(settings))
    if most < settings.max_connections:
        _log.warning(
            "the limit of open files allows fewer connections than eventscache.max_connections",
            max_connections=settings.max_connections,
            connections=most,
        )
    return most


def _other_files(settings: Settings) -> int:
    return _OTHER_FILES + _FILES_PER_STORAGE_CALL * settings.pool_size


def connections_that_fit(wanted: int, others: int) -> int:
    """Return how many of the `wanted` connections may be open at a time, beside `others` open files of the process.

    The process's own limit of open files is raised as far as needed and allowed. Raises `ConfigError` if there can be
    no connection.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + others
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    most = wanted if soft == resource.RLIM_INFINITY else min(wanted, soft - others)
    if most < 1:
        raise ConfigError(
            f"eventscache.max_connections: the system allows too few open files, more than {others} are needed "
            "(ulimit -n)"
        )
    return most


def check_workers(settings: Settings) -> None:
    """Raise `ConfigError` if several workers cannot share the configured storage."""
    if settings.workers > 1 and settings.enabled and not storage_class(settings.storage).multiprocess:
        raise ConfigError(
            f"eventscache.workers: {settings.workers} processes cannot share {hide_secrets(settings.storage)}: use 1, "
            "or a storage outside the process, such as --storage redis://localhost:6379/0"
        )
