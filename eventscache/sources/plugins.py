"""Finds a source by the name of its setting: those of this package, and those of other installed packages."""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from eventscache.errors import ConfigError
from eventscache.sources.base import Source, SourceOptions

ENTRY_POINT_GROUP = "eventscache.sources"

# For a checkout that was never installed and has no entry points; setup.cfg lists the same for an installed package.
_BUILT_IN = {
    "jitsu_logs": "eventscache.sources.jitsu_logs:JitsuLogs",
    "jitsu_redis": "eventscache.sources.jitsu_redis:JitsuRedis",
}


def source_names() -> tuple[str, ...]:
    """Return the names of all sources that are installed, sorted."""
    return tuple(sorted({*_BUILT_IN, *(entry.name for entry in entry_points(group=ENTRY_POINT_GROUP))}))


def source_from_config(name: str, value: Any, options: SourceOptions) -> Source | None:
    """Return the source for the value of `eventscache.sources.NAME`; None if that switches it off.

    Raises `ConfigError`, which does not name the setting, if there is no such source, if it cannot be imported, or if
    it cannot use the value.
    """
    return _source_class(name).from_config(value, options)


def _source_class(name: str) -> type[Source]:
    found = next(iter(entry_points(group=ENTRY_POINT_GROUP, name=name)), None)
    if found is None and name in _BUILT_IN:
        found = EntryPoint(name, _BUILT_IN[name], ENTRY_POINT_GROUP)
    if found is None:
        raise ConfigError(f"no such source; there are {', '.join(source_names())}")
    try:
        loaded: type[Source] = found.load()
    except ImportError as fault:
        raise ConfigError(f"this source cannot be loaded: {fault}") from fault
    return loaded
