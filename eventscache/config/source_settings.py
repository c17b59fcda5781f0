"""The settings of sources: `eventscache.sources` of the file, and a variable for each, which counts more."""

from typing import Any, NamedTuple

from eventscache.config.sources import Sources
from eventscache.errors import ConfigError

_KEY = "eventscache.sources"
_VARIABLES = "EVENTSCACHE_SOURCES_"


class SourceSettings(NamedTuple):
    """The value of each source by its name, as it was given, and where they are from."""

    values: tuple[tuple[str, Any], ...]
    source: str


def find_sources(sources: Sources) -> SourceSettings:
    """Return the settings of all sources. Raises `ConfigError` if `eventscache.sources` is not a section."""
    found = sources.in_file(_KEY)
    if found and not isinstance(found.value, dict):
        raise ConfigError(f"{_KEY}: must be a section with the name of a source, such as jitsu_redis: true")
    values = {str(name): value for name, value in found.value.items() if value is not None} if found else {}
    origins = [found.source] if found else []
    for variable, value in sorted(sources.environ.items()):
        if variable.startswith(_VARIABLES) and value:
            values[variable.removeprefix(_VARIABLES).lower()] = value
            origins.append(f"environment {variable}")
    return SourceSettings(tuple(sorted(values.items())), ", ".join(origins) or "default")
