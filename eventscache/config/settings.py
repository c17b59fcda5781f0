"""All settings in one typed value, and for each its keys and its parser."""

import dataclasses
from typing import Any, NamedTuple

from eventscache.access.api_keys import KeyList, parse_api_keys
from eventscache.access.read_token_entries import parse_ids, parse_namespaces, parse_read_tokens
from eventscache.access.read_tokens import ReadToken, check_read_tokens
from eventscache.access.tokens import Tokens
from eventscache.clock import MICROSECONDS
from eventscache.config.replay_targets import ReplayTarget, parse_replay_targets
from eventscache.config.sources import variable_of
from eventscache.config.values import (
    DEFAULT_TTL_MINUTES,
    Parser,
    parse_boolean,
    parse_choice,
    parse_event_path,
    parse_paths,
    parse_paths_or_boolean,
    parse_prefix,
    parse_ratio,
    parse_secret_address,
    parse_share,
    parse_string,
    parse_token,
    parse_tokens,
    parse_ttl_minutes,
    parse_web_address,
    whole_number,
)
from eventscache.errors import ConfigError
from eventscache.masking.mask import Mask
from eventscache.storage.messages import Quota
from eventscache.storage.options import StorageOptions
from eventscache.stream import Namespace


class Definition(NamedTuple):
    """How one setting is found and read.

    `keys` are dotted keys of the file: the first one that is there counts. `parse` turns what is found into the value,
    or raises `ConfigError`. A `secret` is never shown. `other_variables` are environment variables that are not ours;
    those of the keys come first. `api_keys` has older names too: see `jitsu_keys`; the value of `eventscache.sources`
    is read by the sources.
    """

    keys: tuple[str, ...]
    parse: Parser
    secret: bool
    other_variables: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The key under which the setting is documented and shown: Jitsu's own, if Jitsu has one for the cache."""
        return next((key for key in self.keys if key.startswith("server.")), self.keys[0])

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables, in the order of the keys, then others."""
        return (*map(variable_of, self.keys), *self.other_variables)


def _setting(
    *keys: str, parse: Parser, default: Any, secret: bool = False, other_variables: tuple[str, ...] = ()
) -> Any:
    definition = Definition(keys, parse, secret, other_variables)
    return dataclasses.field(default=default, repr=not secret, metadata={"definition": definition})


def _jitsu_setting(key: str, parse: Parser, default: Any) -> Any:
    """Return a setting of Jitsu's cache, which `eventscache.cache` overrides."""
    return _setting(f"eventscache.cache.{key}", f"server.cache.{key}", parse=parse, default=default)


