"""The configuration: Jitsu's own `eventnative.yaml`, the environment and the command line, in one typed value."""

import dataclasses
import difflib
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import yaml

from eventscache.apikeys import KeyList, parse_setting
from eventscache.errors import ConfigError
from eventscache.fieldpath import parse_path
from eventscache.mask import Mask
from eventscache.storage.base import MICROSECONDS, Quota, StorageOptions

Parser = Callable[[Any], Any]

_HIDDEN = "***"
_TTL_MINUTES = 7 * 24 * 60
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"must be a text (in quotes), not {value!r}")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    entries = value.split(",") if isinstance(value, str) else value
    if not isinstance(entries, list):
        raise ConfigError("must be a list of texts")
    return tuple(text for text in (_text(entry).strip() for entry in entries) if text)


def _paths(value: Any) -> tuple[str, ...]:
    texts = _texts(value)
    for text in texts:
        parse_path(text)
    return texts


def _paths_or_all(value: Any) -> tuple[str, ...] | bool:
    try:
        return _boolean(value)
    except ConfigError:
        if not isinstance(value, str | list):
            raise ConfigError(f"must be true, false or a list of paths, not {value!r}") from None
        return _paths(value)


def _boolean(value: Any) -> bool:
    known = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in known:
        return known[value.lower()]
    raise ConfigError(f"must be true or false, not {value!r}")


def _whole(least: int, most: int = 2**52) -> Parser:
    def parse(value: Any) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,16}", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ConfigError(f"must be a whole number from {least} to {most}, not {value!r}")
        return value

    return parse


def _minutes(value: Any) -> int:
    """Jitsu's 0 means for ever, which no key may last: it counts as not set."""
    minutes: int = _whole(0, 52_560_000)(value)
    return minutes or _TTL_MINUTES


def _prefix(value: Any) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", _text(value)):
        raise ConfigError("must be 1 to 64 letters, digits, or any of _ . : -")
    return str(value)


class Source(NamedTuple):
    """Where a setting may come from: its keys in the file, the first that is there counts; and how it is read."""

    keys: tuple[str, ...]
    parse: Parser
    secret: bool

    @property
    def name(self) -> str:
        """The key it is known by: Jitsu's own, if that is about the cache."""
        return next((key for key in self.keys if key.startswith("server.")), self.keys[0])

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment names, in the same order."""
        return tuple(key.upper().replace(".", "_") for key in self.keys)


def _setting(*keys: str, parse: Parser, default: Any, secret: bool = False) -> Any:
    return dataclasses.field(default=default, repr=not secret, metadata={"source": Source(keys, parse, secret)})


def _jitsus(key: str, parse: Parser, default: Any) -> Any:
    """Return a setting of Jitsu's cache, which `eventscache.cache` overrides."""
    return _setting(f"eventscache.cache.{key}", f"server.cache.{key}", parse=parse, default=default)


