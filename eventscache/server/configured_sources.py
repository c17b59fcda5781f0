"""The sources that the settings name."""

from eventscache.config.settings import Settings
from eventscache.sources.all_sources import sources_from_config
from eventscache.sources.base import Source, SourceOptions


def configured_sources(settings: Settings) -> list[tuple[str, Source]]:
    """Return each source with its name; a disabled cache has none. Raises `ConfigError`, which names the setting."""
    options = SourceOptions(settings.jitsu_redis_url, settings.api_keys, settings.max_id_bytes, settings.max_depth)
    return sources_from_config(dict(settings.sources), options) if settings.enabled else []