@dataclasses.dataclass(frozen=True)
class Settings:
    """All settings, in the order in which they are shown. Names carry the units; sizes without one count events."""

    host: str = _setting("eventscache.host", parse=parse_string, default="127.0.0.1")
    port: int = _setting("eventscache.port", parse=whole_number(0, 65535), default=8095)
    workers: int = _setting("eventscache.workers", parse=whole_number(1, 256), default=1)
    storage: str = _setting("eventscache.storage", parse=parse_string, default="memory://", secret=True)
    sources: tuple[tuple[str, Any], ...] = _setting("eventscache.sources", parse=tuple, default=(), secret=True)
    prefix: str = _setting("eventscache.prefix", parse=parse_prefix, default="eventscache")
    enabled: bool = _setting(
        "eventscache.enabled", "eventscache.cache.enabled", "server.cache.enabled", parse=parse_boolean, default=True
    )
    size: int = _jitsu_setting("events.size", whole_number(1, 10_000_000), 100)
    window_seconds: int = _jitsu_setting("events.time_window_sec", whole_number(1, 31_536_000, zero=1), 60)
    limited: bool = _setting("eventscache.cache.events.limited", parse=parse_boolean, default=True)
    per_type: int = _setting("eventscache.cache.events.per_type", parse=whole_number(0, 1000), default=0)
    type_path: str = _setting("eventscache.cache.events.type_path", parse=parse_event_path, default="")
    error_groups: bool = _setting("eventscache.cache.events.error_groups", parse=parse_boolean, default=True)
    trim_interval_ms: int = _jitsu_setting("events.trim_interval_ms", whole_number(1), 500)
    max_malformed_bytes: int = _jitsu_setting("events.max_malformed_event_size_bytes", whole_number(1), 10_000)
    pool_size: int = _jitsu_setting("pool.size", whole_number(1, 1000, zero=1), 10)
    max_event_bytes: int = _setting("server.max_event_size", parse=whole_number(1), default=51_200)
    admin_tokens: tuple[str, ...] = _setting("eventscache.admin_tokens", parse=parse_tokens, default=(), secret=True)
    admin_tokens_file: str = _setting("eventscache.admin_tokens_file", parse=parse_string, default="")
    jitsu_admin_token: str = _setting("server.admin_token", parse=parse_token, default="", secret=True)
    ingest_tokens: tuple[str, ...] = _setting("eventscache.ingest_tokens", parse=parse_tokens, default=(), secret=True)
    ingest_tokens_file: str = _setting("eventscache.ingest_tokens_file", parse=parse_string, default="")
    read_tokens: tuple[ReadToken, ...] = _setting(
        "eventscache.read_tokens", parse=parse_read_tokens, default=(), secret=True
    )
    read_tokens_file: str = _setting("eventscache.read_tokens_file", parse=parse_string, default="")
    admin_token_in_query: bool = _setting("eventscache.admin_token_in_query", parse=parse_boolean, default=False)
    api_keys: KeyList = _setting("api_keys", parse=parse_api_keys, default=KeyList(), secret=True)  # noqa: RUF009
    api_keys_reload_seconds: int = _setting(
        "server.api_keys_reload_sec", "server.auth_reload_sec", parse=whole_number(1), default=1
    )
    open_ingestion: bool = _setting("eventscache.open_ingestion", parse=parse_boolean, default=False)
    mask_drop: tuple[str, ...] = _setting("eventscache.mask.drop", parse=parse_paths, default=())
    mask_hash: tuple[str, ...] = _setting("eventscache.mask.hash", parse=parse_paths, default=())
    mask_ip: tuple[str, ...] | bool = _setting("eventscache.mask.ip", parse=parse_paths_or_boolean, default=False)
    mask_key: str = _setting("eventscache.mask.key", parse=parse_string, default="", secret=True)
    ttl_minutes: int = _setting(
        "eventscache.ttl_minutes",
        "meta.storage.redis.ttl_minutes.events_cache",
        parse=parse_ttl_minutes,
        default=DEFAULT_TTL_MINUTES,
    )
    max_streams: int = _setting("eventscache.max_streams", parse=whole_number(1), default=10_000)
    max_new_streams_per_minute: int = _setting(
        "eventscache.max_new_streams_per_minute", parse=whole_number(1, 1_000_000), default=1_000
    )
    memory_bytes: int = _setting("eventscache.memory_bytes", parse=whole_number(1024 * 1024), default=256 * 1024 * 1024)
    max_redis_memory_percent: int = _setting(
        "eventscache.max_redis_memory_percent", parse=whole_number(1, 100), default=90
    )
    queue_bytes: int = _setting("eventscache.queue_bytes", parse=whole_number(1024), default=32 * 1024 * 1024)
    record_bytes: int = _setting("eventscache.record_bytes", parse=whole_number(0), default=32 * 1024 * 1024)
    record_minutes: int = _setting("eventscache.record_minutes", parse=whole_number(1, 10_080), default=10)
    max_body_bytes: int = _setting("eventscache.max_body_bytes", parse=whole_number(1), default=8 * 1024 * 1024)
    max_bulk_bytes: int = _setting("eventscache.max_bulk_bytes", parse=whole_number(1), default=24 * 1024 * 1024)
    max_batch: int = _setting("eventscache.max_batch", parse=whole_number(1), default=10_000)
    max_depth: int = _setting("eventscache.max_depth", parse=whole_number(1, 500), default=200)
    max_ids: int = _setting("eventscache.max_ids", parse=whole_number(1), default=1_000)
    max_id_bytes: int = _setting("eventscache.max_id_bytes", parse=whole_number(1, 4096), default=512)
    ack_timeout_ms: int = _setting("eventscache.ack_timeout_ms", parse=whole_number(1), default=2_000)
    storage_timeout_ms: int = _setting("eventscache.storage_timeout_ms", parse=whole_number(1), default=250)
    max_connections: int = _setting("eventscache.max_connections", parse=whole_number(1), default=1_000)
    header_timeout_ms: int = _setting("eventscache.header_timeout_ms", parse=whole_number(1), default=5_000)
    body_timeout_ms: int = _setting("eventscache.body_timeout_ms", parse=whole_number(1), default=10_000)
    keepalive_ms: int = _setting("eventscache.keepalive_ms", parse=whole_number(1), default=75_000)
    access_log: bool = _setting("eventscache.access_log", parse=parse_boolean, default=False)
    fast_lane: bool = _setting("eventscache.fast_lane", parse=parse_boolean, default=True)
    shutdown_timeout_ms: int = _setting("eventscache.shutdown_timeout_ms", parse=whole_number(1), default=5_000)
    otlp_endpoint: str = _setting(
        "eventscache.otlp.endpoint",
        parse=parse_web_address,
        default="",
        other_variables=("OTEL_EXPORTER_OTLP_ENDPOINT",),
    )
    otlp_trace_ratio: float = _setting("eventscache.otlp.trace_ratio", parse=parse_ratio, default=0.01)
    otlp_interval_ms: int = _setting("eventscache.otlp.interval_ms", parse=whole_number(1), default=10_000)
    replay_targets: tuple[ReplayTarget, ...] = _setting(
        "eventscache.replay_targets", parse=parse_replay_targets, default=(), secret=True
    )
    alerts_webhook: str = _setting("eventscache.alerts.webhook", parse=parse_secret_address, default="", secret=True)
    alerts_format: str = _setting("eventscache.alerts.format", parse=parse_choice("slack", "teams"), default="slack")
    alerts_new_error_group: bool = _setting("eventscache.alerts.new_error_group", parse=parse_boolean, default=True)
    alerts_error_share: float = _setting("eventscache.alerts.error_share", parse=parse_share, default=0.0)
    alerts_error_share_min_events: int = _setting(
        "eventscache.alerts.error_share_min_events", parse=whole_number(1), default=20
    )
    alerts_silent_minutes: int = _setting(
        "eventscache.alerts.silent_minutes", parse=whole_number(0, 525_600), default=0
    )
    alerts_ids: tuple[str, ...] = _setting("eventscache.alerts.ids", parse=parse_ids, default=())
    alerts_namespaces: tuple[Namespace, ...] = _setting(
        "eventscache.alerts.namespaces", parse=parse_namespaces, default=()
    )
    alerts_link: str = _setting("eventscache.alerts.link", parse=parse_web_address, default="")

    jitsu_redis_url: str = dataclasses.field(default="", repr=False)
    """The storage URL of the Redis that Jitsu's file names, whether the cache uses it or not; empty if none."""

    @property
    def quota(self) -> Quota:
        """What each collection keeps and admits. Raises `ConfigError` if size times window is too large."""
        quota = Quota(self.size, self.window_seconds * MICROSECONDS)
        return quota if self.limited else Quota.without_limit(self.size)

    @property
    def mask(self) -> Mask | None:
        """The mask of personal data; None if nothing is to be masked. Raises `ConfigError` if a key is missing."""
        mask = Mask(drop=self.mask_drop, hash=self.mask_hash, ip=self.mask_ip, key=self.mask_key)
        return mask or None

    @property
    def all_admin_tokens(self) -> tuple[str, ...]:
        """The admin tokens, with Jitsu's own."""
        return self.admin_tokens + ((self.jitsu_admin_token,) if self.jitsu_admin_token else ())

    @property
    def checked_read_tokens(self) -> tuple[ReadToken, ...]:
        """The read tokens that are listed.

        Raises `ConfigError` if one of them is an admin or ingest token too, or if there are read tokens, or a file for
        them, and no admin token: then whoever reaches the server may read everything.
        """
        admins = Tokens(self.all_admin_tokens, self.admin_tokens_file)
        if (self.read_tokens or self.read_tokens_file) and not admins.configured:
            raise ConfigError("read tokens need eventscache.admin_tokens: without one, no token is asked for")
        check_read_tokens(self.read_tokens, self.all_admin_tokens + self.ingest_tokens)
        return self.read_tokens

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


DEFINITIONS: dict[str, Definition] = {
    field.name: field.metadata["definition"] for field in dataclasses.fields(Settings) if field.metadata
}
"""By the name of each field of `Settings`, in the same order."""
