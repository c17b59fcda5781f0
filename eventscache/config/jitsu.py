"""What Jitsu's file says in Jitsu's own words: the Redis that it uses."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from eventscache.config.values import parse_boolean, parse_text, whole_number, without_value
from eventscache.config.yaml_file import look_up, substituted
from eventscache.errors import ConfigError


def storage_of_jitsu(environ: Mapping[str, str], content: dict[str, Any]) -> tuple[str, str]:
    """Return the URL of the Redis that Jitsu uses, or of the memory storage, and where that was found."""
    if environ.get("REDIS_URL"):
        return environ["REDIS_URL"], "environment REDIS_URL"
    section = substituted(look_up(content, "meta.storage.redis"), "meta.storage.redis", environ)
    if isinstance(section, dict) and section.get("host"):
        try:
            return _redis_url(section), "file meta.storage.redis"
        except (ConfigError, ValueError) as fault:
            raise ConfigError(f"meta.storage.redis: {without_value(fault)}") from None
    return "memory://", "default"


def _redis_url(section: dict[str, Any]) -> str:
    """Return the URL for Jitsu's own words: a host, `host:port`, a list of Sentinels or a whole URL, and the rest."""
    host = parse_text(section["host"]).strip("\"' ")
    master = section.get("sentinel_master_name")
    if master and "://" not in host:
        host = f"sentinel://{quote(parse_text(master), safe='')}@{host}"
    if "://" not in host:
        name, colon, port = host.rpartition(":")
        name, port = (name, port) if colon and port.isdigit() else (host, "")
        host = f"redis://{name}:{port or whole_number(1, 65535)(section.get('port') or 6379)}"
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