@dataclasses.dataclass(frozen=True)
class Settings:
    """All settings, in the order in which they are shown."""

    host: str = _setting("eventscache.host", parse=_text, default="127.0.0.1")
    port: int = _setting("eventscache.port", parse=_whole(0, 65535), default=8095)
    workers: int = _setting("eventscache.workers", parse=_whole(1, 256), default=1)
    storage: str = _setting("eventscache.storage", parse=_text, default="memory://", secret=True)
    prefix: str = _setting("eventscache.prefix", parse=_prefix, default="eventscache")
    enabled: bool = _setting(
        "eventscache.enabled", "eventscache.cache.enabled", "server.cache.enabled", parse=_boolean, default=True
    )
    size: int = _jitsus("events.size", _whole(1, 10_000_000), 100)
    window_seconds: int = _jitsus("events.time_window_sec", _whole(1, 31_536_000), 60)
    trim_interval_ms: int = _jitsus("events.trim_interval_ms", _whole(1), 500)
    max_malformed_bytes: int = _jitsus("events.max_malformed_event_size_bytes", _whole(1), 10_000)
    pool_size: int = _jitsus("pool.size", _whole(1, 1000), 10)
    max_event_bytes: int = _setting("server.max_event_size", parse=_whole(1), default=51_200)
    admin_tokens: tuple[str, ...] = _setting("eventscache.admin_tokens", parse=_texts, default=(), secret=True)
    admin_tokens_file: str = _setting("eventscache.admin_tokens_file", parse=_text, default="")
    jitsu_admin_token: str = _setting("server.admin_token", parse=_text, default="", secret=True)
    ingest_tokens: tuple[str, ...] = _setting("eventscache.ingest_tokens", parse=_texts, default=(), secret=True)
    ingest_tokens_file: str = _setting("eventscache.ingest_tokens_file", parse=_text, default="")
    admin_token_in_query: bool = _setting("eventscache.admin_token_in_query", parse=_boolean, default=False)
    api_keys: KeyList = _setting("api_keys", parse=parse_setting, default=KeyList(), secret=True)  # noqa: RUF009
    api_keys_reload_seconds: int = _setting("server.api_keys_reload_sec", parse=_whole(1), default=1)
    open_ingestion: bool = _setting("eventscache.open_ingestion", parse=_boolean, default=False)
    mask_drop: tuple[str, ...] = _setting("eventscache.mask.drop", parse=_paths, default=())
    mask_hash: tuple[str, ...] = _setting("eventscache.mask.hash", parse=_paths, default=())
    mask_ip: tuple[str, ...] | bool = _setting("eventscache.mask.ip", parse=_paths_or_all, default=False)
    mask_key: str = _setting("eventscache.mask.key", parse=_text, default="", secret=True)
    ttl_minutes: int = _setting(
        "eventscache.ttl_minutes",
        "meta.storage.redis.ttl_minutes.events_cache",
        parse=_minutes,
        default=_TTL_MINUTES,
    )
    max_streams: int = _setting("eventscache.max_streams", parse=_whole(1), default=10_000)
    memory_bytes: int = _setting("eventscache.memory_bytes", parse=_whole(1024 * 1024), default=256 * 1024 * 1024)
    max_redis_memory_percent: int = _setting("eventscache.max_redis_memory_percent", parse=_whole(1, 100), default=90)
    queue_bytes: int = _setting("eventscache.queue_bytes", parse=_whole(1024), default=32 * 1024 * 1024)
    max_body_bytes: int = _setting("eventscache.max_body_bytes", parse=_whole(1), default=8 * 1024 * 1024)
    max_batch: int = _setting("eventscache.max_batch", parse=_whole(1), default=10_000)
    max_depth: int = _setting("eventscache.max_depth", parse=_whole(1, 500), default=200)
    max_ids: int = _setting("eventscache.max_ids", parse=_whole(1), default=1_000)
    max_id_bytes: int = _setting("eventscache.max_id_bytes", parse=_whole(1, 4096), default=512)
    ack_timeout_ms: int = _setting("eventscache.ack_timeout_ms", parse=_whole(1), default=2_000)
    storage_timeout_ms: int = _setting("eventscache.storage_timeout_ms", parse=_whole(1), default=250)
    max_connections: int = _setting("eventscache.max_connections", parse=_whole(1), default=1_000)
    header_timeout_ms: int = _setting("eventscache.header_timeout_ms", parse=_whole(1), default=5_000)
    body_timeout_ms: int = _setting("eventscache.body_timeout_ms", parse=_whole(1), default=10_000)
    keepalive_ms: int = _setting("eventscache.keepalive_ms", parse=_whole(1), default=75_000)
    access_log: bool = _setting("eventscache.access_log", parse=_boolean, default=False)
    shutdown_timeout_ms: int = _setting("eventscache.shutdown_timeout_ms", parse=_whole(1), default=5_000)

    @property
    def quota(self) -> Quota:
        """What each collection keeps and admits."""
        return Quota(self.size, self.window_seconds * MICROSECONDS)

    @property
    def mask(self) -> Mask | None:
        """What masks events, if anything is to be masked. Raises `ConfigError`."""
        mask = Mask(drop=self.mask_drop, hash=self.mask_hash, ip=self.mask_ip, key=self.mask_key)
        return mask or None

    @property
    def all_admin_tokens(self) -> tuple[str, ...]:
        """The admin tokens, Jitsu's own among them."""
        return self.admin_tokens + ((self.jitsu_admin_token,) if self.jitsu_admin_token else ())

    @property
    def storage_options(self) -> StorageOptions:
        """What a storage is opened with."""
        return StorageOptions(
            prefix=self.prefix,
            ttl_seconds=self.ttl_minutes * 60,
            max_streams=self.max_streams,
            memory_bytes=self.memory_bytes,
            timeout_seconds=self.storage_timeout_ms / 1000,
            pool_size=self.pool_size,
            max_memory_percent=self.max_redis_memory_percent,
        )


