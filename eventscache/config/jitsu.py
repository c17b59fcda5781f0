"""The Redis that Jitsu uses, by the `meta.storage.redis` section of its file, as a storage URL."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from eventscache.config.values import parse_boolean, parse_string, redact_value, whole_number
from eventscache.config.yaml_file import fill_placeholders, look_up
from eventscache.errors import ConfigError

_SECTION = "meta.storage.redis"
_PORT = 6379


def find_jitsu_storage(environ: Mapping[str, str], content: dict[str, Any]) -> tuple[str, str]:
    """Return the URL of the Redis that Jitsu uses, else of the memory storage, and the source of that URL.

    Raises `ConfigError`, whose text holds no secret.
    """
    if environ.get("REDIS_URL"):
        return environ["REDIS_URL"], "environment REDIS_URL"
    section = fill_placeholders(look_up(content, _SECTION), _SECTION, environ)
    if isinstance(section, dict) and section.get("host"):
        try:
            return _redis_url(section), f"file {_SECTION}"
        except (ConfigError, ValueError) as fault:
            raise ConfigError(f"{_SECTION}: {redact_value(fault)}") from None
    return "memory://", "default"


def _redis_url(section: dict[str, Any]) -> str:
    """Return the URL for a section whose `host` is a name, `name:port`, a list of Sentinels or a whole URL."""
    host = parse_string(section["host"]).strip("\"' ")
    master = section.get("sentinel_master_name")
    if master and "://" not in host:
        host = f"sentinel://{quote(parse_string(master), safe='')}@{host}"
    if "://" not in host:
        name, colon, port = host.rpartition(":")
        name, port = (name, port) if colon and port.isdigit() else (host, "")
        host = f"redis://{name}:{port or whole_number(1, 65535)(section.get('port') or _PORT)}"
    url = urlsplit(host)
    if url.scheme not in {"redis", "rediss", "sentinel"}:
        raise ConfigError("host must be a name, a name:port, or a redis://, rediss:// or sentinel:// URL")
    credentials, at, location = url.netloc.rpartition("@")
    if section.get("password") and ":" not in credentials:
        credentials, at = f"{credentials}:{quote(str(section['password']), safe='')}", "@"
    database = whole_number(0, 1_000_000)(section.get("database") or 0)
    path = url.path if url.path.strip("/") else f"/{database}"
    insecure = url.scheme == "rediss" and parse_boolean(section.get("tls_skip_verify") or False)
    return f"{url.scheme}://{credentials}{at}{location}{path}{'?tls_skip_verify=true' if insecure else ''}"
