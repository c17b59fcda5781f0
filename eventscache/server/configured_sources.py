"""The sources that the settings name."""

from eventscache.access.api_keys import ApiKeys
from eventscache.config.settings import Settings
from eventscache.sources.all_sources import sources_from_config
from eventscache.sources.base import Source, SourceOptions


def configured_sources(settings: Settings, api_keys: ApiKeys | None = None) -> list[tuple[str, Source]]:
    """Return each source with its name; a disabled cache has none. Raises `ConfigError`, which names the setting.

    `api_keys` are the current keys, by default those of the settings.
    """
    keys = api_keys or ApiKeys(settings.api_keys)
    options = SourceOptions(settings.jitsu_redis_url, keys, settings.max_id_bytes, settings.max_depth)
    return sources_from_config(dict(settings.sources), options) if settings.enabled else []