SOURCES: dict[str, Source] = {field.name: field.metadata["source"] for field in dataclasses.fields(Settings)}


class Effective(NamedTuple):
    """Settings, and for each by name where its value came from."""

    settings: Settings
    origins: dict[str, str]

    def shown(self) -> list[tuple[str, str, str]]:
        """Return key, value and origin of each setting, with secrets hidden."""
        return [(source.name, self._shown(name, source), self.origins[name]) for name, source in SOURCES.items()]

    def _shown(self, name: str, source: Source) -> str:
        value = getattr(self.settings, name)
        if name == "storage":
            return hide_secrets(value)
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int):
            return str(value)
        if source.secret:
            return _HIDDEN if any(value) else ""
        return ", ".join(value) if isinstance(value, tuple) else str(value)


def hide_secrets(url: str) -> str:
    """Return a URL without anything that can be a secret: what stands before its last @, and its query."""
    scheme, separator, rest = url.partition("://")
    if not separator:  # maybe a password, a colon and a host
        return f"{url.partition(':')[0] if re.match('[A-Za-z][A-Za-z0-9+.-]*:', url) else _HIDDEN}:"
    _, at, shown = rest.rpartition("@")
    return f"{scheme}://{_HIDDEN + at if at else ''}{re.split('[?#]', shown, maxsplit=1)[0]}"


def load(
    path: Path | None = None, environ: Mapping[str, str] | None = None, options: Mapping[str, Any] | None = None
) -> Effective:
    """Return the effective settings: `options` (by name) over the environment, the file, the defaults.

    Raises `ConfigError` with one line that names the setting at fault.
    """
    environ = os.environ if environ is None else environ
    content = _read_file(path) if path else {}
    _refuse_unknown(content)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, source in SOURCES.items():
        found = _find(name, source, options or {}, environ, content)
        if found is None:
            origins[name] = "default"
            continue
        raw, origin, key = found
        origins[name] = origin
        try:
            values[name] = source.parse(raw)
        except ConfigError as fault:
            raise ConfigError(f"{key}: {_without_value(fault) if source.secret else fault} (from {origin})") from None
    if not values.get("storage"):
        values["storage"], origins["storage"] = _jitsus_storage(environ, content)
    settings = Settings(**values)
    try:
        _ = settings.quota
    except ConfigError as fault:
        raise ConfigError(f"server.cache.events.size: {fault}") from None
    try:
        _ = settings.mask
    except ConfigError as fault:
        raise ConfigError(f"eventscache.mask.key: {fault}") from None
    return Effective(settings, origins)


def _without_value(fault: Exception) -> str:
    """Return what is wrong with a secret, without the secret."""
    return re.sub(r", not .*", "", str(fault), flags=re.DOTALL)


def _find(
    name: str, source: Source, options: Mapping[str, Any], environ: Mapping[str, str], content: dict[str, Any]
) -> tuple[Any, str, str] | None:
    """Return the raw value of a setting with its origin and the key it was found under."""
    if options.get(name) is not None:
        return options[name], "command line", f"--{name}"
    for variable in source.variables:
        if environ.get(variable):
            return environ[variable], f"environment {variable}", variable
    for key in source.keys:
        value = _substituted(_look_up(content, key), key, environ)
        if value is not None and value != "":
            return value, f"file {key}", key
    return None


def _read_file(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise ConfigError(f"{path}: cannot be read: {fault.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8") from None
    except yaml.MarkedYAMLError as fault:
        line = f"line {fault.problem_mark.line + 1}: " if fault.problem_mark else ""
        # A word in quotes may be part of a secret that begins with a * or a !, which YAML takes for its own.
        problem = re.sub(r"(['\"]).{2,}\1", _HIDDEN, fault.problem or "", flags=re.DOTALL)
        raise ConfigError(f"{path}: {line}not valid YAML: {problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as fault:
        reason = re.sub(r"(['\"]).{2,}\1", _HIDDEN, " ".join(str(fault).split()))
        raise ConfigError(f"{path}: not valid YAML: {reason}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: not a mapping of sections")
    return content


def _look_up(content: Any, key: str) -> Any:
    """Return what stands under a dotted key, or None."""
    walked = ""
    for part in key.split("."):
        if content is None:
            return None
        if not isinstance(content, dict):
            raise ConfigError(f"{walked}: must be a section")
        walked = f"{walked}.{part}" if walked else part
        content = content.get(part)
    return content


def _substituted(value: Any, key: str, environ: Mapping[str, str]) -> Any:
    """Return a value with `${env.A|env.B|default}` replaced, as in Jitsu's files."""

    def replace(match: re.Match[str]) -> str:
        for part in match[1].split("|"):
            name = part.removeprefix("env.")
            if part == name:
                return part
            if name in environ:
                return environ[name]
        raise ConfigError(f"{key}: {match[0]} is not set and has no default")

    if isinstance(value, str):
        return _PLACEHOLDER.sub(replace, value)
    if isinstance(value, list):
        return [_substituted(entry, key, environ) for entry in value]
    if isinstance(value, dict):
        return {name: _substituted(entry, key, environ) for name, entry in value.items()}
    return value


def _refuse_unknown(content: dict[str, Any]) -> None:
    """Raise if our own sections hold a key that means nothing; Jitsu's other sections are Jitsu's."""
    known = {key for source in SOURCES.values() for key in source.keys}

    def check(section: Any, path: str) -> None:
        if path in known or section is None:
            return
        if any(key.startswith(f"{path}.") for key in known):
            if not isinstance(section, dict):
                raise ConfigError(f"{path}: must be a section")
            for name, value in section.items():
                check(value, f"{path}.{name}")
            return
        similar = difflib.get_close_matches(path, known, 1)
        raise ConfigError(f"{path}: unknown setting" + (f"; did you mean {similar[0]}?" if similar else ""))

    check(content.get("eventscache"), "eventscache")
    check(_look_up(content, "server.cache"), "server.cache")


def _jitsus_storage(environ: Mapping[str, str], content: dict[str, Any]) -> tuple[str, str]:
    """Return the URL of the Redis that Jitsu uses, or of the memory storage, and where that was found."""
    if environ.get("REDIS_URL"):
        return environ["REDIS_URL"], "environment REDIS_URL"
    section = _substituted(_look_up(content, "meta.storage.redis"), "meta.storage.redis", environ)
    if isinstance(section, dict) and section.get("host"):
        try:
            return _redis_url(section), "file meta.storage.redis"
        except (ConfigError, ValueError) as fault:
            raise ConfigError(f"meta.storage.redis: {_without_value(fault)}") from None
    return "memory://", "default"


def _redis_url(section: dict[str, Any]) -> str:
    """Return the URL for Jitsu's own words: a host, `host:port`, a list of Sentinels or a whole URL, and the rest."""
    host = _text(section["host"]).strip("\"' ")
    master = section.get("sentinel_master_name")
    if master and "://" not in host:
        host = f"sentinel://{quote(_text(master), safe='')}@{host}"
    if "://" not in host:
        name, colon, port = host.rpartition(":")
        name, port = (name, port) if colon and port.isdigit() else (host, "")
        host = f"redis://{name}:{port or _whole(1, 65535)(section.get('port') or 6379)}"
    url = urlsplit(host)
    if url.scheme not in {"redis", "rediss", "sentinel"}:
        raise ConfigError("host must be a name, a name:port, or a redis://, rediss:// or sentinel:// URL")
    credentials, at, location = url.netloc.rpartition("@")
    if section.get("password") and ":" not in credentials:
        credentials, at = f"{credentials}:{quote(str(section['password']), safe='')}", "@"
    database = _whole(0, 1_000_000)(section.get("database") or 0)
    path = url.path if url.path.strip("/") else f"/{database}"
    insecure = url.scheme == "rediss" and _boolean(section.get("tls_skip_verify") or False)
    return f"{url.scheme}://{credentials}{at}{location}{path}{'?tls_skip_verify=true' if insecure else ''}"
